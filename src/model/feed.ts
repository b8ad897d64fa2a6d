import type { FarmHistory } from './farm-history.ts';
import type { JobId, WorkerId } from './ids.ts';
import type { JobProgress, JobSpec } from './job.ts';
import type { WorkerFacts, WorkerState } from './worker.ts';

/** A job as people and programs see it. */
export interface JobView {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly progress: JobProgress;
  /** Tasks that could run and do not. */
  readonly waiting: number;
  readonly running: number;
}

export interface WorkerView extends WorkerFacts {
  readonly state: WorkerState;
  /** Why it gave tasks back and gets none for a while, such as `its disk is full`; absent once a task has succeeded there. */
  readonly unable?: string;
  /** Tasks it runs, and tasks it has been given ahead. */
  readonly busy: number;
  readonly queued: number;
  /** Since it joined. */
  readonly done: number;
  readonly failed: number;
  /** Wall clock. */
  readonly lastHeardAt: number;
  /** Where it is connected, if that is another server of the farm than the one that tells of it. */
  readonly server?: string;
}

/** One of the servers that share a store, as people see it. */
export interface ServerView {
  readonly url: string;
  /** It is the one that tells. */
  readonly here?: true;
  readonly workers: number;
  /** Tasks that run with its workers. */
  readonly running: number;
  /** Wall clock of the store when it began. */
  readonly since: number;
  readonly leaving?: boolean;
  /** Wall clock when it found that the database may have lost what was written last. */
  readonly rewoundAt?: number;
}

/** What a server of several says of itself to the others, as JSON. */
export interface ServerFacts {
  /** Where it is reached. */
  readonly url: string;
  /** Its own workers, or as many as fit, and how many it has. */
  readonly workers: readonly WorkerView[];
  readonly connected: number;
  /** Tasks that run with its workers, by job. */
  readonly running: readonly (readonly [JobId, number])[];
  /** Wall clock since when the oldest batch is with one of its workers. */
  readonly oldestGrant?: number;
  /** It takes no more workers for now. */
  readonly leaving?: boolean;
  readonly rewoundAt?: number;
}

/** Since the server started. */
export interface Tallies {
  readonly done: number;
  readonly failed: number;
  readonly lost: number;
  readonly retried: number;
}

/** A job's change; what is absent is as it was. */
export interface JobDelta extends Omit<JobView, 'spec'> {
  /** Only when the reader cannot know it yet. */
  readonly spec?: JobSpec;
}

/**
 * What happens on a farm, as a fold: the snapshot, a boundary that says that it is complete, then deltas. A reader that
 * was away says which delta it saw last and gets those it missed, or a new snapshot if there were too many.
 */
export type FeedMessage =
  | {
      readonly kind: 'snapshot';
      readonly farm: string;
      /** Wall clock. */
      readonly at: number;
      /** Newest first: the live ones and some that have ended. */
      readonly jobs: readonly JobView[];
      readonly workers: readonly WorkerView[];
      /** Absent: there is one. */
      readonly servers?: readonly ServerView[];
      readonly tallies: Tallies;
      /** Of the last minutes, up to now. */
      readonly history: FarmHistory;
    }
  | { readonly kind: 'boundary'; readonly cursor: string }
  | {
      readonly kind: 'delta';
      readonly cursor: string;
      readonly at: number;
      readonly jobs?: readonly JobDelta[];
      readonly workers?: readonly WorkerView[];
      /** All of them, where something about them changed. */
      readonly servers?: readonly ServerView[];
      readonly goneJobs?: readonly JobId[];
      readonly goneWorkers?: readonly WorkerId[];
      readonly tallies: Tallies;
    };
