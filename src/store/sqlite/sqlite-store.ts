import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Epoch, JobId, TaskIndex } from '../../model/ids.ts';
import type { JobState } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { type BatchQuery, type SegmentQuery, type Store, StoreError } from '../store.ts';
import type { Answer, Calls } from './call.ts';
import { packWrites } from './message.ts';

/** Bytes that are copied to the thread faster than they are handed over. */
const CHEAP_TO_COPY = 16 * 1024;

/** Opens or makes the data in a directory. Rejects with a {@link StoreError}: `locked`, `newer`, `damaged`, `full`. */
export async function openSqliteStore(dir: string): Promise<Store> {
  const thread = new Thread(path.resolve(dir));
  return new SqliteStore(await thread.opened, thread);
}

class SqliteStore implements Store {
  readonly farm: string;
  readonly #thread: Thread;
  #closing: Promise<void> | undefined;

  constructor(farm: string, thread: Thread) {
    this.farm = farm;
    this.#thread = thread;
  }

  start() {
    return this.#thread.call('start', []);
  }

  recover(epoch: Epoch) {
    return this.#thread.call('recover', [epoch]);
  }

  nextJobId() {
    return this.#thread.call('nextJobId', []);
  }

  commit(writes: readonly Write[], epoch: Epoch) {
    const packed = packWrites(writes);
    const sent = packed.bytes.byteLength > CHEAP_TO_COPY ? [packed.bytes] : [];
    return this.#thread.call('commit', [packed, epoch], sent).then(() => writes);
  }

  claim(job: JobId, max: number, epoch: Epoch) {
    return this.#thread.call('claim', [job, max, epoch]);
  }

  readInputs(job: JobId, first: TaskIndex) {
    return this.#thread.call('inputs', [job, first]);
  }

  readSegments(job: JobId, query: SegmentQuery, maxBytes: number) {
    return this.#thread.call('segments', [job, query, maxBytes]);
  }

  readBatches(job: JobId, query: BatchQuery, maxBytes: number) {
    return this.#thread.call('batches', [job, query, maxBytes]);
  }

  readAttempts(job: JobId, query: { after: number; limit: number }) {
    return this.#thread.call('attempts', [job, query]);
  }

  listBlocks(job: JobId, from: TaskIndex, limit: number) {
    return this.#thread.call('listBlocks', [job, from, limit]);
  }

  readJob(job: JobId) {
    return this.#thread.call('job', [job]);
  }

  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }) {
    return this.#thread.call('listJobs', [query]);
  }

  readTask(job: JobId, index: TaskIndex) {
    return this.#thread.call('task', [job, index]);
  }

  readLogs(job: JobId, query: { index?: TaskIndex; after: number; limit: number }) {
    return this.#thread.call('logs', [job, query]);
  }

  reopen(job: JobId) {
    return this.#thread.call('reopen', [job]);
  }

  forget(job: JobId) {
    return this.#thread.call('forget', [job]);
  }

  findIdempotent(owner: string, key: string) {
    return this.#thread.call('idempotent', [owner, key]);
  }

  listTokens() {
    return this.#thread.call('tokens', []);
  }

  unreferenced(sha256: readonly string[]) {
    return this.#thread.call('unreferenced', [sha256]);
  }

  backup(file: string) {
    return this.#thread.call('backup', [path.resolve(file)]);
  }

  close() {
    this.#closing ??= this.#thread.close();
    return this.#closing;
  }
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: StoreError) => void;
}

/** The thread that has the database open, and the calls that wait for its answers. */
class Thread {
  readonly opened: Promise<string>;
  readonly #worker: Worker;
  readonly #gone: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  /** Rung for every call: see the thread. */
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  #lastCall = 0;
  #end: StoreError | undefined;

  constructor(dir: string) {
    this.#worker = new Worker(new URL('./entry/store-thread.ts', import.meta.url), {
      workerData: { dir, bell: this.#bell },
      name: 'store',
    });
    this.opened = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }));
    this.#gone = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (error) => this.#fail(`the store's thread failed: ${(error as Error).message}`, error));
    this.#worker.on('exit', () => this.#fail('the store is closed'));
  }

  call<Verb extends keyof Calls>(
    verb: Verb,
    args: Parameters<Calls[Verb]>,
    handOver: ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<Calls[Verb]>>> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, verb, args }, handOver);
      Atomics.add(this.#bell, 0, 1);
      Atomics.notify(this.#bell, 0);
    });
  }

  async close(): Promise<void> {
    if (this.#end === undefined) {
      const closed = this.call('close', []);
      this.#end = new StoreError('broken', 'the store is closed');
      await closed;
    }
    await this.#gone;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('value' in answer) waiting?.resolve(answer.value as never);
    else waiting?.reject(new StoreError(answer.failure.code, answer.failure.message));
  }

  #fail(message: string, cause?: unknown): void {
    this.#end ??= new StoreError('broken', message, { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}
