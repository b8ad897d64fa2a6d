import type { Millis } from '../../model/ids.ts';
import type { Decoded, Frame } from '../../protocol/frames.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { Network } from './network.ts';
import { callOff, type Happening, type World } from './world.ts';

/** What travels on a connection. */
export type Item =
  | {
      readonly kind: 'frame';
      readonly frame: Frame;
      /** A message to a worker, which has been read on its way already. */
      readonly decoded?: Decoded<ServerToWorker>;
      /** Tells the sender that the network has taken it. */
      readonly gone?: () => void;
    }
  | { readonly kind: 'open' | 'ping' | 'pong' }
  | { readonly kind: 'close'; readonly reason: string };

interface Packet {
  readonly item: Item;
  readonly size: number;
  happening: Happening | undefined;
}

/** One direction of a connection: in order and without loss, until it is cut. */
export class Way {
  readonly #network: Network;
  readonly #world: World;
  readonly #who: number;
  readonly #deliver: (item: Item) => void;
  readonly #lossy: boolean;
  /** In the order in which they were sent. */
  readonly #flying = new Set<Packet>();
  #last: Millis = 0;
  /** Bytes under way: what a server or a kernel holds for a slow reader. */
  bytes = 0;
  isCut = false;

  constructor(network: Network, world: World, who: number, lossy: boolean, deliver: (item: Item) => void) {
    this.#network = network;
    this.#world = world;
    this.#who = who;
    this.#lossy = lossy;
    this.#deliver = deliver;
  }

  send(item: Item): void {
    if (this.isCut) return;
    const { datagrams } = this.#network;
    if (this.#lossy && datagrams !== undefined && item.kind === 'frame') {
      if (this.#network.chance(datagrams.drop)) return this.#world.sometimes('a datagram was lost');
      if (this.#network.chance(datagrams.repeat)) this.#launch(item, true);
      if (this.#network.chance(datagrams.reorder)) return this.#launch(item, true);
    }
    this.#launch(item, false);
  }

  #launch(item: Item, outOfOrder: boolean): void {
    const { now } = this.#world;
    let at = now + this.#network.delay() * (outOfOrder ? 5 : 1);
    if (!outOfOrder) at = this.#last = Math.max(this.#last, at);
    const size = item.kind === 'frame' ? item.frame.length : 2;
    const packet: Packet = { item, size, happening: undefined };
    this.#flying.add(packet);
    this.bytes += size;
    packet.happening = this.#world.at(at, this.#who, () => {
      this.#land(packet);
      this.#deliver(item);
      if (item.kind === 'frame') item.gone?.();
    });
  }

  #land(packet: Packet): void {
    this.#flying.delete(packet);
    this.bytes -= packet.size;
  }

  /**
   * Cuts at a byte: of what is under way this share is lost, its end, and with it the message that was cut in two. Returns
   * when the rest will have arrived.
   */
  cut(lost: number): Millis {
    this.isCut = true;
    let left = this.bytes * lost;
    for (const packet of [...this.#flying].reverse()) {
      if (left <= 0) break;
      left -= packet.size;
      callOff(packet.happening);
      this.#land(packet);
    }
    return this.#flying.size > 0 ? this.#last : this.#world.now;
  }

  /** Nothing that is sent from now on arrives before. */
  hold(until: Millis): void {
    this.#last = Math.max(this.#last, until);
  }
}
