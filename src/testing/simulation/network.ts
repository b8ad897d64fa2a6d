import type { Millis } from '../../model/ids.ts';
import { PING_INTERVAL } from '../../model/limits.ts';
import type { Frame } from '../../protocol/frames.ts';
import type { Connection, Peer } from '../../server/peer.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

/** One end of a link, as the node sees it. */
export interface NodeEnd {
  opened(): void;
  frame(frame: Frame): void;
  pinged(): void;
  closed(reason: string): void;
}

export type SocketKind = 'worker' | 'client';

/** A server process as the network sees it. */
export interface Host {
  readonly listens: boolean;
  readonly alive: boolean;
  accept(kind: SocketKind, node: string, peer: Peer): Connection;
  /** Runs it inside the process: now, when it is awake again, or never. */
  inside(run: () => void): void;
  alarm(delay: Millis, run: () => void): () => void;
  /** A message is about to leave. False: the process is dead, or dies here. */
  departing(link: Link, frame: Frame): boolean;
}

type Item =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'open' | 'ping' | 'pong' }
  | { readonly kind: 'close'; readonly reason: string };

/** One direction of a connection: in order and without loss, until it is cut. */
class Way {
  readonly #world: World;
  readonly #who: number;
  readonly #delay: () => Millis;
  readonly #deliver: (item: Item) => void;
  #flying: (() => void)[] = [];
  #arrived = 0;
  #last: Millis = 0;
  isCut = false;

  constructor(world: World, who: number, delay: () => Millis, deliver: (item: Item) => void) {
    this.#world = world;
    this.#who = who;
    this.#delay = delay;
    this.#deliver = deliver;
  }

  send(item: Item): void {
    if (this.isCut) return;
    this.#last = Math.max(this.#last, this.#world.now + this.#delay());
    const cancel = this.#world.at(this.#last, this.#who, () => {
      this.#arrived++;
      if (this.#arrived === this.#flying.length) {
        this.#flying = [];
        this.#arrived = 0;
      }
      this.#deliver(item);
    });
    this.#flying.push(cancel);
  }

  /** Loses this share of what is under way, its end; returns when the rest will have arrived. */
  cut(lost: number): Millis {
    this.isCut = true;
    const flying = this.#flying.length - this.#arrived;
    const count = Math.round(flying * lost);
    for (let i = 0; i < count; i++) this.#flying.pop()?.();
    return flying > count ? this.#last : this.#world.now;
  }

  /** Nothing arrives before. */
  hold(until: Millis): void {
    this.#last = Math.max(this.#last, until);
  }
}

/** One connection between a node and a server process. */
export class Link {
  readonly node: string;
  readonly kind: SocketKind;
  readonly host: Host;
  /** Raised for each link of the simulation. */
  readonly number: number;
  readonly up: Way;
  readonly down: Way;
  #connection: Connection | undefined;
  #nodeOpen = true;
  #serverOpen = true;
  readonly #world: World;
  readonly #who: number;
  readonly #end: NodeEnd;

  constructor(network: Network, world: World, kind: SocketKind, node: string, who: number, host: Host, end: NodeEnd) {
    this.node = node;
    this.kind = kind;
    this.host = host;
    this.number = network.links.size + network.closedLinks;
    this.#world = world;
    this.#who = who;
    this.#end = end;
    const delay = () => network.delay();
    this.up = new Way(world, 2 * who, delay, (item) => this.#atServer(item));
    this.down = new Way(world, 2 * who + 1, delay, (item) => this.#atNode(item));
  }

  get live(): boolean {
    return this.#nodeOpen || (this.#serverOpen && this.host.alive);
  }

  /** The node's socket is open, as far as it knows. */
  get nodeOpen(): boolean {
    return this.#nodeOpen;
  }

  accept(): void {
    this.down.send({ kind: 'open' });
    const peer: Peer = {
      send: (frame) => {
        if (!this.#serverOpen || !this.host.departing(this, frame)) return;
        this.#world.mix(frame.length);
        this.down.send({ kind: 'frame', frame });
      },
      close: (_code, reason) => this.#serverCloses(reason),
    };
    this.#connection = this.host.accept(this.kind, this.node, peer);
    const ping = () => {
      if (!this.#serverOpen) return;
      this.down.send({ kind: 'ping' });
      this.host.alarm(PING_INTERVAL, ping);
    };
    this.host.alarm(PING_INTERVAL, ping);
  }

  send(frame: Frame): void {
    if (this.#nodeOpen) this.up.send({ kind: 'frame', frame });
  }

  /** The node closes its socket; what it sent before still arrives. */
  close(reason: string): void {
    if (!this.#nodeOpen) return;
    this.#nodeOpen = false;
    this.up.send({ kind: 'close', reason });
    if (this.up.isCut) this.#serverHears(reason, 60_000);
  }

  /** The node's process is gone. */
  drop(reason: string): void {
    this.close(reason);
  }

  cut(loseUp: number, loseDown: number, nodeNotices: Millis | undefined, serverNotices: Millis | undefined): void {
    const upDone = this.up.cut(loseUp);
    const downDone = this.down.cut(loseDown);
    const { now } = this.#world;
    if (nodeNotices !== undefined) this.#nodeHears('the connection broke', Math.max(downDone - now, nodeNotices));
    if (serverNotices !== undefined) this.#serverHears('the connection broke', Math.max(upDone - now, serverNotices));
  }

  /** The server's process is gone: its machine says so, or says nothing if it went too. */
  hostDied(lost: number, nodeNotices: Millis | undefined): void {
    this.#serverOpen = false;
    this.cut(1, lost, nodeNotices, undefined);
  }

  #nodeHears(reason: string, delay: Millis): void {
    this.#world.after(delay, 2 * this.#who + 1, () => {
      if (!this.#nodeOpen) return;
      this.#nodeOpen = false;
      this.#end.closed(reason);
    });
  }

  #serverHears(reason: string, delay: Millis): void {
    this.#world.after(delay, 2 * this.#who, () => this.#closedAtServer(reason));
  }

  #closedAtServer(reason: string): void {
    if (!this.#serverOpen) return;
    this.#serverOpen = false;
    this.host.inside(() => this.#connection?.closed(reason));
  }

  #serverCloses(reason: string): void {
    if (!this.#serverOpen || !this.host.alive) return;
    this.down.send({ kind: 'close', reason });
    // A peer that does not answer the close is given up by the socket library.
    this.#serverHears(reason, this.down.isCut ? 30_000 : 1_000);
  }

  #atServer(item: Item): void {
    if (!this.#serverOpen) return;
    if (item.kind === 'frame') this.host.inside(() => this.#connection?.receive(item.frame));
    else if (item.kind === 'pong') this.host.inside(() => this.#connection?.heard());
    else if (item.kind === 'close') this.#closedAtServer(item.reason);
  }

  #atNode(item: Item): void {
    if (!this.#nodeOpen) return;
    if (item.kind === 'frame') this.#end.frame(item.frame);
    else if (item.kind === 'open') this.#end.opened();
    else if (item.kind === 'ping') {
      this.up.send({ kind: 'pong' });
      this.#end.pinged();
    } else if (item.kind === 'close') {
      this.#nodeOpen = false;
      this.#end.closed(item.reason);
    }
  }
}

export class Network {
  readonly links = new Set<Link>();
  closedLinks = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #latency: readonly [Millis, Millis];
  #slowFrames: number;
  /** Nodes that nothing gets through to. */
  readonly #apart = new Set<string>();
  readonly #slowUntil = new Map<string, { way: 'up' | 'down' | 'both'; until: Millis }>();
  host: Host | undefined;

  constructor(world: World, plan: Plan) {
    this.#world = world;
    this.#random = new Random(plan.seed, 'network');
    this.#latency = plan.network.latency;
    this.#slowFrames = plan.network.slowFrames;
  }

  delay(): Millis {
    const [low, high] = this.#latency;
    const usual = this.#random.between(low, high);
    return this.#slowFrames > 0 && this.#random.chance(this.#slowFrames)
      ? usual + this.#random.exponential(2_000)
      : usual;
  }

  /** A node asks for a connection. `made` is called with it at once: it may be given up before it opens. */
  connect(kind: SocketKind, node: string, who: number, end: NodeEnd, made: (link: Link) => void): void {
    this.#world.after(this.delay(), 2 * who, () => {
      const { host } = this;
      if (this.#apart.has(node)) return;
      if (host === undefined || !host.listens) return end.closed('connection refused');
      const link = new Link(this, this.#world, kind, node, who, host, end);
      this.#tidy();
      this.links.add(link);
      const slow = this.#slowUntil.get(node);
      if (slow !== undefined && slow.until > this.#world.now) this.#hold(link, slow.way, slow.until);
      made(link);
      host.inside(() => link.accept());
    });
  }

  linksOf(node: string): Link[] {
    return [...this.links].filter((link) => link.node === node && link.live);
  }

  partition(node: string): void {
    this.#apart.add(node);
    for (const link of this.linksOf(node)) link.cut(1, 1, undefined, undefined);
  }

  reunite(node: string): void {
    this.#apart.delete(node);
  }

  slow(node: string, way: 'up' | 'down' | 'both', until: Millis): void {
    this.#slowUntil.set(node, { way, until });
    for (const link of this.linksOf(node)) this.#hold(link, way, until);
  }

  /** Everything works from now on; what was cut silently is noticed as soon as somebody looks. */
  heal(): void {
    this.#apart.clear();
    this.#slowUntil.clear();
    this.#slowFrames = 0;
  }

  #hold(link: Link, way: 'up' | 'down' | 'both', until: Millis): void {
    if (way !== 'down') link.up.hold(until);
    if (way !== 'up') link.down.hold(until);
  }

  #tidy(): void {
    for (const link of this.links) {
      if (link.live) continue;
      this.links.delete(link);
      this.closedLinks++;
    }
  }
}
