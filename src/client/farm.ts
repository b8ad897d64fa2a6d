import { CLOSE_PATIENCE, RUN_FUNCTIONS } from '../model/client-limits.ts';
import type { BlobRef } from '../model/envelope.ts';
import { hasEnded } from '../model/job.ts';
import { FarmError } from './farm-error.ts';
import type { Inputs } from './feed.ts';
import { Job } from './job.ts';
import type { JobOptions } from './job-options.ts';
import { SharedRun } from './shared-run.ts';
import { submitJob } from './submit.ts';
import type { Moved, Surroundings } from './surroundings.ts';
import type { AnyTask, InputOf, OutputOf, TaskFunction } from './task.ts';
import { isTaskCode, type TaskCode } from './task-code.ts';
import { Variants } from './variants.ts';
import type { Wire } from './wire.ts';

type Source = AnyTask | URL | TaskCode | Variants<AnyTask>;

/** What ends with a farm that this program started for itself. */
export type Embedded = { close(): Promise<void> };

/**
 * A connection to a farm: one socket, which comes back by itself. `await using farm = await connect()` closes it at the
 * end of the block; a program that forgets to still ends when nothing is pending.
 */
export class Farm {
  /** Whether this program started the farm for itself; it then ends with it. */
  readonly embedded: boolean;
  readonly #wire: Wire;
  readonly #around: Surroundings;
  readonly #server: Embedded | undefined;
  /** By code, then by options. */
  readonly #runs = new Map<TaskCode, Map<string, SharedRun>>();
  /** By the text of the function, the module's address, or the variants themselves. */
  readonly #codes = new Map<string | Variants<AnyTask>, TaskCode | Promise<TaskCode>>();
  /** Shared jobs that were idle and are told to take no more. */
  readonly #leaving = new Set<Promise<void>>();
  /** Jobs whose inputs are on their way. */
  readonly #feeding = new Set<Job>();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(wire: Wire, around: Surroundings, server?: Embedded) {
    this.#wire = wire;
    this.#around = around;
    this.embedded = server !== undefined;
    this.#server = server;
  }

  /** The address of the server that it is connected to, or was last. */
  get url(): string {
    return this.#wire.server.replace(/\/$/, '');
  }

  /**
   * Runs a function once for each input. Resolves as soon as the job is on the server's disk; inputs follow as fast as
   * the server takes them. Where the inputs are another job, its results are, in the order of its tasks and as they come, those
   * that are undefined left out; they never leave the farm. The function must need nothing from around it; a module is bundled with all it imports.
   * Inputs and results may be of any size that the language can hold: the JSON text of a value ends at half a GiB, the
   * longest string of V8; a Uint8Array may be larger (1 GiB is tested). Given {@link variants}, each worker runs the one that is fastest there.
   * Rejects with a TaskCodeError (the code can't be sent), a ValueError (an input can't be, and where), a FarmError, or
   * the signal's reason.
   */
  map<In, Out>(
    task: TaskFunction<In, Out>,
    inputs: Inputs<In> | Job<In | undefined>,
    options?: JobOptions,
  ): Promise<Job<Awaited<Out>>>;
  /** `map<typeof import('./task.ts').default>(new URL('./task.ts', import.meta.url), inputs)` types both ends. */
  map<Task extends AnyTask = (input: unknown) => unknown>(
    task: URL | TaskCode | Variants<Task>,
    inputs: Inputs<InputOf<Task>> | Job<InputOf<Task> | undefined>,
    options?: JobOptions,
  ): Promise<Job<OutputOf<Task>>>;
  async map(task: Source, inputs: Inputs<unknown> | Job, options: JobOptions = {}): Promise<Job> {
    this.#refuseClosed();
    const code = isTaskCode(task) ? task : await this.#code(task, options.install);
    const job = await submitJob<unknown>(this.#around, this.#wire, code, inputs, options);
    this.#feeding.add(job);
    const sent = (): void => void this.#feeding.delete(job);
    job.submitted.then(sent, sent);
    return job;
  }

  /**
   * Runs a function once. Calls of the same function with the same options share one open job, so that many small ones
   * are cheap. Rejects with a {@link TaskError} if it fails.
   */
  run<In, Out>(task: TaskFunction<In, Out>, input: In, options?: JobOptions): Promise<Awaited<Out>>;
  run<Out>(task: () => Out, input?: undefined, options?: JobOptions): Promise<Awaited<Out>>;
  run<Task extends AnyTask = (input: unknown) => unknown>(
    task: URL | TaskCode | Variants<Task>,
    input: InputOf<Task>,
    options?: JobOptions,
  ): Promise<OutputOf<Task>>;
  run(task: Source, input?: unknown, options: JobOptions = {}): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    // What can be told from its neighbours only as a job of its own gets one.
    if (options.signal !== undefined || options.idempotencyKey !== undefined || options.spawns === true)
      return this.#runAlone(task, input, options);
    const code = this.#codeOnce(task, options.install);
    if (code instanceof Promise) return code.then((ready) => this.#runShared(task, ready, input, options));
    try {
      return this.#runShared(task, code, input, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A job that was submitted before, by its id; nothing is asked of the server yet. */
  job<Out = unknown>(id: number): Job<Out> {
    if (!Number.isSafeInteger(id) || id < 1)
      throw new RangeError(`a job's id is a whole number from 1 up, not ${String(id)}`);
    return new Job<Out>(this.#wire, this.#around.blobs, id);
  }

  /**
   * Stores bytes, or those of a file (`file:` URL, any size), in the farm; a task gets them by `ctx.blob(sha256)` or
   * `ctx.file(ref)`. An upload that is cut goes on where it was cut. `moved` is told how far a file is. Rejects with a
   * FarmError `changed` if the file changes meanwhile.
   */
  async upload(what: Uint8Array | URL, moved?: Moved): Promise<BlobRef> {
    this.#refuseClosed();
    const { blobs } = this.#around;
    if (what instanceof URL) return withFiles(blobs.putFile?.(what, moved));
    const ref = await blobs.refer(what);
    await blobs.put(ref, what);
    return ref;
  }

  /** The bytes of a blob. */
  download(ref: BlobRef): Promise<Uint8Array>;
  /**
   * Writes the bytes of a blob, of any size, into a file (`file:` URL), which bears its name once it is whole and right; until
   * then it is FILE.part, and a download that was cut goes on from there. `moved` is told how far it is.
   */
  download(ref: BlobRef, to: URL, moved?: Moved): Promise<void>;
  download(ref: BlobRef, to?: URL, moved?: Moved): Promise<unknown> {
    const { blobs } = this.#around;
    return to === undefined ? blobs.get(ref) : withFiles(blobs.getFile?.(ref, to, moved));
  }

  /**
   * Sends the inputs that are still to be sent (of an iterable without end, cancel the job first), then leaves. Jobs go on
   * without this program, except on an embedded farm, which ends at once. What waits for an answer rejects with a
   * FarmError. Rejects if the inputs of a job could not all be sent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      if (!this.embedded) await Promise.race([this.#allSent(), this.#wire.whenEnded, this.#serverGone()]);
    } finally {
      this.#wire.stop('the farm was closed by this program');
      for (const job of this.#feeding) job.abandon();
      this.#around.blobs.close();
      await this.#server?.close();
    }
  }

  /** Rejects when a server that is gone does not come back; settles in no other way. */
  #serverGone(): Promise<never> {
    const since = this.#around.now();
    this.#wire.hurry();
    return new Promise((_, reject) => {
      const look = (): void => {
        if (this.#wire.ended !== undefined) return;
        const waited = Math.min(this.#wire.lostFor, this.#around.now() - since);
        if (waited < CLOSE_PATIENCE) return void this.#around.alarm(CLOSE_PATIENCE / 5, look);
        const message =
          'the server is gone, and what this program had still to send with it: see what its jobs have got';
        reject(new FarmError('unreachable', message));
      };
      look();
    });
  }

  async #allSent(): Promise<void> {
    // The inputs of a job that has ended are of no use, and may have no end.
    for (const job of this.#feeding) {
      job.status().then(
        ({ progress }) => hasEnded(progress.state) && job.abandon(),
        () => {},
      );
    }
    const left = await Promise.allSettled([
      ...[...this.#runs.values()].flatMap((ours) => [...ours.values()].map((run) => run.close())),
      ...this.#leaving,
      ...[...this.#feeding].map((job) => job.submitted),
    ]);
    const refused = left.find((result) => result.status === 'rejected');
    if (refused !== undefined && this.#wire.ended === undefined) throw refused.reason;
  }

  #waitFor(closing: Promise<void>): void {
    this.#leaving.add(closing);
    const over = (): void => void this.#leaving.delete(closing);
    closing.then(over, over);
  }

  #runShared(task: Source, code: TaskCode, input: unknown, options: JobOptions): Promise<unknown> {
    let ours = this.#runs.get(code);
    if (ours === undefined) this.#runs.set(code, (ours = new Map()));
    const key = JSON.stringify(options);
    let shared = ours.get(key);
    if (shared === undefined || shared.over) {
      const made = new SharedRun(this.#around, this.#wire, (closing) => {
        if (closing !== undefined) this.#waitFor(closing);
        if (ours.get(key) === made) ours.delete(key);
        if (ours.size === 0 && this.#runs.get(code) === ours) this.#runs.delete(code);
      });
      shared = made;
      ours.set(key, made);
      made.open(code, options);
    }
    return shared.run(input) ?? this.#runAlone(task, input, options);
  }

  async #runAlone(task: Source, input: unknown, options: JobOptions): Promise<unknown> {
    const job = await this.map(task as URL, [input], options);
    return (await job.values())[0];
  }

  /** Functions are told apart by their text, since a loop makes a new one each time; a module is bundled once. */
  #codeOnce(task: Source, install?: readonly string[]): TaskCode | Promise<TaskCode> {
    if (isTaskCode(task)) return task;
    const named = task instanceof URL ? task.href : task instanceof Variants ? task : `${task.name} ${task}`;
    const text = install === undefined || typeof named !== 'string' ? named : `${JSON.stringify(install)} ${named}`;
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const reading = this.#code(task, install).then((code) => {
      if (this.#codes.get(text) === reading) this.#codes.set(text, code);
      return code;
    });
    this.#codes.set(text, reading);
    reading.catch(() => this.#codes.delete(text));
    if (this.#codes.size > RUN_FUNCTIONS) this.#codes.delete(this.#codes.keys().next().value as string);
    return reading;
  }

  #code(task: Exclude<Source, TaskCode>, install?: readonly string[]): Promise<TaskCode> {
    if (!(task instanceof Variants)) return this.#around.code(task, install);
    if (install !== undefined) throw new TypeError('variants install nothing: give the option install with a module');
    return task.codes((source) => this.#around.code(source));
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}

function withFiles<Result>(transfer: Promise<Result> | undefined): Promise<Result> {
  return transfer ?? Promise.reject(new TypeError('a browser has no files: give the bytes themselves'));
}

function closedError(): FarmError {
  return new FarmError('closed', 'the farm was closed by this program: connect() again');
}
