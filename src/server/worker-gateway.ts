import { createHash } from 'node:crypto';
import { type PackedColumn, ValueStatus } from '../model/envelope.ts';
import type { JobId, WorkerId } from '../model/ids.ts';
import type { Runner } from '../model/job.ts';
import { BROWSER_LEASE_TIME, HELLO_TIME, LEASE_TIME, REBUILD_INTERVAL } from '../model/limits.ts';
import { PYODIDE } from '../model/python.ts';
import type { Write } from '../model/records.ts';
import { countRuns, indexesOf, type Run } from '../model/runs.ts';
import { countSpawned } from '../model/spawned.ts';
import type { HeldLease, WorkerFacts } from '../model/worker.ts';
import { readColumn } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { fromWireRuns, toWireRuns, type WireRuns } from '../protocol/shapes.ts';
import { OLDEST_PROTOCOL, PROTOCOL } from '../protocol/version.ts';
import type { Hello, Outcomes, WorkerMessage } from '../protocol/worker-messages.ts';
import type { Verdict } from '../scheduler/commands.ts';
import type { OutcomesEvent, TaskFailed } from '../scheduler/events.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { TokenEnd } from './auth/tokens.ts';
import { type Mention, mentionedBlobs, namesIn } from './blob-mentions.ts';
import type { Clock } from './clock.ts';
import { blobsIn, failuresIn, refuseSpawned, refuseTooLarge, type ValueBlob } from './column-contents.ts';
import type { Effect } from './group.ts';
import type { JobNotices, Missing } from './job-notices.ts';
import type { Loop } from './loop.ts';
import { CloseCode, type Connection, type Gateway, type Identity, type Peer } from './peer.ts';
import { failureColumn } from './segment-column.ts';
import { type Elsewhere, noElsewhere, type Siblings } from './siblings.ts';
import type { TaskLogs } from './task-logs.ts';
import { WorkerConnection } from './worker-connection.ts';
import { type Grant, WorkerOutbox } from './worker-outbox.ts';

/** With a refusal: when it may be better. */
const LATER = { retryAfter: REBUILD_INTERVAL };

/** Between worker sockets and the loop: decodes, validates, names the worker; sends what the loop decides. */
export class WorkerGateway implements Gateway {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #blobs: BlobStore;
  readonly #farm: string;
  readonly #notices: JobNotices;
  readonly #logs: TaskLogs;
  readonly #connections = new Map<WorkerId, WorkerConnection>();
  /** Tasks by what their outcomes turned out to be. */
  readonly verdicts: Record<Verdict, number> = { recorded: 0, duplicate: 0, superseded: 0, unknown: 0 };
  /** This server has Pyodide for workers that can run Python by it. */
  givesPyodide = false;
  /** Where leases that nobody here knows may be those of another server; absent: there is none. */
  siblings: Pick<Siblings, 'takeOver' | 'unsettled'> | undefined;
  elsewhere: Pick<Elsewhere, 'addresses' | 'betterPlaces'> = noElsewhere();
  /** For the log: a worker broke a rule, or may not be here. */
  onRefused: (worker: WorkerConnection, code: string, detail: string) => void = () => {};

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
    if (effect.kind === 'ack') this.verdicts[effect.verdict] += countRuns(effect.runs);
    const connection = this.#connections.get(effect.worker);
    if (connection === undefined) return;
    // It was decided before this hello was heard, which did not speak of it: its tasks are others' by now (R5, P11).
    if (!connection.current && effect.kind !== 'dismiss') return;
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

  /** Another server has more room, and this worker has nothing to do. */
  sendElsewhere(id: WorkerId, servers: readonly string[]): void {
    this.#connections.get(id)?.refuse('elsewhere', 'other servers have more room', CloseCode.restart, { servers });
  }

  /** This connection is an older one than that at another server; if it is not, the worker comes back at once with what it holds. */
  wentElsewhere(id: WorkerId): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    connection.end(CloseCode.again, 'this worker is at another server');
    this.left(connection, 'it is at another server');
  }

  /** The brain was rebuilt: every worker must say again what it holds, and here, where it is known. */
  restart(): void {
    for (const connection of this.#connections.values()) connection.end(CloseCode.again, 'the server begins again');
    this.#connections.clear();
  }

  close(code: number, reason: string): void {
    for (const connection of this.#connections.values()) connection.peer.close(code, reason);
  }

  /** Cut what a token opened that was revoked or has expired. */
  cut(token: string, why: TokenEnd): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.identity.token !== token) continue;
      connection.outbox.send({ kind: 'refused', code: 'revoked', detail: `this token ${why}` });
      this.#drop(connection, CloseCode.unauthorised, `this token ${why}`);
    }
  }

  /** @internal */
  helloDeadline(connection: WorkerConnection): () => void {
    return this.#clock.alarm(HELLO_TIME, () => connection.refuse('invalid', 'no hello came', CloseCode.invalid));
  }

  /** @internal */
  join(connection: WorkerConnection, hello: Hello): void {
    if (hello.protocol > PROTOCOL || hello.protocol < OLDEST_PROTOCOL) {
      connection.refuse(
        'upgrade',
        `this server speaks protocol ${PROTOCOL}, the worker ${hello.protocol}: install the same version of manyhands on both`,
        CloseCode.upgrade,
      );
      return;
    }
    const id = workerIdOf(hello.key);
    const better = hello.held.length === 0 && !this.#connections.has(id) ? this.elsewhere.betterPlaces(id) : [];
    if (better.length > 0)
      return connection.refuse('elsewhere', 'other servers have more room', CloseCode.restart, { servers: better });
    const held = hello.held.map((lease): HeldLease => ({ lease: lease.lease, runs: wellFormed(lease.runs) }));
    const worker: WorkerFacts = {
      id,
      name: hello.name,
      kind: hello.device,
      slots: hello.slots,
      runners: this.#runnersOf(hello),
      labels: hello.labels,
      resources: hello.resources,
      ...(hello.memory === undefined ? {} : { memory: hello.memory }),
      ...(hello.platform === undefined ? {} : { platform: hello.platform }),
      token: connection.identity.token,
    };
    this.#loop.inTurn(() => {
      connection.current = true;
    });
    const strange = this.siblings === undefined ? [] : this.#strangeOf(id, held);
    const known = strange.length === 0 ? held : held.filter((lease) => !strange.includes(lease));
    if (!this.#loop.post({ kind: 'workerJoined', worker, held: known })) {
      connection.refuse('busy', 'the server cannot write to its store now', CloseCode.restart, LATER);
      return;
    }
    // What the loop decides leaves in a later turn, so the welcome is first all the same (P7).
    this.#connections.get(id)?.end(CloseCode.replaced, 'replaced by a newer connection');
    connection.id = id;
    connection.silence = hello.device === 'browser' ? BROWSER_LEASE_TIME : LEASE_TIME;
    this.#connections.set(id, connection);
    const servers = this.elsewhere.addresses();
    connection.outbox.send({
      kind: 'welcome',
      protocol: PROTOCOL,
      worker: id,
      farm: this.#farm,
      ...(servers.length > 0 && { servers: [...servers] }),
      pingEvery: this.#loop.pingEvery,
      silence: connection.silence,
    });
    if (strange.length > 0) this.siblings?.takeOver(id, strange);
    for (const { lease } of held) {
      const job = this.#loop.scheduler?.jobOfLease(lease, id);
      if (job !== undefined) connection.outbox.brings(job);
    }
  }

  /** Leases that this server never heard of, or has forgotten. */
  #strangeOf(id: WorkerId, held: readonly HeldLease[]): HeldLease[] {
    const { scheduler } = this.#loop;
    return held.filter(({ lease, runs }) => runs.length > 0 && scheduler?.jobOfLease(lease, id) === undefined);
  }

  #runnersOf({ runners }: Hello): Runner[] {
    const runsPython = this.givesPyodide && runners.includes(PYODIDE) && !runners.includes('python');
    return [...runners.filter((name) => name !== PYODIDE), ...(runsPython ? ['python'] : [])] as Runner[];
  }

  /** @internal */
  take(
    connection: WorkerConnection,
    id: WorkerId,
    message: WorkerMessage,
    column: PackedColumn | undefined,
  ): Promise<void> | undefined {
    if (message.kind === 'outcomes' || message.kind === 'released') {
      // Whose lease it is, is being found out; the worker keeps what it has until then (R37).
      const unsettled = this.siblings?.unsettled(message.lease);
      if (unsettled !== undefined)
        return unsettled.then(() => (connection.over ? undefined : this.take(connection, id, message, column)));
    }
    switch (message.kind) {
      case 'hello':
        throw new ProtocolError('invalid', 'a second hello');
      case 'outcomes':
        return this.#outcomes(connection, id, message, column);
      case 'released': {
        const { lease, reason } = message;
        const why = reason === undefined ? {} : { reason };
        this.#loop.post({ kind: 'tasksReleased', worker: id, lease, runs: wellFormed(message.runs), ...why });
        break;
      }
      case 'log': {
        const { job, index, lease, stream, text } = message;
        // What it was not told of, or was told to forget, it has nothing to say about.
        if (connection.outbox.knows(job)) this.#logs.add({ job, index, lease, stream, text });
        this.heard(id);
        break;
      }
      case 'beat':
        connection.outbox.send({ kind: 'beat' });
        this.heard(id);
        break;
      case 'progress':
        this.heard(id);
        break;
      case 'have':
        this.#loop.post({ kind: 'blobsHeld', worker: id, blobs: message.blobs });
        break;
      case 'leaving':
        this.#loop.post({ kind: 'workerDrained', request: 0, worker: id, drain: true });
        break;
      case 'bye':
        this.#connections.delete(id);
        connection.id = undefined;
        this.#loop.post({ kind: 'workerLeft', worker: id, final: true, reason: message.reason ?? 'said goodbye' });
        connection.peer.close(CloseCode.going, 'goodbye');
    }
    return undefined;
  }

  /** @internal */
  heard(id: WorkerId, roundTrip?: number): void {
    const way = roundTrip === undefined ? undefined : roundTrip + this.#loop.commitTime;
    this.#loop.post({ kind: 'workerHeard', worker: id, ...(way !== undefined && { way }) });
  }

  /** @internal */
  left(connection: WorkerConnection, reason: string): void {
    const id = connection.id;
    if (id === undefined || this.#connections.get(id) !== connection) return;
    this.#connections.delete(id);
    this.#loop.post({ kind: 'workerLeft', worker: id, final: false, reason });
  }

  /** @internal */
  newOutbox(connection: WorkerConnection): WorkerOutbox {
    return new WorkerOutbox(connection.peer, this.#notices, connection.identity.json === true, (grant, runs, why) =>
      this.#undeliverable(grant, runs, why),
    );
  }

  #outcomes(
    connection: WorkerConnection,
    id: WorkerId,
    message: Outcomes,
    packed: PackedColumn | undefined,
  ): Promise<void> | undefined {
    if (packed === undefined) throw new ProtocolError('invalid', 'outcomes without values');
    const runs = wellFormed(message.runs);
    const column = readColumn(packed);
    const { spawned } = message;
    if (runs.length === 0 || column.count !== countRuns(runs) + countSpawned(spawned)) {
      throw new ProtocolError('invalid', 'outcomes with more or fewer values than tasks, or of none');
    }
    refuseTooLarge(column);
    if (spawned !== undefined) refuseSpawned(spawned, runs, column);
    const event = {
      kind: 'outcomes',
      worker: id,
      lease: message.lease,
      job: message.job,
      runs,
      failures: failuresIn(column, runs),
      elapsedMicros: message.micros,
      ...(spawned !== undefined && { spawned }),
    } as const;
    const blobs = blobsIn(column);
    const mentions = namesIn(column.bytes).filter(({ name }) => this.#blobs.mayHave(name));
    if (blobs.length > 0 || mentions.length > 0)
      return this.#outcomesWithBlobs(connection, event, packed, blobs, mentions);
    this.#loop.post(event, packed);
    return undefined;
  }

  /** A result that names a blob counts only once the blob is here (S5): the worker uploads before it tells. */
  async #outcomesWithBlobs(
    connection: WorkerConnection,
    event: OutcomesEvent,
    packed: PackedColumn,
    blobs: readonly ValueBlob[],
    mentions: readonly Mention[],
  ): Promise<void> {
    let sizes: (number | undefined)[];
    let referred: ReadonlyMap<string, number>;
    try {
      sizes = await Promise.all(blobs.map(({ sha256 }) => this.#blobs.size(sha256)));
      referred = await mentionedBlobs(this.#blobs, mentions, blobs);
    } catch {
      connection.refuse('busy', 'the server cannot look for blobs now', CloseCode.restart, LATER);
      return;
    }
    // What is not taken here comes again after the reconnect.
    if (connection.over) return;
    const lacking = blobs.find(({ size }, i) => sizes[i] !== size);
    if (lacking !== undefined) {
      const { worker, lease, runs } = event;
      const detail = `an outcome names the blob ${lacking.sha256} of ${lacking.size} bytes, which was not uploaded`;
      // Nor may it ever be, if it was here and is gone: the tasks are run again, and who kept their outcomes is told so (P11).
      this.#loop.post({ kind: 'tasksReleased', worker, lease, runs });
      connection.refuse('invalid', detail, CloseCode.invalid);
      return;
    }
    const refs = [...referred.keys()].map((sha256): Write => ({ kind: 'blobRef', job: event.job, sha256 }));
    this.#loop.post(event, packed, refs);
  }

  /** Tasks that were granted and cannot be sent: they fail, or are given back where another time may be better. */
  #undeliverable({ worker, lease, job }: Grant, runs: readonly Run[], { lasting, reason }: Missing): void {
    if (!lasting) {
      this.#loop.post({ kind: 'tasksReleased', worker, lease, runs });
      return;
    }
    const failure = { kind: 'error', name: 'UndeliverableError', message: `not given to a worker: ${reason}` } as const;
    const message = `${failure.name}: ${failure.message}`;
    const failures = [...indexesOf(runs)].map((index): TaskFailed => ({ index, kind: 'failed', message }));
    this.#loop.post(
      { kind: 'outcomes', worker, lease, job, runs, failures, elapsedMicros: 0 },
      failureColumn(failure, ValueStatus.failed, failures.length),
    );
  }

  #drop(connection: WorkerConnection, code: number, reason: string): void {
    if (connection.id !== undefined) this.#connections.delete(connection.id);
    const id = connection.id;
    connection.id = undefined;
    if (id !== undefined) this.#loop.post({ kind: 'workerLeft', worker: id, final: true, reason });
    connection.peer.close(code, reason);
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
