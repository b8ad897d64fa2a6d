import type { BlobRef } from '../../model/envelope.ts';
import { LOG_MESSAGE_BYTES } from '../../model/limits.ts';

/** What the context of a task needs from the process around it. */
export interface ContextHost {
  readonly farm: string;
  readonly job: number;
  readonly lease: number;
  log(stream: 'log', text: string): void;
  progress(fraction: number, text?: string): void;
  getBlob(sha256: string): Promise<Uint8Array>;
  putBlob(bytes: Uint8Array): Promise<BlobRef>;
  spawn(input: unknown): void;
  /** Absent: there are no files here. */
  readonly files?: {
    get(sha256: string): Promise<string>;
    keep(path: string): Promise<BlobRef>;
  };
}

const NO_FILES =
  'needs a disk, which a browser does not lend: import node:fs in the task, and only workers on Node are given it';

/**
 * The second argument of a task. One is made for each task, a million a second, so everything that costs something is
 * made when it is asked for.
 */
export class TaskContext {
  /** The task's place in its job. */
  readonly index: number;
  readonly #host: ContextHost;
  #abort: AbortController | undefined;

  constructor(host: ContextHost, index: number) {
    this.#host = host;
    this.index = index;
  }

  /** Aborted when nobody wants the result any more; the process is killed a moment later. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** Names this execution; another attempt of the same task has another one. */
  get attempt(): string {
    return `${this.#host.lease}-${this.index}`;
  }

  /** Names the task; the same in every attempt, so that effects outside can be made idempotent. */
  get key(): string {
    return `${this.#host.farm}-${this.#host.job}-${this.index}`;
  }

  /** A line for the job's log. */
  log(text: unknown): void {
    this.#host.log('log', String(text).slice(0, LOG_MESSAGE_BYTES));
  }

  /** How far the task is: 0 to 1, and a few words. */
  progress(fraction: number, text?: string): void {
    this.#host.progress(fraction, text);
  }

  /** The bytes of a blob of the farm, by its SHA-256; or, given bytes, stores them and gives their name. */
  blob(sha256: string): Promise<Uint8Array>;
  blob(bytes: Uint8Array): Promise<BlobRef>;
  blob(what: string | Uint8Array): Promise<Uint8Array | BlobRef> {
    return typeof what === 'string' ? this.#host.getBlob(what) : this.#host.putBlob(what);
  }

  /** Adds a task with that input to the job, behind all others, once this one is recorded as done. */
  spawn(input: unknown): void {
    this.#host.spawn(input);
  }

  /** The path of a file with the bytes of a blob, of any size; to be read until this task ends, and not to be written to. */
  async file(blob: BlobRef | string): Promise<string> {
    const { files } = this.#host;
    if (files === undefined) throw new TypeError(`ctx.file ${NO_FILES}`);
    return await files.get(typeof blob === 'string' ? blob : String(blob?.sha256));
  }

  /** Stores a file of any size that this task has written in its own directory, and gives its name. The file is gone then. */
  async keep(path: string): Promise<BlobRef> {
    const { files } = this.#host;
    if (files === undefined) throw new TypeError(`ctx.keep ${NO_FILES}`);
    return await files.keep(path);
  }

  /** @internal */
  static abort(context: TaskContext): void {
    context.#abort ??= new AbortController();
    context.#abort.abort();
  }
}
