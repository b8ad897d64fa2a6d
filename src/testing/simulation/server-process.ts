import type { Millis } from '../../model/ids.ts';
import type { Frame } from '../../protocol/frames.ts';
import { ClientGateway } from '../../server/client-gateway.ts';
import type { Clock } from '../../server/clock.ts';
import { Core } from '../../server/core.ts';
import type { Connection, Identity, Peer } from '../../server/peer.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import type { MemoryBlobs } from './memory-blobs.ts';
import { type Change, WatchedStore } from './model-disk.ts';
import type { Host, Link, SocketKind } from './network.ts';
import type { World } from './world.ts';

/** 2023-11-14, so that wall clock times look like some. */
const WALL = 1_700_000_000_000;

/** What a server process needs of its surroundings. */
export interface Surroundings {
  readonly world: World;
  readonly disk: MemoryDisk;
  readonly blobs: MemoryBlobs;
  /** The disk: calls `apply` when the change is durable. */
  write(process: ServerProcess, change: Change, apply: () => void): Promise<void>;
  departing(process: ServerProcess, link: Link, frame: Frame): boolean;
  /** It ends by itself, because its data cannot be trusted. */
  ended(process: ServerProcess, reason: string): void;
}

/** One life of the server: real core, loop, scheduler and gateways over a modelled clock, disk and network. */
export class ServerProcess implements Host, Clock {
  readonly core: Core;
  readonly clients: ClientGateway;
  readonly store: WatchedStore;
  readonly life: number;
  alive = true;
  listens = false;
  readonly #world: World;
  readonly #bootedAt: Millis;
  /** While it is paused: what would have happened in it. */
  #held: (() => void)[] | undefined;

  constructor(surroundings: Surroundings, life: number) {
    const { world, disk, blobs } = surroundings;
    this.life = life;
    this.#world = world;
    // Each process counts time from another point, as monotonic clocks do.
    this.#bootedAt = world.now - 1_000 * life;
    this.#surroundings = surroundings;
    this.store = new WatchedStore(disk, (change, apply) => surroundings.write(this, change, apply));
    this.core = new Core({ store: this.store, blobs, clock: this });
    this.core.onBroken = (error) => surroundings.ended(this, `${error.code}: ${error.message}`);
    this.clients = new ClientGateway(this.core, this);
  }

  readonly #surroundings: Surroundings;

  start(): void {
    this.#world.stir();
    this.core.start().then(
      () => {
        this.listens = this.alive;
      },
      (error: unknown) => this.#surroundings.ended(this, String(error)),
    );
  }

  /** kill -9, or the power. */
  die(): void {
    this.alive = false;
    this.listens = false;
    this.store.crash();
  }

  pause(): void {
    this.#held = [];
    this.listens = false;
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const run of held) this.inside(run);
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  accept(kind: SocketKind, node: string, peer: Peer): Connection {
    const identity: Identity = { token: node, role: kind === 'worker' ? 'work' : 'submit' };
    return kind === 'worker' ? this.core.workerGateway.accept(peer, identity) : this.clients.accept(peer, identity);
  }

  inside(run: () => void): void {
    if (!this.alive) return;
    if (this.#held !== undefined) {
      this.#held.push(run);
      return;
    }
    this.#world.stir();
    run();
  }

  departing(link: Link, frame: Frame): boolean {
    return this.alive && this.#surroundings.departing(this, link, frame);
  }

  now(): Millis {
    return this.#world.now - this.#bootedAt;
  }

  wall(): number {
    return WALL + this.#world.now;
  }

  defer(run: () => void): void {
    this.#world.after(0, 1, () => this.inside(run));
  }

  alarm(delay: Millis, run: () => void): () => void {
    return this.#world.after(Math.ceil(delay), 1, () => this.inside(run));
  }
}
