import type { BlobRef } from '../../model/envelope.ts';
import { ValueStatus } from '../../model/envelope.ts';
import { CHUNK_BYTES, CHUNK_TIME, INLINE_VALUE_BYTES } from '../../model/limits.ts';
import { SPAWN_TASKS } from '../../model/spawn-limits.ts';
import type { Spawned } from '../../model/spawned.ts';
import { joinColumns, packColumn, readColumn } from '../../protocol/column.ts';
import { decodeColumn } from '../../protocol/values/column.ts';
import { ColumnWriter } from '../../protocol/values/column-writer.ts';
import { decodeValue } from '../../protocol/values/value.ts';
import { failureColumn, type WorkerFailure } from '../failures.ts';
import { SpawnedInputs } from './spawned-inputs.ts';
import type { FromTask, StoredBlob, ToTask } from './task-channel.ts';
import type { ContextHost } from './task-context.ts';
import { TaskContext } from './task-context.ts';
import type { FailureWords } from './task-failure.ts';
import { failureOf, failureOfResult } from './task-failure.ts';
import type { TaskFunction } from './task-module.ts';

export type JobOrder = ToTask & { readonly kind: 'job' };
export type ChunkOrder = ToTask & { readonly kind: 'chunk' };

/** A task as it is called: for each input, or, in another language that reads and packs values itself, for whole chunks. */
export type LoadedTask = TaskFunction | ChunkRunner | WorkerFailure;

export interface ChunkRunner {
  /** `done`: how many of the chunk's tasks have ended. */
  runChunk(order: ChunkOrder, bytes: Uint8Array): Promise<ChunkOutcomes>;
  forget(): void;
}

/** `spawned`: what its tasks gave their job, which follows their outcomes in the column. */
export interface ChunkOutcomes {
  readonly done: number;
  readonly column: Uint8Array;
  readonly blobs: readonly StoredBlob[];
  readonly spawned?: Spawned;
}

/** What of its slot a {@link ChunkRunner} uses. */
export interface SlotHost extends Pick<ContextHost, 'getBlob' | 'putBlob'> {
  readonly place: Readonly<Place>;
  send(message: FromTask): void;
}

/** What the place where tasks run has for them: a process of Node, a Web Worker of a browser. */
export interface TaskPlatform {
  readonly words: FailureWords;
  /** The task of a job. `bytes`: what came beside the order. */
  load(order: JobOrder, bytes: Uint8Array | undefined, host: SlotHost): Promise<LoadedTask>;
  /** A blob among the inputs, which was brought here before. */
  readBlob(sha256: string): Uint8Array;
  /** Keeps a result where the worker finds it. */
  storeBlob(bytes: Uint8Array): StoredBlob;
  /** Through the event loop, so that timers run and messages are read between chunks. */
  soon(run: () => void): void;
}

/** What becomes of a task that was revoked before it began; nobody reads it. */
const UNWANTED = { kind: 'error', name: 'Error', message: 'nobody wants this task any more' } as const;

interface LoadedJob {
  readonly order: JobOrder;
  readonly bytes: Uint8Array | undefined;
  task: LoadedTask | undefined;
}

/** What runs now, for whoever wants to know whose output this is. */
export interface Place {
  chunk: number;
  position: number;
}

/** Runs chunks one after the other, where the tasks are. */
export class Executor {
  readonly place: Place = { chunk: 0, position: 0 };
  readonly #send: (message: FromTask, bytes?: Uint8Array) => void;
  readonly #host: Omit<ContextHost, 'farm' | 'job' | 'lease' | 'spawn'>;
  readonly #platform: TaskPlatform;
  readonly #jobs = new Map<number, LoadedJob>();
  readonly #waiting: { order: ChunkOrder; bytes: Uint8Array }[] = [];
  #running = false;
  #context: TaskContext | undefined;
  /** Chunks that were revoked before they began. */
  readonly #aborted = new Set<number>();

  constructor(
    send: (message: FromTask, bytes?: Uint8Array) => void,
    host: Omit<ContextHost, 'farm' | 'job' | 'lease' | 'spawn'>,
    platform: TaskPlatform,
  ) {
    this.#send = send;
    this.#host = host;
    this.#platform = platform;
  }

  noteJob(order: JobOrder, bytes?: Uint8Array): void {
    this.#jobs.set(order.job, { order, bytes, task: undefined });
  }

  forgetJob(job: number): void {
    const task = this.#jobs.get(job)?.task;
    this.#jobs.delete(job);
    if (isChunkRunner(task)) task.forget();
  }

  runChunk(order: ChunkOrder, bytes: Uint8Array): void {
    this.#waiting.push({ order, bytes });
    if (!this.#running) this.#next();
  }

  abort(chunk: number): void {
    if (this.#running && this.place.chunk === chunk && this.#context !== undefined) TaskContext.abort(this.#context);
    else this.#aborted.add(chunk);
  }

  #next(): void {
    const next = this.#waiting.shift();
    this.#running = next !== undefined;
    if (next === undefined) {
      this.#aborted.clear();
      return;
    }
    this.#run(next.order, next.bytes).then(
      () => this.#platform.soon(() => this.#next()),
      (error: unknown) => {
        if (isFull(error)) return this.#send({ kind: 'full', chunk: next.order.id });
        // Not the task's fault: an answer that cannot be made. The slot ends, its worker reports what it says.
        this.#platform.soon(() => {
          throw error;
        });
      },
    );
  }

  async #run(order: ChunkOrder, bytes: Uint8Array): Promise<void> {
    this.place.chunk = order.id;
    this.place.position = 0;
    this.#context = undefined;
    this.#context = undefined;
    const job = this.#jobs.get(order.job);
    if (job === undefined) throw new Error(`a chunk of job ${order.job} came before the job`);
    if (job.task === undefined) {
      job.task = await this.#platform.load(job.order, job.bytes, {
        ...this.#host,
        place: this.place,
        send: this.#send,
      });
      // What came meanwhile, such as that nobody wants it any more, could not be read.
      await new Promise<void>((resolve) => this.#platform.soon(resolve));
      this.#send({ kind: 'started', chunk: order.id });
    }
    const begun = performance.now();
    if (this.#aborted.delete(order.id))
      return this.#end(order, begun, { done: 1, column: failureColumn(UNWANTED, 1), blobs: [] });
    if (isChunkRunner(job.task)) return this.#end(order, begun, await job.task.runChunk(order, bytes));
    const count = order.runs.reduce((sum, run) => sum + run.count, 0);
    const outcomes = new Outcomes(count, this.#platform, job.order.spawns === true);
    let done = 0;
    if (typeof job.task === 'function') {
      const input = this.#inputs(order, job.order, bytes);
      const spawn = (value: unknown): void => outcomes.spawned.add(value);
      const host: ContextHost = { ...this.#host, farm: order.farm, job: order.job, lease: order.lease, spawn };
      done = await this.#runTasks(order, job.task, input, host, outcomes, begun);
    } else {
      for (; done < count && outcomes.hasRoom; done++) outcomes.fail(job.task);
    }
    this.#end(order, begun, { done, ...outcomes.finish() });
  }

  #end(order: ChunkOrder, begun: number, { done, column, blobs, spawned }: ChunkOutcomes): void {
    const micros = (performance.now() - begun) * 1_000;
    const more = { ...(blobs.length > 0 && { blobs }), ...(spawned && { spawned }) };
    this.#send({ kind: 'done', chunk: order.id, done, micros, ...more }, column);
  }

  /** Returns how many have ended: all, or as many as fit into CHUNK_TIME and CHUNK_BYTES. */
  async #runTasks(
    order: ChunkOrder,
    task: TaskFunction,
    input: (position: number, index: number) => unknown,
    host: ContextHost,
    outcomes: Outcomes,
    begun: number,
  ): Promise<number> {
    const deadline = begun + CHUNK_TIME;
    let position = 0;
    for (const { start, count } of order.runs) {
      for (let index = start; index < start + count; index++) {
        this.place.position = position;
        outcomes.spawned.begin(position);
        const context = new TaskContext(host, index);
        this.#context = context;
        let result: unknown;
        let failed = false;
        try {
          result = task(input(position, index), context);
          if (isThenable(result)) result = await result;
        } catch (error) {
          outcomes.fail(failureOf(error, this.#platform.words));
          failed = true;
        }
        outcomes.spawned.end(!failed && outcomes.add(result, index));
        position += 1;
        if (performance.now() >= deadline || !outcomes.hasRoom) return position;
      }
    }
    return position;
  }

  #inputs(order: ChunkOrder, job: JobOrder, bytes: Uint8Array): (position: number, index: number) => unknown {
    const { range } = job;
    if (range !== undefined) {
      const { start, step } = range;
      return (_, index) => start + index * step;
    }
    const { lengths, statuses, allStatus, bytes: values } = readColumn(bytes);
    const status = statuses ?? (allStatus === 0 ? undefined : new Uint8Array(lengths.length).fill(allStatus));
    const decoded = decodeColumn(lengths, status, values);
    if (!status?.some((each) => each === ValueStatus.jsonBlob || each === ValueStatus.bytesBlob)) {
      return (position) => decoded[position];
    }
    return (position) => {
      const encoding = status[position];
      if (encoding !== ValueStatus.jsonBlob && encoding !== ValueStatus.bytesBlob) return decoded[position];
      const { sha256 } = decoded[position] as BlobRef;
      const problem = order.missing?.[sha256];
      if (problem !== undefined) throw new Error(`the input of this task could not be fetched: ${problem}`);
      const file = this.#platform.readBlob(sha256);
      return decodeValue(file, encoding === ValueStatus.bytesBlob ? ValueStatus.bytes : ValueStatus.json);
    };
  }
}

/** The outcomes of one chunk while they come. */
class Outcomes {
  readonly #writer: ColumnWriter;
  readonly #platform: TaskPlatform;
  readonly #blobs: StoredBlob[] = [];
  readonly spawned: SpawnedInputs;

  constructor(count: number, platform: TaskPlatform, spawns: boolean) {
    this.spawned = new SpawnedInputs(spawns);
    this.#writer = new ColumnWriter({ values: count, bytes: Math.min(count * 8, CHUNK_BYTES) });
    this.#platform = platform;
  }

  get hasRoom(): boolean {
    return this.#writer.byteLength + this.spawned.byteLength < CHUNK_BYTES && this.spawned.count < SPAWN_TASKS;
  }

  fail(failure: WorkerFailure): void {
    this.#writer.appendRecord(ValueStatus.failed, failure);
  }

  /** Whether it can be sent; else the task has failed. */
  add(result: unknown, index: number): boolean {
    try {
      if (result instanceof Uint8Array && result.length > INLINE_VALUE_BYTES) {
        this.#addBlob(ValueStatus.bytesBlob, result);
      } else if (this.#writer.append(result) > INLINE_VALUE_BYTES) {
        // Without the comma that ends a value in a column.
        this.#addBlob(ValueStatus.jsonBlob, this.#writer.pop().bytes.subarray(0, -1));
      }
      return true;
    } catch (error) {
      // Another worker may have room.
      if (isFull(error)) throw error;
      this.fail(failureOfResult(error, index, this.#platform.words));
      return false;
    }
  }

  #addBlob(status: number, bytes: Uint8Array): void {
    const blob = this.#platform.storeBlob(bytes);
    this.#blobs.push(blob);
    this.#writer.appendRecord(status, { sha256: blob.sha256, size: blob.size } satisfies BlobRef);
  }

  finish(): Omit<ChunkOutcomes, 'done'> {
    const { lengths, status, bytes } = this.#writer.finish();
    const column = packColumn(lengths, status, bytes);
    const more = this.spawned.finish();
    if (more === undefined) return { column, blobs: this.#blobs };
    return { column: joinColumns([column, more.column]), blobs: this.#blobs, spawned: more.spawned };
  }
}

/** Whether the disk has no room. */
export function isFull(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT';
}

function isChunkRunner(task: LoadedTask | undefined): task is ChunkRunner {
  return typeof task === 'object' && 'runChunk' in task;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
