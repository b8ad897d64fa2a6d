import type { JobId, TaskIndex } from './ids.ts';

/**
 * How the tasks of a job stand, in cells of equally many. A letter a cell: `d` all done, `f` some failed, `r` some are with a
 * worker, `1` to `9` so many tenths have ended, `c` ended with the job, `w` all wait.
 */
export interface TaskMap {
  readonly job: JobId;
  /** Tasks of the job. */
  readonly total: number;
  /** The first task that is shown, and how many there are in a cell. */
  readonly from: TaskIndex;
  readonly cell: number;
  readonly states: string;
  /** Batches that this tells of, and those recorded: where these differ, asking again tells more. */
  readonly read: number;
  readonly batches: number;
}
