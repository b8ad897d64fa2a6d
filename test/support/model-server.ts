import type { PackedColumn } from '../../src/model/envelope.ts';
import { encodeFrame, type Frame, splitFrame } from '../../src/protocol/frames.ts';
import { ClientGateway } from '../../src/server/client-gateway.ts';
import { Core } from '../../src/server/core.ts';
import type { Connection, Identity, Peer } from '../../src/server/peer.ts';
import { MemoryBlobs } from '../../src/store/blobs/memory-blobs.ts';
import { MemoryDisk } from '../../src/store/memory/memory-disk.ts';
import { MemoryStore } from '../../src/store/memory/memory-store.ts';
import { Gate } from './gate.ts';
import { ModelClock } from './model-clock.ts';
import type { Heard } from './raw-socket.ts';
import { helloOf } from './raw-worker.ts';

/** The inside of a server, with its clock and its disk in the test's hand, for what takes time or a broken disk. */
export class ModelServer {
  readonly clock: ModelClock;
  readonly gate = new Gate();
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly blobs: MemoryBlobs;
  readonly core: Core;
  readonly clients: ClientGateway;

  private constructor(disk: MemoryDisk, blobs?: MemoryBlobs, clock = new ModelClock()) {
    this.clock = clock;
    this.disk = disk;
    this.store = new MemoryStore(disk, { commitGate: this.gate.pass });
    this.blobs = blobs ?? new MemoryBlobs(() => this.clock.wall());
    this.core = new Core({ store: this.store, blobs: this.blobs, clock: this.clock });
    this.clients = new ClientGateway(this.core, this.clock);
  }

  static async start(): Promise<ModelServer> {
    const server = new ModelServer(new MemoryDisk('model'));
    await server.core.start();
    return server;
  }

  /** Several that share a store and, since they are in one test, a clock. */
  static async farm(count: number): Promise<ModelServer[]> {
    const clock = new ModelClock();
    const disk = new MemoryDisk('model', () => clock.now());
    const blobs = new MemoryBlobs(() => clock.wall());
    const servers = Array.from({ length: count }, () => new ModelServer(disk, blobs, clock));
    for (const server of servers) await clock.outcome(server.core.start());
    return servers;
  }

  /** It does nothing any more, and nobody is told. */
  kill(): void {
    this.store.crash();
    this.core.stop();
  }

  /** This one dies, and another one starts with what is on its disk. */
  async killed(): Promise<ModelServer> {
    this.store.crash();
    const next = new ModelServer(this.disk, this.blobs);
    await next.core.start();
    return next;
  }

  client(identity: Partial<Identity> = {}): ModelPeer {
    return new ModelPeer((peer) => this.clients.accept(peer, { token: 'client', role: 'submit', ...identity }));
  }

  worker(identity: Partial<Identity> = {}): ModelPeer {
    return new ModelPeer((peer) =>
      this.core.workerGateway.accept(peer, { token: 'worker', role: 'work', ...identity }),
    );
  }

  async joined(more: Record<string, unknown> = {}): Promise<ModelPeer> {
    const worker = this.worker();
    worker.say(helloOf(more));
    await this.clock.settle();
    return worker;
  }
}

/** The other end of a connection that is only modelled. */
export class ModelPeer implements Peer {
  readonly heard: Heard[] = [];
  readonly columns = new Map<Heard, PackedColumn>();
  #closing: { code: number; reason: string } | undefined;
  full = false;
  readonly connection: Connection;

  constructor(accept: (peer: Peer) => Connection) {
    this.connection = accept(this);
  }

  /** The code it was closed with. */
  closed(): number | undefined {
    return this.#closing?.code;
  }

  closedBecause(): string | undefined {
    return this.#closing?.reason;
  }

  send(frame: Frame): void {
    if (this.#closing !== undefined) return;
    const { json, column } = splitFrame(frame);
    this.heard.push(json as Heard);
    if (column !== undefined) this.columns.set(json as Heard, column);
  }

  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
  }

  say(message: { readonly kind: string; readonly [field: string]: unknown }, column?: PackedColumn): void {
    void this.connection.receive(encodeFrame(message, column));
  }

  of(kind: string): Heard[] {
    return this.heard.filter((message) => message.kind === kind);
  }

  last(kind: string): Heard | undefined {
    return this.of(kind).at(-1);
  }
}
