import type { Runner } from '../model/job.ts';

/** Code as a farm takes it: complete in itself. What {@link Farm.map} makes of a module or a function. */
export interface TaskCode {
  /** `js` unless said otherwise. */
  readonly runner?: Runner;
  /** Text, or, where the runner is `wasi`, the bytes of a module. */
  readonly code: string | Uint8Array;
  /** For people. */
  readonly sourceName: string;
  /** Labels that a worker must have for this code, such as `{ arch: 'arm64' }`. */
  readonly requires?: Readonly<Record<string, string>>;
  /** Other codes that give the same results: what {@link variants} makes. */
  readonly variants?: readonly TaskCode[];
}

export function isTaskCode(task: unknown): task is TaskCode {
  if (typeof task !== 'object' || task === null || !('code' in task)) return false;
  return typeof task.code === 'string' || task.code instanceof Uint8Array;
}
