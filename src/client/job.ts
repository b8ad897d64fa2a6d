import { hasEnded, type JobProgress, type JobSpec } from '../model/job.ts';
import type { Run } from '../model/runs.ts';
import { type Column, readColumn } from '../protocol/column.ts';
import { BatchStream } from './batch-stream.ts';
import { collect, MISSING } from './collect.ts';
import { parseCursor } from './cursor.ts';
import { FarmError } from './farm-error.ts';
import type { TaskRecord } from './outcomes.ts';
import type { Pace } from './pace.ts';
import { ResultStream } from './result-stream.ts';
import type { StreamBatch } from './session-io.ts';
import type { BlobExchange } from './surroundings.ts';
import { TaskError } from './task-error.ts';
import type { ProgressReport, Wire } from './wire.ts';

export interface ResultsOptions {
  /** In the order of the inputs (the default), or as they come. */
  readonly ordered?: boolean;
  /** Leaves out tasks whose value is undefined: only the hits. */
  readonly defined?: boolean;
  /** Goes on after this cursor of an earlier stream of the same order. */
  readonly after?: string;
}

/** Outcomes as they came over the wire, for programs that pass them on without reading each value. */
export interface ResultBatch {
  readonly runs: readonly Run[];
  readonly column: Column;
  /** [index, charged attempts] of tasks that took more than one, or failed. */
  readonly attempts: readonly (readonly [number, number])[];
  readonly generation: number;
  readonly cursor: number;
}

export interface JobStatus {
  readonly spec: JobSpec;
  readonly progress: JobProgress;
}

/** How the submission goes on; a job that was only looked up by its id has none. */
export interface Submission {
  /** Resolves when all inputs are on the server's disk. */
  readonly submitted: Promise<void>;
  /** Why inputs could not be sent. */
  readonly failure: unknown;
  readonly signal: AbortSignal | undefined;
  /** Of the inputs, where there may be no end of them. */
  readonly pace: Pace | undefined;
  /** The job has ended, or this program is done with it: no more inputs are wanted. */
  over(): void;
}

/** One function and its inputs on the farm. Outlives this program: `farm.job(job.id)` finds it again. */
export class Job<Out = unknown> {
  readonly id: number;
  readonly #wire: Wire;
  readonly #blobs: BlobExchange;
  readonly #submission: Submission | undefined;

  /** @internal */
  constructor(wire: Wire, blobs: BlobExchange, id: number, submission?: Submission) {
    this.id = id;
    this.#wire = wire;
    this.#blobs = blobs;
    this.#submission = submission;
  }

  /** Resolves when all inputs are on the server's disk; rejects if one could not be sent, which cancels the job. */
  get submitted(): Promise<void> {
    return this.#submission?.submitted ?? Promise.resolve();
  }

  /** All values in the order of the inputs. Rejects with the first {@link TaskError} as soon as a task has failed. */
  async values(): Promise<Out[]> {
    const { items, count, progress } = await this.#collect(false);
    const hole = count < progress.total ? items.indexOf(MISSING) : undefined;
    if (hole !== undefined) throw this.#cancelled(hole < 0 ? items.length : hole, progress);
    return items as Out[];
  }

  /** A record of each task in the order of the inputs, whatever became of it. */
  async settled(): Promise<TaskRecord<Out>[]> {
    const { items, count, progress } = await this.#collect(true);
    if (count < progress.total) {
      for (let index = 0; index < progress.total; index++) {
        if (index < items.length && items[index] !== MISSING) continue;
        items[index] = { index, status: 'cancelled' } satisfies TaskRecord<Out>;
      }
    }
    return items as TaskRecord<Out>[];
  }

  /**
   * Records one by one while the job runs, with bounded memory. A failed task is a record, not an error. While a stream is
   * open, the job's inputs, if they come from an iterable of unknown length, are pulled a bounded number ahead of it.
   */
  results(options: ResultsOptions = {}): ResultStream<Out> {
    const { ordered = true, defined = false, after } = options;
    const order = ordered ? 'index' : 'completion';
    const from =
      after === undefined ? ({ order, after: 0, skip: 0, defined } as const) : parseCursor(after, order, defined);
    const check = (progress: JobProgress | undefined): void => this.#over(progress);
    return new ResultStream(this.#wire, this.#blobs, this.id, { ...from, defined }, check, this.#submission?.pace);
  }

  /**
   * Folds the values from the left, in the order of the inputs, with bounded memory. Without `initial` the first value is
   * it. Rejects with the first {@link TaskError} in that order.
   */
  reduce(fn: (sum: Out, value: Out, index: number) => Out): Promise<Out>;
  reduce<Sum>(fn: (sum: Sum, value: Out, index: number) => Sum, initial: Sum): Promise<Sum>;
  async reduce<Sum>(fn: (sum: Sum, value: Out, index: number) => Sum, ...initial: [Sum?]): Promise<Sum> {
    let sum = initial[0] as Sum;
    let begun = initial.length > 0;
    let next = 0;
    await using stream = this.results();
    for await (const record of stream) {
      if (record.status === 'failed') throw record.error;
      if (record.status === 'cancelled' || record.index !== next) break;
      next += 1;
      if (begun) sum = fn(sum, record.value, record.index);
      else sum = record.value as unknown as Sum;
      begun = true;
    }
    const { progress } = await this.status();
    if (next < progress.total) throw this.#cancelled(next, progress);
    if (!begun) throw new TypeError(`job ${this.id} has no tasks to reduce: give an initial value`);
    return sum;
  }

  /** Whole batches as they come; in index order those of one block may come in any order. Items with `next` are marks. */
  async *batches(
    options: { order?: 'completion' | 'index'; defined?: boolean; after?: number } = {},
  ): AsyncGenerator<ResultBatch | { readonly next: number }, JobProgress | undefined> {
    const { order = 'completion', defined = false, after = 0 } = options;
    const stream = new BatchStream(this.#wire, this.id, { order, defined, after });
    try {
      for (;;) {
        for (let item = stream.take(); item !== undefined; item = stream.take()) {
          if (item.kind === 'mark') yield { next: item.next };
          else yield rawBatch(item.batch);
        }
        if (stream.end !== undefined) {
          this.#over(stream.end.progress);
          return stream.end.progress;
        }
        await stream.arrival();
      }
    } finally {
      stream.close();
    }
  }

  /** Nothing more of it starts; what runs is told to stop. Resolves when that is on disk. */
  async cancel(): Promise<void> {
    await this.#act('cancel');
    this.abandon();
  }

  /** Nothing more of it starts until `resume`. */
  pause(): Promise<void> {
    return this.#act('pause');
  }

  resume(): Promise<void> {
    return this.#act('resume');
  }

  /** Runs the failed tasks of an ended job again, as a new generation. */
  retry(): Promise<void> {
    return this.#act('retry');
  }

  /** Deletes an ended job from the farm, with its inputs and results. */
  forget(): Promise<void> {
    return this.#act('forget');
  }

  async status(): Promise<JobStatus> {
    return (await this.#wire.request({ kind: 'status', job: this.id })) as JobStatus;
  }

  /** How far it is, now and a few times a second until it ends; a slow reader sees the newest. */
  async *progress(): AsyncGenerator<ProgressReport> {
    let newest: ProgressReport | FarmError | undefined;
    let wake: (() => void) | undefined;
    const stop = this.#wire.follow(this.id, (news) => {
      newest = news;
      wake?.();
    });
    try {
      const { progress } = (await this.#wire.request({ kind: 'status', job: this.id, follow: true })) as JobStatus;
      newest ??= { progress, running: 0, waiting: 0 };
      for (;;) {
        if (newest === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (newest instanceof FarmError) throw newest;
        const report: ProgressReport = newest;
        newest = undefined;
        yield report;
        if (hasEnded(report.progress.state)) return;
      }
    } finally {
      stop();
    }
  }

  /** Resolves when the job has ended, with how it ended: `done`, `failed` or `cancelled`. */
  async ended(): Promise<JobProgress> {
    let last: JobProgress | undefined;
    for await (const report of this.progress()) last = report.progress;
    this.#over(last);
    return last as JobProgress;
  }

  async #act(action: 'cancel' | 'pause' | 'resume' | 'retry' | 'forget'): Promise<void> {
    await this.#wire.request({ kind: 'act', job: this.id, action });
  }

  async #collect(records: boolean): ReturnType<typeof collect> {
    try {
      const collected = await collect(this.#wire, this.#blobs, this.id, records);
      this.#over(collected.progress);
      return collected;
    } catch (error) {
      if (!(error instanceof TaskError)) this.#submission?.signal?.throwIfAborted();
      throw error;
    }
  }

  /** No more of its inputs are sent. @internal */
  abandon(): void {
    this.#submission?.over();
  }

  /** A job that ended because of its inputs or its signal is told as that, not as tasks that were cancelled. */
  #over(progress: JobProgress | undefined): void {
    this.#submission?.over();
    if (this.#submission?.failure !== undefined) throw this.#submission.failure;
    if (progress?.state === 'cancelled') this.#submission?.signal?.throwIfAborted();
  }

  #cancelled(index: number, progress: JobProgress): TaskError {
    const message = progress.reason ?? `the job ended (${progress.state}) before it ran`;
    return new TaskError(this.id, index, 0, { kind: 'cancelled', name: 'Cancelled', message });
  }
}

function rawBatch({ runs, column, attempts, generation, cursor }: StreamBatch): ResultBatch {
  return { runs, column: readColumn(column), attempts, generation, cursor };
}
