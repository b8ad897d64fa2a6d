import type { Runner } from '../model/job.ts';

/** Code as a farm takes it: complete in itself. What {@link Farm.map} makes of a module or a function. */
export interface TaskCode {
  /** `js` unless said otherwise. */
  readonly runner?: Runner;
  readonly code: string;
  /** For people. */
  readonly sourceName: string;
}

export function isTaskCode(task: unknown): task is TaskCode {
  return typeof task === 'object' && task !== null && 'code' in task && typeof task.code === 'string';
}
