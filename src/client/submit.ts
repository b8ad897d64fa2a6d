import { INLINE_CODE_BYTES, INPUT_FLUSH_TIME } from '../model/limits.ts';
import { FarmError } from './farm-error.ts';
import { InputWriter } from './input-writer.ts';
import { Job, type JobStatus } from './job.ts';
import { Range } from './range.ts';
import type { Surroundings } from './surroundings.ts';
import type { TaskCode } from './task-code.ts';
import type { RequestBody, Wire } from './wire.ts';

export interface JobOptions {
  /** For people; by default the module's or the function's name. */
  readonly name?: string;
  /** The same key gives the same job, however often it is submitted. */
  readonly idempotencyKey?: string;
  /** Higher first, -1000 to 1000; 0. */
  readonly priority?: number;
  /** Share among jobs of the same priority; 1. */
  readonly weight?: number;
  /** Re-runs of a task after its first failure; 0. Lost workers are not counted. */
  readonly retries?: number;
  /** Ends the job when more tasks than this have failed; by default it ends if its first 20 outcomes all failed. */
  readonly maxFailures?: number;
  /** Milliseconds for one attempt of one task. */
  readonly timeout?: number;
  /** Labels that a worker must have. */
  readonly requires?: Readonly<Record<string, string>>;
  /** CPUs of each task; 1. */
  readonly cpus?: number;
  /** Bytes of memory of each task. */
  readonly memory?: number;
  /** Named amounts of each task, such as `{ gpu: 1 }`. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Refuses late results of an attempt that was given up. */
  readonly fenced?: boolean;
  /** Cancels the job. */
  readonly signal?: AbortSignal;
}

export type Inputs<In> = Iterable<In> | AsyncIterable<In>;

/**
 * Submits a job. Resolves when it is on the server's disk; the inputs follow on their own. What can be read of the inputs
 * at once is looked at before, so that most mistakes in them are found before there is a job.
 */
export async function submitJob<Out>(
  around: Surroundings,
  wire: Wire,
  code: TaskCode,
  inputs: Inputs<unknown>,
  options: JobOptions,
): Promise<Job<Out>> {
  options.signal?.throwIfAborted();
  const body = await submitBody(around, code, options);
  if (inputs instanceof Range) {
    const { job } = await submit(wire, { ...body, range: inputs.toJSON() });
    return track(wire, around, job, Promise.resolve(), options.signal);
  }
  const feed = new Feed(around, new InputWriter(wire, around.blobs), inputs);
  await feed.begin();
  const { job, existing } = await submit(wire, body);
  return track(wire, around, job, feed.run(wire, job, existing), options.signal);
}

export async function submitBody(
  around: Surroundings,
  { code, sourceName, runner = 'js' }: TaskCode,
  { signal: _signal, name = sourceName, idempotencyKey = around.randomKey(), ...options }: JobOptions,
): Promise<SubmitBody> {
  const { sha256, size } = around.hash(code);
  const spec = JSON.parse(JSON.stringify(options)) as Omit<JobOptions, 'signal'>;
  const named = {
    ...spec,
    name: name.slice(0, 256),
    idempotencyKey,
    code: { runner, sha256, size, sourceName: sourceName.slice(0, 256) },
  };
  if (size <= INLINE_CODE_BYTES) return { kind: 'submit', ...named, inline: code } as SubmitBody;
  await around.blobs.put({ sha256, size }, new TextEncoder().encode(code));
  return { kind: 'submit', ...named } as SubmitBody;
}

type SubmitBody = Extract<RequestBody, { kind: 'submit' }>;

export async function submit(wire: Wire, body: SubmitBody): Promise<{ job: number; existing: boolean }> {
  return (await wire.request(body)) as { job: number; existing: boolean };
}

/** Binds a job to its signal and to the fate of its inputs: a job whose inputs can't be sent is cancelled. */
function track<Out>(
  wire: Wire,
  around: Surroundings,
  id: number,
  sent: Promise<void>,
  signal: AbortSignal | undefined,
): Job<Out> {
  const submission = {
    failure: undefined as unknown,
    signal,
    submitted: sent.catch(async (error: unknown) => {
      submission.failure = error;
      await job.cancel().catch(() => {});
      throw error;
    }),
  };
  const job = new Job<Out>(wire, around.blobs, id, submission);
  // Whoever reads results hears of it too.
  submission.submitted.catch(() => {});
  if (signal !== undefined) {
    const cancel = (): void => void job.cancel().catch(() => {});
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  }
  return job;
}

/** Pulls inputs only as fast as they can be sent, and lets none wait long for the next. */
class Feed {
  readonly #around: Surroundings;
  readonly #writer: InputWriter;
  readonly #sync: Iterator<unknown> | undefined;
  readonly #async: AsyncIterator<unknown> | undefined;
  /** An iterable may take its time for each item; an array does not. */
  readonly #isArray: boolean;
  #done = false;
  #cancelFlush: (() => void) | undefined;

  constructor(around: Surroundings, writer: InputWriter, inputs: Inputs<unknown>) {
    this.#around = around;
    this.#writer = writer;
    this.#isArray = Array.isArray(inputs);
    if (Symbol.asyncIterator in inputs) this.#async = inputs[Symbol.asyncIterator]();
    else if (Symbol.iterator in inputs) this.#sync = inputs[Symbol.iterator]();
    else throw new TypeError('inputs must be an array, a range, an iterable or an async iterable');
  }

  /** The first block, before there is a job; of something asynchronous nothing, for it may take its time. */
  async begin(): Promise<void> {
    if (this.#sync === undefined) return;
    try {
      await this.#fill(this.#sync);
    } catch (error) {
      this.#sync.return?.();
      throw error;
    }
  }

  /** The rest. Resolves when all of it is on the server's disk and the job is closed. */
  async run(wire: Wire, job: number, existing: boolean): Promise<void> {
    const writer = this.#writer;
    writer.job = job;
    if (existing && (await this.#isThere(wire, job))) return;
    try {
      if (this.#sync !== undefined) await this.#runSync(this.#sync);
      else if (this.#async !== undefined) await this.#runAsync(this.#async);
      writer.flush();
      await writer.stored();
      await wire.request({ kind: 'close', job, total: writer.next });
    } catch (error) {
      this.#stop();
      if (!(await hasEndedEarly(wire, job, error))) throw error;
    }
  }

  /**
   * A job that was submitted before with the same key. Its inputs were cut into blocks by time as well as by number, so
   * the same ones can't be sent again place by place: what is there is skipped.
   */
  async #isThere(wire: Wire, job: number): Promise<boolean> {
    const { progress } = (await wire.request({ kind: 'status', job })) as JobStatus;
    if (!progress.open) {
      this.#stop();
      return true;
    }
    this.#writer.skipTo(progress.total);
    return false;
  }

  async #runSync(iterator: Iterator<unknown>): Promise<void> {
    while (this.#goesOn()) {
      this.#writer.flush();
      await (this.#writer.room() ?? this.#around.pause());
      await this.#fill(iterator);
    }
  }

  /** Until the block is full or, with a slow iterable, has waited for long enough. */
  async #fill(iterator: Iterator<unknown>): Promise<void> {
    const writer = this.#writer;
    const until = this.#isArray ? Number.POSITIVE_INFINITY : this.#around.now() + INPUT_FLUSH_TIME;
    while (!writer.isFull) {
      const { done, value } = iterator.next();
      if (done === true) {
        this.#done = true;
        return;
      }
      const large = writer.add(value);
      if (large !== undefined) await large;
      if (!this.#isArray && this.#around.now() > until) return;
    }
  }

  async #runAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    const writer = this.#writer;
    while (this.#goesOn()) {
      const { done, value } = await iterator.next();
      if (done === true) {
        this.#done = true;
        break;
      }
      const large = writer.add(value);
      if (large !== undefined) await large;
      if (writer.isFull) writer.flush();
      else this.#cancelFlush ??= this.#around.alarm(INPUT_FLUSH_TIME, () => this.#flushNow(), true);
      const room = writer.room();
      if (room !== undefined) await room;
    }
    this.#cancelFlush?.();
  }

  #flushNow(): void {
    this.#cancelFlush = undefined;
    this.#writer.flush();
  }

  #goesOn(): boolean {
    return !this.#done && this.#writer.failure === undefined;
  }

  #stop(): void {
    this.#cancelFlush?.();
    if (this.#done) return;
    this.#done = true;
    const ending = this.#sync?.return?.() ?? this.#async?.return?.();
    Promise.resolve(ending).catch(() => {});
  }
}

/** Inputs of a job that has ended meanwhile are refused; its results say why it ended. */
async function hasEndedEarly(wire: Wire, job: number, error: unknown): Promise<boolean> {
  if (!(error instanceof FarmError) || error.code !== 'conflict') return false;
  const { progress } = (await wire.request({ kind: 'status', job })) as JobStatus;
  return progress.endedAt !== undefined;
}
