import type { Millis } from '../../model/ids.ts';
import { type Asking, type Host, Link, type NodeEnd } from './link.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

interface SlowSpell {
  readonly way: 'up' | 'down' | 'both';
  readonly until: Millis;
}

/** Milliseconds until who asked by HTTP gives up an answer that does not come. */
const REQUEST_PATIENCE = [2_000, 10_000] as const;

/** All connections there are, and what is wrong with them. */
export class Network {
  readonly links = new Set<Link>();
  /** Who accepts connections, at each address. */
  readonly hosts: (Host | undefined)[] = [];
  datagrams: Plan['network']['datagrams'];
  readonly #world: World;
  readonly #random: Random;
  readonly #latency: readonly [Millis, Millis];
  #slowFrames: number;
  #httpLoss: number;
  /** Nodes that nothing gets through to. */
  readonly #apart = new Set<string>();
  readonly #slow = new Map<string, SlowSpell>();
  /** Which server each node has dialled last. */
  readonly #dialled = new Map<string, number>();
  /** Connections asked for so far, by node. */
  readonly attempts = new Map<string, number>();

  constructor(world: World, plan: Plan) {
    this.#world = world;
    this.#random = new Random(plan.seed, 'network');
    this.#latency = plan.network.latency;
    this.#slowFrames = plan.network.slowFrames;
    this.#httpLoss = plan.network.httpLoss;
    this.datagrams = plan.network.datagrams;
  }

  delay(): Millis {
    const [low, high] = this.#latency;
    const usual = this.#random.between(low, high);
    return this.#slowFrames > 0 && this.chance(this.#slowFrames) ? usual + this.#random.exponential(2_000) : usual;
  }

  chance(probability: number): boolean {
    return this.#random.chance(probability);
  }

  /** A node asks for a connection. `made` is called with it at once: it may be given up before it opens. */
  connect(asking: Asking, end: NodeEnd, made: (link: Link) => void): void {
    const { node, who, server: at } = asking;
    this.attempts.set(node, (this.attempts.get(node) ?? 0) + 1);
    this.#noteDialled(node, at);
    this.#world.after(this.delay(), 2 * who, () => {
      const host = this.hosts[at];
      if (this.#isApart(node, at)) return;
      if (host === undefined || !host.listens) return end.inside(() => end.closed('connection refused'));
      const link = new Link(this, this.#world, asking, host, end);
      this.#tidy();
      this.links.add(link);
      const slow = this.#slow.get(node);
      if (slow !== undefined && slow.until > this.#world.now) hold(link, slow);
      made(link);
      host.inside(() => link.accept());
    });
  }

  /** An HTTP request and its answer, either of which may get lost. `answered` is called once, inside the node. */
  request<Answer>(
    who: number,
    end: Pick<NodeEnd, 'inside'>,
    node: string,
    serve: (host: Host) => Promise<Answer>,
    answered: (answer: Answer | undefined) => void,
  ): void {
    let over = false;
    const give = (delay: Millis, answer: Answer | undefined): void => {
      this.#world.after(delay, 2 * who, () => {
        if (over) return;
        over = true;
        end.inside(() => answered(answer));
      });
    };
    // A server may die, or sleep for long, with the request in its hands.
    give(this.#random.between(...REQUEST_PATIENCE), undefined);
    const at = this.hosts.length > 1 ? this.#random.whole(0, this.hosts.length - 1) : 0;
    this.#world.after(this.delay(), 2 * who, () => {
      const host = this.hosts[at];
      if (this.#isApart(node, at) || host === undefined || !host.listens || this.chance(this.#httpLoss)) return;
      host.inside(() => {
        serve(host).then(
          (answer) => {
            if (!this.#isApart(node, at) && host.alive && !this.chance(this.#httpLoss)) give(this.delay(), answer);
          },
          () => {},
        );
      });
    });
  }

  linksOf(node: string): Link[] {
    return [...this.links].filter((link) => link.asking.node === node && link.live);
  }

  /** `server`: from this one alone. */
  partition(node: string, server?: number): void {
    this.#apart.add(server === undefined ? node : `${node}/${server}`);
    for (const link of this.linksOf(node))
      if (server === undefined || link.host === this.hosts[server]) link.cut(1, 1, undefined, undefined);
  }

  reunite(node: string, server?: number): void {
    this.#apart.delete(server === undefined ? node : `${node}/${server}`);
  }

  #isApart(node: string, server: number): boolean {
    return this.#apart.has(node) || this.#apart.has(`${node}/${server}`);
  }

  #noteDialled(node: string, at: number): void {
    const before = this.#dialled.get(node);
    if (before !== undefined && before !== at) this.#world.sometimes('a node went to another server');
    this.#dialled.set(node, at);
  }

  slow(node: string, way: SlowSpell['way'], until: Millis): void {
    this.#slow.set(node, { way, until });
    for (const link of this.linksOf(node)) hold(link, { way, until });
  }

  /** Everything works from now on, and whoever holds a dead connection hears of it. */
  heal(): void {
    this.#apart.clear();
    this.#slow.clear();
    this.#slowFrames = 0;
    this.#httpLoss = 0;
    const lossy = this.datagrams !== undefined;
    this.datagrams = undefined;
    for (const link of this.links) {
      if (!link.live || (link.whole && !(lossy && link.asking.kind === 'worker'))) continue;
      link.cut(1, 1, this.#random.between(0, 1_000), this.#random.between(0, 1_000));
    }
  }

  #tidy(): void {
    for (const link of this.links) if (!link.live) this.links.delete(link);
  }
}

function hold(link: Link, { way, until }: SlowSpell): void {
  if (way !== 'down') link.up.hold(until);
  if (way !== 'up') link.down.hold(until);
}
