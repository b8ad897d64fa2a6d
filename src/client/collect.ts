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
import type { Wire } from './wire.ts';

/** More would not fit an array. */
const MOST = 2 ** 32 - 2;

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
  readonly #loading = new Set<Promise<void>>();

  constructor(blobs: BlobExchange, job: number, wantsRecords: boolean) {
    this.#blobs = blobs;
    this.#job = job;
    this.#wantsRecords = wantsRecords;
  }

  /** Throws the first failure, unless records are wanted. */
  add(batch: StreamBatch): void {
    const outcomes = readOutcomes(this.#job, batch);
    if (batch.generation > this.#newest) {
      this.#newest = batch.generation;
      this.#generations ??= new Map();
    }
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

  #addPlain({ batch, values }: Outcomes): void {
    const { items } = this;
    let position = 0;
    for (const run of batch.runs) {
      const end = run.start + run.count;
      if (end > MOST) throw new RangeError(`a job of more than ${MOST} tasks does not fit an array: use results()`);
      for (let index = run.start; index < end; index++) items[index] = values[position++];
    }
    this.count += position;
  }

  #addOne(outcomes: Outcomes, position: number, index: number): void {
    if (this.#generations !== undefined) {
      if (batchIsOlder(this.#generations, index, outcomes.batch.generation)) return;
      this.#generations.set(index, outcomes.batch.generation);
    }
    if (!(index in this.items)) this.count += 1;
    const error = failureAt(outcomes, position, index);
    if (error !== undefined) {
      if (!this.#wantsRecords) throw error;
      this.items[index] = { index, status: 'failed', error, attempts: error.attempts } satisfies TaskRecord<unknown>;
      return;
    }
    const blob = blobAt(outcomes, position);
    if (blob === undefined) return this.#put(outcomes, index, outcomes.values[position]);
    this.items[index] = undefined;
    const load = this.#blobs.get(blob.ref).then((bytes) => this.#put(outcomes, index, valueOfBlob(blob, bytes)));
    this.#loading.add(load);
    load.then(
      () => this.#loading.delete(load),
      () => {}, // Stays, so that `loaded` rejects with it.
    );
  }

  #put({ batch }: Outcomes, index: number, value: unknown): void {
    this.items[index] = this.#wantsRecords
      ? ({ index, status: 'done', value, attempts: attemptsOf(batch, index) } satisfies TaskRecord<unknown>)
      : value;
  }
}

function batchIsOlder(generations: ReadonlyMap<number, number>, index: number, generation: number): boolean {
  return (generations.get(index) ?? 0) > generation;
}

export interface Collected {
  /** By index; holes where tasks were cancelled. */
  readonly items: unknown[];
  /** How many there are. */
  readonly count: number;
  readonly progress: JobProgress;
}

/** Waits for the end of a job. Rejects with a FarmError; without `records` also with the first TaskError, at once. */
export async function collect(wire: Wire, blobs: BlobExchange, job: number, records: boolean): Promise<Collected> {
  const collection = new Collection(blobs, job, records);
  const progress = await new Promise<JobProgress>((resolve, reject) => {
    const stream = wire.openStream(
      { kind: 'results', job, order: 'completion', credit: RESULT_WINDOW_BYTES },
      {
        batch: (batch) => {
          try {
            collection.add(batch);
            wire.consumed(stream, batch.bytes);
          } catch (error) {
            wire.closeStream(stream);
            reject(error as Error);
          }
        },
        mark: () => {},
        ended: resolve,
        failed: reject,
      },
    );
  });
  await collection.loaded();
  return { items: collection.items, count: collection.count, progress };
}
