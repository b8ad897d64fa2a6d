import type { WebSocket } from 'ws';
import type { Millis, WorkerId } from '../../model/ids.ts';
import type { Decoded, Frame } from '../../protocol/frames.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { Change as FeedChange } from '../../scheduler/commands.ts';
import { ClientGateway } from '../../server/client-gateway.ts';
import type { Clock } from '../../server/clock.ts';
import { Core } from '../../server/core.ts';
import { collectBlobs } from '../../server/garbage.ts';
import { CloseCode, type Identity } from '../../server/peer.ts';
import { attachSocket } from '../../server/sockets.ts';
import { StoreError } from '../../store/store.ts';
import type { Data } from './data.ts';
import type { Host, Link } from './link.ts';
import type { ServerSocket } from './server-socket.ts';
import { type Change, WatchedStore } from './watched-store.ts';
import { callOff, type World } from './world.ts';

/** Milliseconds that a blob without a job is kept: longer than all steps of the wall clock together. */
const BLOB_PATIENCE = 7_200_000;

/** What a server process needs of its surroundings. */
export interface Surroundings {
  readonly world: World;
  readonly data: Data;
  readonly name: string;
  /** Of its clock. */
  readonly rate: number;
  /** Milliseconds between two collections of garbage. */
  readonly collectEvery: Millis;
  /** The time of day, which people may change. */
  wall(): number;
  /** The disk: calls `apply` when the change is durable. */
  write(process: ServerProcess, change: Change, apply: () => void): Promise<void>;
  departing(
    process: ServerProcess,
    link: Link,
    frame: Frame,
  ): { readonly decoded?: Decoded<ServerToWorker> } | undefined;
  arriving(process: ServerProcess, link: Link, frame: Frame | undefined): void;
  changed(change: FeedChange): void;
  /** It ends by itself, because its data cannot be trusted. */
  ended(process: ServerProcess, reason: string): void;
}

/** One life of the server: real core, loop, scheduler and gateways over a modelled clock, disk and network. */
export class ServerProcess implements Host, Clock {
  readonly core: Core;
  readonly clients: ClientGateway;
  readonly store: WatchedStore;
  readonly life: number;
  /** When each worker was last heard on its present connection. */
  readonly heard = new Map<WorkerId, { readonly link: Link; at: Millis }>();
  alive = true;
  listens = false;
  /** Of the store, as its brain knows it. */
  timeline = 0;
  /** When it last woke from a pause: what was silent before proves nothing. */
  resumedAt: Millis;
  readonly #surroundings: Surroundings;
  readonly #world: World;
  readonly #bootedAt: Millis;
  /** While it is paused: what would have happened in it. */
  #held: (() => void)[] | undefined;

  constructor(surroundings: Surroundings, life: number) {
    const { world, data } = surroundings;
    const { disk, blobs } = data;
    this.life = life;
    this.#world = world;
    this.#surroundings = surroundings;
    this.resumedAt = world.now;
    // Each process counts time from another point, as monotonic clocks do.
    this.#bootedAt = world.now - 1_000 * life;
    const gate = (change: Change, apply: () => void) => surroundings.write(this, change, apply);
    this.store = new WatchedStore(disk, gate, () => surroundings.data.left());
    this.core = new Core({ store: this.store, blobs, clock: this });
    this.core.onBroken = (error) => surroundings.ended(this, `${error.code}: ${error.message}`);
    this.core.onFault = (error) => {
      // It ends, and everybody will ask again.
      if (error instanceof StoreError && (error.code === 'broken' || error.code === 'fenced')) return;
      world.fail('F-36', `a request met a fault of ours: ${String(error)}`, error);
    };
    this.core.onChange = (change) => surroundings.changed(change);
    this.clients = new ClientGateway(this.core, this);
  }

  start(): void {
    this.#world.stir();
    this.core.start().then(
      () => {
        this.listens = this.alive;
        this.#collectLater();
      },
      (error: unknown) => this.#surroundings.ended(this, String(error)),
    );
  }

  /** Housekeeping, more often than in life. */
  #collectLater(): void {
    this.alarm(this.#surroundings.collectEvery, () => {
      this.collect(this.wall() - BLOB_PATIENCE).catch((error: unknown) => {
        const expected = error instanceof StoreError;
        if (!expected) this.#world.fail('F-36', `garbage could not be collected: ${String(error)}`, error);
      });
      this.#collectLater();
    });
  }

  async collect(olderThan: number): Promise<void> {
    await collectBlobs(this.core, olderThan, () => !this.listens);
    this.#surroundings.data.collected();
  }

  /** As `serve` does when it is told to stop. */
  async stop(): Promise<void> {
    this.listens = false;
    this.core.workerGateway.close(CloseCode.restart, 'the server stops');
    this.clients.close(CloseCode.restart, 'the server stops');
    this.core.stop();
    await this.core.loop.stop();
    await this.store.close();
  }

  get name(): string {
    return this.#surroundings.name;
  }

  /** kill -9, or the power. */
  die(): void {
    this.alive = false;
    this.listens = false;
    this.store.crash();
  }

  pause(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.resumedAt = this.#world.now;
    for (const run of held) this.inside(run);
  }

  get paused(): boolean {
    return this.#held !== undefined;
  }

  accept({ asking }: Link, socket: ServerSocket): void {
    const { kind, node: token } = asking;
    const json = asking.json ? { json: true } : {};
    const identity: Identity = { token, role: kind === 'worker' ? 'work' : 'submit', ...json };
    const gateway = kind === 'worker' ? this.core.workerGateway : this.clients;
    // As much of the library's socket as is used of it.
    attachSocket(socket as unknown as WebSocket, gateway, identity, { loop: this.core.loop, clock: this });
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

  departing(link: Link, frame: Frame): { readonly decoded?: Decoded<ServerToWorker> } | undefined {
    return this.alive ? this.#surroundings.departing(this, link, frame) : undefined;
  }

  arriving(link: Link, frame: Frame | undefined): void {
    this.#surroundings.arriving(this, link, frame);
  }

  now(): Millis {
    return (this.#world.now - this.#bootedAt) * this.#surroundings.rate;
  }

  wall(): number {
    return this.#surroundings.wall();
  }

  defer(run: () => void): void {
    this.#world.after(0, 1, () => this.inside(run));
  }

  alarm(delay: Millis, run: () => void): () => void {
    const happening = this.#world.after(Math.ceil(delay / this.#surroundings.rate), 1, () => this.inside(run));
    return () => callOff(happening);
  }
}
