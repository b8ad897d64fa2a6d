import type { JobId, LeaseId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import type { BlockRecord, Job, JobProgress, JobSpec, LeaseRecord, ProgressChange } from '../model/job.ts';
import type { Run } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';
import type { HeldLease, WorkerFacts } from '../model/worker.ts';

/** What happened. Requests carry a number that the answer repeats; the shell knows who asked. */
export type Event =
  | {
      readonly kind: 'jobSubmitted';
      readonly request: RequestId;
      readonly job: JobId;
      readonly spec: JobSpec;
      readonly open: boolean;
    }
  /** One block of inputs arrived; the loop holds its bytes. `first` is where the job's inputs end so far. */
  | {
      readonly kind: 'inputsAdded';
      readonly request: RequestId;
      readonly job: JobId;
      readonly first: TaskIndex;
      readonly count: number;
      /** Which of its tasks need which large blobs, in the order of the tasks; absent: none does. */
      readonly large?: readonly LargeInput[];
    }
  /** No more inputs. `total`: how many the client sent, for the check. */
  | { readonly kind: 'jobClosed'; readonly request: RequestId; readonly job: JobId; readonly total: number }
  /** The answer to `claimMore`; `more`: there is at least one further block. */
  | {
      readonly kind: 'blocksClaimed';
      readonly job: JobId;
      readonly blocks: readonly BlockRecord[];
      readonly more: boolean;
    }
  /** `reopen` made failed tasks of an ended job free again. */
  | { readonly kind: 'jobReopened'; readonly request: RequestId; readonly job: Job }
  | { readonly kind: 'jobCancelled'; readonly request: RequestId; readonly job: JobId; readonly reason: string }
  | { readonly kind: 'jobPaused'; readonly request: RequestId; readonly job: JobId }
  | { readonly kind: 'jobResumed'; readonly request: RequestId; readonly job: JobId }
  /** A hello. Whatever the worker holds and `held` omits is ready at once; what nobody here knows is revoked. */
  | { readonly kind: 'workerJoined'; readonly worker: WorkerFacts; readonly held: readonly HeldLease[] }
  /** Anything at all came from the worker. `way`: what it takes now until a message has brought it more work, measured. */
  | { readonly kind: 'workerHeard'; readonly worker: WorkerId; readonly way?: Millis }
  /** The large blobs that the worker has now. */
  | { readonly kind: 'blobsHeld'; readonly worker: WorkerId; readonly blobs: readonly string[] }
  /** Its connection is gone. `final`: it said goodbye, or was stopped. */
  | { readonly kind: 'workerLeft'; readonly worker: WorkerId; readonly final: boolean; readonly reason: string }
  | OutcomesEvent
  /** Tasks the worker gives back unstarted. */
  | {
      readonly kind: 'tasksReleased';
      readonly worker: WorkerId;
      readonly lease: LeaseId;
      readonly runs: readonly Run[];
      /** For people: why it can't run them, where it said so. */
      readonly reason?: string;
    }
  | ElsewhereEvent
  | { readonly kind: 'workerDrained'; readonly request: RequestId; readonly worker: WorkerId; readonly drain: boolean }
  | { readonly kind: 'workerStopped'; readonly request: RequestId; readonly worker: WorkerId }
  /** Time passes: the shell sends it at `wakeAt`, or later. */
  | { readonly kind: 'tick' };

/** What other servers did, where several share a store. It is on disk. */
export type ElsewhereEvent =
  /** A job that was submitted, or opened again, elsewhere. */
  | { readonly kind: 'jobFound'; readonly job: Job; readonly claimable: boolean }
  /** What others brought to its progress, and what is stored of that now. */
  | {
      readonly kind: 'progressFound';
      readonly job: JobId;
      readonly change: ProgressChange;
      readonly progress: JobProgress;
    }
  /** What was decided of these leases was not written, since their job was ended elsewhere. */
  | { readonly kind: 'leasesLeftOut'; readonly leases: readonly LeaseId[] }
  /** Workers that are connected to other servers now: all of them. */
  | { readonly kind: 'workersElsewhere'; readonly workers: readonly WorkerId[] }
  /** A worker that has these of this server is at another one, which asks for them (R39). */
  | { readonly kind: 'leasesWanted'; readonly worker: WorkerId; readonly leases: readonly LeaseId[] }
  /** A pulse of the farm says it. `claimable`: blocks can be claimed; `wanted`: others have nothing to do. */
  | { readonly kind: 'jobPulsed'; readonly job: JobId; readonly claimable: boolean; readonly wanted: boolean }
  /**
   * Workers came here with leases of other servers: what could be taken over of them. `held`: as their hellos said; what is not
   * among the leases is not theirs any more.
   */
  | {
      readonly kind: 'leasesTaken';
      readonly newcomers: readonly { readonly worker: WorkerId; readonly held: readonly HeldLease[] }[];
      readonly blocks: readonly BlockRecord[];
      readonly leases: readonly LeaseRecord[];
    };

/** Outcomes of tasks of one lease. The loop holds the column, in the order of `runs`. */
export interface OutcomesEvent {
  readonly kind: 'outcomes';
  readonly worker: WorkerId;
  readonly lease: LeaseId;
  readonly job: JobId;
  readonly runs: readonly Run[];
  /** Those that failed; all others are done. Sorted by index. */
  readonly failures: readonly TaskFailed[];
  /** Time the tasks took on their slot, together. */
  readonly elapsedMicros: number;
  /** What they gave their job, which follows their outcomes in the column. */
  readonly spawned?: Spawned;
}

/** A task whose input is, or names, a large blob. */
export interface LargeInput {
  readonly index: TaskIndex;
  /** Its SHA-256. */
  readonly blob: string;
}

export interface TaskFailed {
  readonly index: TaskIndex;
  readonly kind: 'failed' | 'timeout' | 'crash' | 'memory';
  /** For people, one line. */
  readonly message: string;
}

/** 0: nobody waits for an answer. */
export type RequestId = number;
