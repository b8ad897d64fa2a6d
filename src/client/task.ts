import type { BlobRef } from '../model/envelope.ts';

/** The second argument of a task function. */
export interface TaskContext {
  /** The task's place in its job. */
  readonly index: number;
  /** Aborted when nobody wants the result any more; the process is killed a moment later. */
  readonly signal: AbortSignal;
  /** Names this execution; another attempt of the same task has another one. */
  readonly attempt: string;
  /** Names the task; the same in every attempt, so that effects outside can be made idempotent. */
  readonly key: string;
  /** A line for the job's log. */
  log(text: unknown): void;
  /** How far the task is: 0 to 1, and a few words. */
  progress(fraction: number, text?: string): void;
  /** The bytes of a blob of the farm, by its SHA-256; or, given bytes, stores them and gives their name. */
  blob(sha256: string): Promise<Uint8Array>;
  blob(bytes: Uint8Array): Promise<BlobRef>;
  /**
   * Adds a task with that input to this job, behind all others, if this one succeeds: exactly once, however often it is
   * attempted. The job must have been submitted with the option `spawns`. At most 4,096 inputs of 128 KiB together.
   */
  spawn(input: unknown): void;
  /**
   * The path of a file with the bytes of a blob, of any size; to be read until this task ends, and not to be written to.
   * Not in a browser.
   */
  file(blob: BlobRef | string): Promise<string>;
  /**
   * Stores a file of any size that this task has written in its own directory (where relative paths lead), and gives its
   * name. The file is gone then. Not in a browser.
   */
  keep(path: string): Promise<BlobRef>;
}

/** What runs on a worker, once for each input: the default export of a module, or a function that needs nothing around it. */
export type TaskFunction<In, Out> = (input: In, context: TaskContext) => Out | Promise<Out>;

/** Any task function, as a bound of a type parameter. */
export type AnyTask = (input: never, context: TaskContext) => unknown;

/** What a task function takes; a function without a parameter takes anything. */
export type InputOf<Task extends AnyTask> = Parameters<Task> extends [] ? unknown : Parameters<Task>[0];

/** What it gives in the end. */
export type OutputOf<Task extends AnyTask> = Awaited<ReturnType<Task>>;
