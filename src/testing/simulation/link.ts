import type { Millis } from '../../model/ids.ts';
import type { Decoded, Frame } from '../../protocol/frames.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { Network } from './network.ts';
import { ServerSocket } from './server-socket.ts';
import { type Item, Way } from './way.ts';
import type { World } from './world.ts';

/** Who asks for a connection, and of which kind. */
export interface Asking {
  readonly kind: 'worker' | 'client';
  /** The text subprotocol. */
  readonly json: boolean;
  readonly node: string;
  /** For the hash. */
  readonly who: number;
  /** The number of the server that it dials. */
  readonly server: number;
}

/** One end of a link, as the node sees it. */
export interface NodeEnd {
  /** Runs it inside the node's process: now, when it is awake again, or never. */
  inside(run: () => void): void;
  opened(): void;
  frame(frame: Frame, decoded: Decoded<ServerToWorker> | undefined): void;
  pinged(): void;
  closed(reason: string): void;
}

/** A server process as the network sees it. */
export interface Host {
  readonly listens: boolean;
  readonly alive: boolean;
  accept(link: Link, socket: ServerSocket): void;
  /** Runs it inside the process: now, when it is awake again, or never. */
  inside(run: () => void): void;
  /** A message is about to leave. Undefined: the process is dead, or dies here. */
  departing(link: Link, frame: Frame): { readonly decoded?: Decoded<ServerToWorker> } | undefined;
  /** Something has come from the node. */
  arriving(link: Link, frame: Frame | undefined): void;
}

/** Milliseconds after which a kernel gives up a peer that acknowledges nothing. */
const KERNEL_PATIENCE = 900_000;

/** One connection between a node and a server process. */
export class Link {
  readonly asking: Asking;
  readonly host: Host;
  readonly up: Way;
  readonly down: Way;
  readonly #socket: ServerSocket;
  #nodeOpen = true;
  #serverOpen = true;
  readonly #world: World;
  readonly #end: NodeEnd;

  constructor(network: Network, world: World, asking: Asking, host: Host, end: NodeEnd) {
    this.asking = asking;
    this.host = host;
    this.#world = world;
    this.#end = end;
    const { who } = asking;
    const lossy = asking.kind === 'worker';
    this.up = new Way(network, world, 2 * who, lossy, (item) => host.inside(() => this.#atServer(item)));
    this.down = new Way(network, world, 2 * who + 1, lossy, (item) => end.inside(() => this.#atNode(item)));
    const { down } = this;
    this.#socket = new ServerSocket({
      get waiting() {
        return down.bytes;
      },
      frame: (frame, gone) => this.#serverSends(frame, gone),
      ping: () => down.send({ kind: 'ping' }),
      close: (reason) => down.send({ kind: 'close', reason }),
      cut: () => {
        this.#serverOpen = false;
        down.send({ kind: 'close', reason: 'the connection was reset' });
      },
    });
  }

  /** Whether one of its ends still believes in it. */
  get live(): boolean {
    return this.#nodeOpen || (this.#serverOpen && this.host.alive);
  }

  /** Whether both ends are right to believe in it. */
  get whole(): boolean {
    return this.#nodeOpen && this.#serverOpen && this.host.alive && !this.up.isCut && !this.down.isCut;
  }

  accept(): void {
    this.down.send({ kind: 'open' });
    this.host.accept(this, this.#socket);
  }

  #serverSends(frame: Frame, gone: (() => void) | undefined): void {
    const departure = this.host.departing(this, frame);
    if (departure === undefined) return;
    this.#world.mix(frame.length);
    const told = gone === undefined ? {} : { gone: () => this.host.inside(gone) };
    this.down.send({ kind: 'frame', frame, ...departure, ...told });
  }

  send(frame: Frame): void {
    if (this.#nodeOpen) this.up.send({ kind: 'frame', frame });
  }

  /** The node asks for a sign of life. */
  ping(): void {
    if (this.#nodeOpen) this.up.send({ kind: 'ping' });
  }

  /** The node closes its socket, or its process is gone; what it sent before still arrives. */
  close(reason: string): void {
    if (!this.#nodeOpen) return;
    this.#nodeOpen = false;
    this.up.send({ kind: 'close', reason });
  }

  cut(loseUp: number, loseDown: number, nodeNotices: Millis | undefined, serverNotices: Millis | undefined): void {
    const upDone = this.up.cut(loseUp);
    const downDone = this.down.cut(loseDown);
    const { now } = this.#world;
    if (nodeNotices !== undefined) this.#nodeHears('the connection broke', Math.max(downDone - now, nodeNotices));
    this.#serverHears('the connection broke', Math.max(upDone - now, serverNotices ?? KERNEL_PATIENCE));
  }

  /** The server's process is gone: its machine says so, or says nothing if it went too. */
  hostDied(lost: number, nodeNotices: Millis | undefined): void {
    this.#serverOpen = false;
    this.cut(1, lost, nodeNotices, undefined);
  }

  #nodeHears(reason: string, delay: Millis): void {
    this.#world.after(delay, 2 * this.asking.who + 1, () => this.#end.inside(() => this.#closedAtNode(reason)));
  }

  #serverHears(reason: string, delay: Millis): void {
    this.#world.after(delay, 2 * this.asking.who, () =>
      this.host.inside(() => {
        this.#serverOpen = false;
        this.#socket.end(reason);
      }),
    );
  }

  #closedAtNode(reason: string): void {
    if (!this.#nodeOpen) return;
    this.#nodeOpen = false;
    this.up.send({ kind: 'close', reason });
    this.#end.closed(reason);
  }

  #atServer(item: Item): void {
    if (!this.#serverOpen) return;
    // The library answers by itself.
    if (item.kind === 'ping') return this.down.send({ kind: 'pong' });
    if (item.kind === 'close') this.#serverOpen = false;
    else this.host.arriving(this, item.kind === 'frame' ? item.frame : undefined);
    this.#socket.take(item);
  }

  #atNode(item: Item): void {
    if (!this.#nodeOpen) return;
    if (item.kind === 'frame') this.#end.frame(item.frame, item.decoded);
    else if (item.kind === 'open') this.#end.opened();
    else if (item.kind === 'ping') {
      this.up.send({ kind: 'pong' });
      this.#end.pinged();
    } else if (item.kind === 'pong') this.#end.pinged();
    else if (item.kind === 'close') this.#closedAtNode(item.reason);
  }
}
