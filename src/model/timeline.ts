import type { JobId, LeaseId, TaskIndex, WorkerId } from './ids.ts';
import type { AttemptRecord } from './records.ts';

/** One batch that was recorded, as a bar of the timeline. Times are of the server's wall clock. */
export interface TimelineBar {
  /** Its number among the batches of the job, in the order in which they ended. */
  readonly seq: number;
  /** Empty: the server made the outcome itself. */
  readonly worker: WorkerId;
  readonly lease: LeaseId;
  readonly from: number;
  readonly to: number;
  /** Microseconds that its tasks took on their slot, together. */
  readonly micros: number;
  /** Index of its first task. */
  readonly first: TaskIndex;
  readonly tasks: number;
  readonly failed: number;
}

/** A batch that is with a worker: it runs, or is queued there. */
export interface TimelineRunning {
  readonly worker: WorkerId;
  readonly lease: LeaseId;
  /** When its first unfinished task may have begun at the earliest. */
  readonly from: number;
  readonly first: TaskIndex;
  readonly tasks: number;
}

export type TimelineAttempt = Pick<
  AttemptRecord,
  'index' | 'worker' | 'lease' | 'outcome' | 'tasks' | 'startedAt' | 'endedAt' | 'message'
>;

/** What is told of a job's past, and of what it does now. */
export interface Timeline {
  readonly job: JobId;
  /** When this was told. */
  readonly at: number;
  /** Batches recorded in the time that was asked for; `bars` holds every `step`-th of them. */
  readonly batches: number;
  readonly step: number;
  readonly bars: readonly TimelineBar[];
  readonly running: readonly TimelineRunning[];
  /** What came to nothing; `isCut`: there is more of it. */
  readonly attempts: readonly TimelineAttempt[];
  readonly isCut: boolean;
  /** Of a timeline that is read in pages: where the next one begins. */
  readonly next?: number;
}
