import type { JobProgress } from '../model/job.ts';
import { RESULT_WINDOW_BYTES } from '../model/limits.ts';
import {
  attemptsOf,
  blobAt,
  failureAt,
  type Outcomes,
  readOutcomes,
  type TaskRecord,
  valueOfBlob,
} from './outcomes.ts';
import type { StreamBatch } from './session-io.ts';
import type { BlobExchange } from './surroundings.ts';
import type { TaskError } from './task-error.ts';
import type { Wire } from './wire.ts';

/** More would not fit an array. */
const MOST = 2 ** 32 - 2;

/** Stands where no outcome has come: an array with real holes is a hundred times slower. */
export const MISSING = Symbol('missing');

/** All outcomes of a job in one array by index, made as they come: no promise and, for `values`, no object for each. */
class Collection {
  readonly #blobs: BlobExchange;
  readonly #job: number;
  readonly #wantsRecords: boolean;
  readonly items: unknown[] = [];
  /** The generation of each outcome, kept only once there is a second one. */
  #generations: Map<number, number> | undefined;
  #newest = 0;
  count = 0;
  /** The first failure of the newest generation that has any, unless records are wanted. */
  failure: { readonly error: TaskError; readonly generation: number } | undefined;
  readonly #loading = new Set<Promise<void>>();

  constructor(blobs: BlobExchange, job: number, wantsRecords: boolean) {
    this.#blobs = blobs;
    this.#job = job;
    this.#wantsRecords = wantsRecords;
  }

  add(batch: StreamBatch): void {
    const outcomes = readOutcomes(this.#job, batch);
    if (batch.generation > this.#newest) {
      this.#newest = batch.generation;
      this.#generations ??= new Map();
    }
    const last = batch.runs.at(-1);
    if (last !== undefined) this.#growTo(last.start + last.count);
    if (!this.#wantsRecords && outcomes.statuses === undefined && this.#generations === undefined) {
      return this.#addPlain(outcomes);
    }
    let position = 0;
    for (const run of batch.runs) {
      for (let index = run.start; index < run.start + run.count; index++) this.#addOne(outcomes, position++, index);
    }
  }

  /** Resolves when every blob is here. */
  async loaded(): Promise<void> {
    while (this.#loading.size > 0) await Promise.all(this.#loading);
  }

  #growTo(length: number): void {
    if (length > MOST) throw new RangeError(`a job of more than ${MOST} tasks does not fit an array: use results()`);
    while (this.items.length < length) this.items.push(MISSING);
  }

  #addPlain({ batch, values }: Outcomes): void {
    const { items } = this;
    let position = 0;
    for (const run of batch.runs) {
      const end = run.start + run.count;
      for (let index = run.start; index < end; index++) items[index] = values[position++];
    }
    this.count += position;
  }

  #addOne(outcomes: Outcomes, position: number, index: number): void {
    const { generation } = outcomes.batch;
    if (this.#generations !== undefined) {
      if ((this.#generations.get(index) ?? 0) > generation) return;
      this.#generations.set(index, generation);
    }
    const error = failureAt(outcomes, position, index);
    if (error !== undefined) {
      if (this.#wantsRecords) this.#put(index, { index, status: 'failed', error, attempts: error.attempts });
      else if (this.failure === undefined || this.failure.generation < generation) this.failure = { error, generation };
      return;
    }
    const blob = blobAt(outcomes, position);
    if (blob === undefined) return this.#done(outcomes, index, outcomes.values[position]);
    this.#put(index, undefined);
    const load = this.#blobs.get(blob.ref).then((bytes) => this.#done(outcomes, index, valueOfBlob(blob, bytes)));
    this.#loading.add(load);
    load.then(
      () => this.#loading.delete(load),
      () => {}, // Stays, so that `loaded` rejects with it.
    );
  }

  #done(outcomes: Outcomes, index: number, value: unknown): void {
    const attempts = attemptsOf(outcomes, index);
    this.#put(index, this.#wantsRecords ? { index, status: 'done', value, attempts } : value);
  }

  #put(index: number, item: TaskRecord<unknown> | unknown): void {
    if (this.items[index] === MISSING) this.count += 1;
    this.items[index] = item;
  }
}

export interface Collected {
  /** By index; `MISSING` where tasks were cancelled, if they are not beyond its end. */
  readonly items: unknown[];
  /** How many there are. */
  readonly count: number;
  readonly progress: JobProgress;
}

/** Waits for the end of a job. Rejects with a FarmError; without `records` also with the first TaskError, at once. */
export async function collect(wire: Wire, blobs: BlobExchange, job: number, records: boolean): Promise<Collected> {
  const collection = new Collection(blobs, job, records);
  const progress = await new Promise<JobProgress>((resolve, reject) => {
    /** Failures of an earlier generation have been opened again by `retry`; undefined: not known yet. */
    let generation: number | undefined;
    let asked = false;
    const giveUp = (error: Error): void => {
      wire.closeStream(stream);
      reject(error);
    };
    const look = (): void => {
      const { failure } = collection;
      if (failure === undefined) return;
      if (generation !== undefined && failure.generation >= generation) return giveUp(failure.error);
      if (asked) return;
      asked = true;
      wire.request({ kind: 'status', job }).then((status) => {
        ({ generation } = (status as { progress: JobProgress }).progress);
        look();
      }, giveUp);
    };
    const stream = wire.openStream(
      { kind: 'results', job, order: 'completion', credit: RESULT_WINDOW_BYTES },
      {
        batch: (batch) => {
          try {
            collection.add(batch);
          } catch (error) {
            return giveUp(error as Error);
          }
          wire.consumed(stream, batch.bytes);
          look();
        },
        mark: () => {},
        ended: (last) => {
          ({ generation } = last);
          look();
          resolve(last);
        },
        failed: reject,
      },
    );
  });
  await collection.loaded();
  return { items: collection.items, count: collection.count, progress };
}
