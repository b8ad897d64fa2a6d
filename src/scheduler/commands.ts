import type { JobId, LeaseId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import type { JobProgress, JobSpec } from '../model/job.ts';
import type { SchedulerWrite } from '../model/records.ts';
import type { Run } from '../model/runs.ts';
import type { WorkerFacts, WorkerState } from '../model/worker.ts';
import type { RequestId } from './events.ts';

/** What the shell shall do. Writes are committed first; everything else leaves after the commit, in this order. */
export type Command =
  | { readonly kind: 'write'; readonly write: SchedulerWrite }
  /** Tasks of one block for a worker. `alone`: they run one at a time, each reported by itself. */
  | {
      readonly kind: 'grant';
      readonly worker: WorkerId;
      readonly lease: LeaseId;
      readonly job: JobId;
      /** The place of their code among those of the job. */
      readonly code: number;
      readonly block: TaskIndex;
      readonly runs: readonly Run[];
      readonly alone: boolean;
    }
  | {
      readonly kind: 'ack';
      readonly worker: WorkerId;
      readonly lease: LeaseId;
      readonly verdict: Verdict;
      readonly runs: readonly Run[];
    }
  /** Give back what of these has not been started. */
  | { readonly kind: 'recall'; readonly worker: WorkerId; readonly lease: LeaseId; readonly runs: readonly Run[] }
  /** Stop these, started or not; their outcomes are not wanted. */
  | { readonly kind: 'revoke'; readonly worker: WorkerId; readonly lease: LeaseId; readonly runs: readonly Run[] }
  | { readonly kind: 'claimMore'; readonly job: JobId; readonly blocks: number }
  /** The block has ended: its inputs are not needed any more. */
  | { readonly kind: 'dropBlock'; readonly job: JobId; readonly first: TaskIndex }
  /** The worker shall finish what it runs (`drain`) or leave now (`stop`). */
  | { readonly kind: 'dismiss'; readonly worker: WorkerId; readonly how: 'drain' | 'undrain' | 'stop' }
  | { readonly kind: 'reply'; readonly request: RequestId; readonly answer: Answer }
  | { readonly kind: 'publish'; readonly change: Change };

/** What an ack means (F-6 of the findings): only `recorded` outcomes count; none of them needs to be sent again. */
export type Verdict = 'recorded' | 'duplicate' | 'superseded' | 'unknown';

export type Answer =
  | { readonly ok: true }
  /** `conflict`: not in this state; `unknown`: no such thing; `invalid`: the numbers do not fit. */
  | { readonly ok: false; readonly code: 'conflict' | 'unknown' | 'invalid'; readonly message: string };

/** What the feed and the result streams hear of, once it is on disk. Recorded segments are told by their write. */
export type Change =
  | {
      readonly kind: 'job';
      readonly job: JobId;
      readonly progress: JobProgress /** Only the first time. */;
      readonly spec?: JobSpec;
      readonly waiting: number;
      readonly running: number;
    }
  | {
      readonly kind: 'worker';
      readonly worker: WorkerFacts;
      readonly state: WorkerState;
      readonly unable?: string;
      readonly busy: number;
      readonly queued: number;
      readonly done: number;
      readonly failed: number;
      readonly lastHeard: Millis;
    }
  | { readonly kind: 'workerGone'; readonly worker: WorkerId; readonly reason: string }
  | { readonly kind: 'blockEnded'; readonly job: JobId; readonly first: TaskIndex }
  | { readonly kind: 'speculated'; readonly job: JobId; readonly runs: readonly Run[] };
