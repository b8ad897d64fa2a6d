import { createHash } from 'node:crypto';
import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, WorkerId } from '../model/ids.ts';
import type { Runner } from '../model/job.ts';
import { BROWSER_LEASE_TIME, HELLO_TIME, LEASE_TIME, PING_INTERVAL } from '../model/limits.ts';
import type { Write } from '../model/records.ts';
import { countRuns, type Run } from '../model/runs.ts';
import type { HeldLease, WorkerKind } from '../model/worker.ts';
import { readColumn } from '../protocol/column.ts';
import { decodeWorkerMessage, encodeFrame, type Frame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { fromWireRuns, toWireRuns, type WireRuns } from '../protocol/shapes.ts';
import { PROTOCOL } from '../protocol/version.ts';
import type { Hello, Outcomes, ServerToWorker, WorkerMessage } from '../protocol/worker-messages.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Clock } from './clock.ts';
import type { JobNotices } from './job-notices.ts';
import type { Effect, Loop } from './loop.ts';
import { blobsIn, failuresIn } from './outcome-column.ts';
import { CloseCode, type Connection, type Gateway, type Identity, type Peer } from './peer.ts';
import type { TaskLogs } from './task-logs.ts';
import { WorkerOutbox } from './worker-outbox.ts';

/** Between worker sockets and the loop: decodes, validates, names the worker; sends what the loop decides. */
export class WorkerGateway implements Gateway {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #blobs: BlobStore;
  readonly #farm: string;
  readonly #notices: JobNotices;
  readonly #logs: TaskLogs;
  readonly #connections = new Map<WorkerId, WorkerConnection>();
  onProgress: (job: JobId, index: number, fraction: number, text: string | undefined) => void = () => {};

  constructor(options: {
    loop: Loop;
    clock: Clock;
    blobs: BlobStore;
    farm: string;
    notices: JobNotices;
    logs: TaskLogs;
  }) {
    this.#loop = options.loop;
    this.#clock = options.clock;
    this.#blobs = options.blobs;
    this.#farm = options.farm;
    this.#notices = options.notices;
    this.#logs = options.logs;
  }

  get connected(): number {
    return this.#connections.size;
  }

  accept(peer: Peer, identity: Identity): Connection {
    return new WorkerConnection(this, peer, identity);
  }

  /** Effects of the loop that concern a worker; those of workers that are gone are settled by their return (P11). */
  perform(effect: Extract<Effect, { worker: WorkerId }>): void {
    const connection = this.#connections.get(effect.worker);
    if (connection === undefined) return;
    const { outbox } = connection;
    switch (effect.kind) {
      case 'grant':
        outbox.grant(effect);
        return;
      case 'ack':
        outbox.send({ kind: 'ack', lease: effect.lease, verdict: effect.verdict, runs: toWireRuns(effect.runs) });
        return;
      case 'recall':
      case 'revoke':
        outbox.send({ kind: effect.kind, lease: effect.lease, runs: toWireRuns(effect.runs) });
        return;
      case 'dismiss':
        outbox.send({ kind: 'dismiss', how: effect.how });
        if (effect.how === 'stop') this.#drop(connection, CloseCode.going, 'stopped by its operator');
    }
  }

  jobOver(job: JobId): void {
    for (const connection of this.#connections.values()) connection.outbox.jobOver(job);
  }

  /** The brain was rebuilt: every worker must say again what it holds. */
  restart(): void {
    for (const connection of [...this.#connections.values()])
      connection.peer.close(CloseCode.restart, 'the server starts again');
    this.#connections.clear();
  }

  close(code: number, reason: string): void {
    for (const connection of this.#connections.values()) connection.peer.close(code, reason);
  }

  /** Cut what a revoked token opened. */
  cut(token: string): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.identity.token !== token) continue;
      connection.outbox.send({ kind: 'refused', code: 'revoked', detail: 'this token was revoked' });
      this.#drop(connection, CloseCode.unauthorised, 'token revoked');
    }
  }

  /** @internal */
  helloDeadline(connection: WorkerConnection): () => void {
    return this.#clock.alarm(HELLO_TIME, () => connection.refuse('invalid', 'no hello came', CloseCode.invalid));
  }

  /** @internal */
  join(connection: WorkerConnection, hello: Hello): void {
    if (hello.protocol !== PROTOCOL) {
      connection.refuse(
        'upgrade',
        `this server speaks protocol ${PROTOCOL}, the worker ${hello.protocol}: install the same version of manyhands on both`,
        CloseCode.upgrade,
      );
      return;
    }
    const id = workerIdOf(hello.key);
    const held = hello.held.map((lease): HeldLease => ({ lease: lease.lease, runs: wellFormed(lease.runs) }));
    this.#connections.get(id)?.replacedBy();
    connection.id = id;
    this.#connections.set(id, connection);
    connection.outbox.send({
      kind: 'welcome',
      protocol: PROTOCOL,
      worker: id,
      farm: this.#farm,
      pingEvery: PING_INTERVAL,
      silence: hello.device === 'browser' ? BROWSER_LEASE_TIME : LEASE_TIME,
    });
    const taken = this.#loop.post({
      kind: 'workerJoined',
      worker: {
        id,
        name: hello.name,
        kind: hello.device as WorkerKind,
        slots: hello.slots,
        runners: hello.runners as Runner[],
        labels: hello.labels,
        resources: hello.resources,
        ...(hello.memory === undefined ? {} : { memory: hello.memory }),
        ...(hello.platform === undefined ? {} : { platform: hello.platform }),
        token: connection.identity.token,
      },
      held,
    });
    if (!taken) connection.refuse('busy', 'the server cannot write to its store now', CloseCode.restart, 1_000);
  }

  /** @internal */
  take(connection: WorkerConnection, id: WorkerId, message: WorkerMessage, column: PackedColumn | undefined): void {
    switch (message.kind) {
      case 'hello':
        throw new ProtocolError('invalid', 'a second hello');
      case 'outcomes':
        this.#outcomes(id, message, column);
        return;
      case 'released':
        this.#loop.post({ kind: 'tasksReleased', worker: id, lease: message.lease, runs: wellFormed(message.runs) });
        return;
      case 'log':
        this.#logs.add({
          job: message.job,
          index: message.index,
          lease: message.lease,
          stream: message.stream,
          text: message.text,
        });
        return;
      case 'progress':
        this.onProgress(message.job, message.index, message.fraction, message.text);
        return;
      case 'beat':
        this.heard(id);
        return;
      case 'leaving':
        this.#loop.post({ kind: 'workerDrained', request: 0, worker: id, drain: true });
        return;
      case 'bye':
        this.#connections.delete(id);
        connection.id = undefined;
        this.#loop.post({ kind: 'workerLeft', worker: id, final: true, reason: message.reason ?? 'said goodbye' });
        connection.peer.close(CloseCode.going, 'goodbye');
    }
  }

  /** @internal */
  heard(id: WorkerId): void {
    this.#loop.post({ kind: 'workerHeard', worker: id });
  }

  /** @internal */
  left(connection: WorkerConnection, reason: string): void {
    const id = connection.id;
    if (id === undefined || this.#connections.get(id) !== connection) return;
    this.#connections.delete(id);
    this.#loop.post({ kind: 'workerLeft', worker: id, final: false, reason });
  }

  /** @internal */
  newOutbox(peer: Peer, json: boolean): WorkerOutbox {
    return new WorkerOutbox(peer, this.#notices, json);
  }

  #outcomes(id: WorkerId, message: Outcomes, packed: PackedColumn | undefined): void {
    if (packed === undefined) throw new ProtocolError('invalid', 'outcomes without a column');
    const runs = wellFormed(message.runs);
    const column = readColumn(packed);
    if (column.count !== countRuns(runs))
      throw new ProtocolError('invalid', 'outcomes with more or fewer values than tasks');
    const event = {
      kind: 'outcomes',
      worker: id,
      lease: message.lease,
      job: message.job,
      runs,
      failures: failuresIn(column, runs),
      elapsedMicros: message.micros,
    } as const;
    const blobs = blobsIn(column);
    if (blobs.length === 0) {
      this.#loop.post(event, packed);
      return;
    }
    // A result that names a blob counts only once the blob is here (S5): the worker uploads before it tells.
    void Promise.all(blobs.map((sha256) => this.#blobs.size(sha256))).then((sizes) => {
      if (sizes.includes(undefined)) {
        this.#connections
          .get(id)
          ?.refuse('invalid', 'an outcome names a blob that was not uploaded', CloseCode.invalid);
        return;
      }
      const refs = blobs.map((sha256): Write => ({ kind: 'blobRef', job: message.job, sha256 }));
      this.#loop.post(event, packed, refs);
    });
  }

  #drop(connection: WorkerConnection, code: number, reason: string): void {
    if (connection.id !== undefined) this.#connections.delete(connection.id);
    const id = connection.id;
    connection.id = undefined;
    if (id !== undefined) this.#loop.post({ kind: 'workerLeft', worker: id, final: true, reason });
    connection.peer.close(code, reason);
  }
}

class WorkerConnection implements Connection {
  readonly peer: Peer;
  readonly identity: Identity;
  readonly outbox: WorkerOutbox;
  id: WorkerId | undefined;
  readonly #gateway: WorkerGateway;
  readonly #cancelDeadline: () => void;
  #over = false;

  constructor(gateway: WorkerGateway, peer: Peer, identity: Identity) {
    this.#gateway = gateway;
    this.peer = peer;
    this.identity = identity;
    this.outbox = gateway.newOutbox(peer, identity.json === true);
    this.#cancelDeadline = gateway.helloDeadline(this);
  }

  receive(frame: Frame): void {
    if (this.#over) return;
    try {
      const { message, column } = decodeWorkerMessage(frame, this.identity.json === true);
      if (this.id !== undefined) return this.#gateway.take(this, this.id, message, column);
      if (message.kind !== 'hello') throw new ProtocolError('invalid', 'the first message is not a hello');
      this.#cancelDeadline();
      this.#gateway.join(this, message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.refuse('invalid', error.message, error.code === 'tooLarge' ? CloseCode.tooBig : CloseCode.invalid);
    }
  }

  heard(): void {
    if (this.id !== undefined) this.#gateway.heard(this.id);
  }

  closed(reason: string): void {
    this.#over = true;
    this.#cancelDeadline();
    this.#gateway.left(this, reason);
  }

  refuse(
    code: Extract<ServerToWorker, { kind: 'refused' }>['code'],
    detail: string,
    closeCode: number,
    retryAfter?: number,
  ): void {
    if (this.#over) return;
    this.peer.send(
      encodeFrame({
        kind: 'refused',
        code,
        detail,
        ...(retryAfter === undefined ? {} : { retryAfter }),
      } satisfies ServerToWorker),
    );
    this.peer.close(closeCode, detail.slice(0, 100));
    this.closed(detail);
  }

  /** The same worker came back on a new socket before the old one was known to be dead. */
  replacedBy(): void {
    this.#over = true;
    this.#cancelDeadline();
    this.peer.close(CloseCode.replaced, 'replaced by a newer connection');
  }
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** P3: 50 bits of the hash of the worker's secret. */
export function workerIdOf(key: string): WorkerId {
  const hash = createHash('sha256').update(key).digest();
  let id = '';
  for (let i = 0; i < 10; i++) id += BASE32[(hash[i] as number) & 31];
  return id;
}

function wellFormed(runs: WireRuns): Run[] {
  const known = fromWireRuns(runs);
  if (known === undefined) throw new ProtocolError('invalid', 'runs that are not sorted or overlap');
  return known;
}
