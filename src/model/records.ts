import type { PackedColumn, ValueStatus } from './envelope.ts';
import type { JobId, LeaseId, TaskIndex, WorkerId } from './ids.ts';
import type { BlockRecord, JobProgress, JobSpec, LeaseRecord, ProgressChange } from './job.ts';
import type { Run } from './runs.ts';

/** The outcomes of one batch that were committed together; append-only. Its column follows the order of `runs`. */
export interface SegmentRecord {
  readonly job: JobId;
  /** From 1 up without gaps in each job: the completion cursor. */
  readonly seq: number;
  /** First index of the block it belongs to. */
  readonly block: TaskIndex;
  readonly generation: number;
  readonly runs: readonly Run[];
  /** How many of them failed. */
  readonly failed: number;
  /** Which of them failed, for `retry`; may be left out where none or all of them did. */
  readonly failures?: readonly Run[];
  /** (index, charged attempts) of tasks that needed more than one, or failed. Others took one. */
  readonly attempts?: readonly (readonly [TaskIndex, number])[];
  readonly worker: WorkerId | '';
  readonly lease: LeaseId;
  /** Wall clock when the batch was granted, and the time its tasks took together. */
  readonly startedAt: number;
  readonly elapsedMicros: number;
  /** Wall clock when its outcomes arrived: they were run just before. Data of version 1 does not tell. */
  readonly endedAt?: number;
}

/**
 * An attempt worth remembering by itself: it failed and was tried again, was lost, or another copy of the task was faster
 * (`superseded`). The others are told by their segment.
 */
export interface AttemptRecord {
  readonly job: JobId;
  readonly index: TaskIndex;
  readonly lease: LeaseId;
  readonly worker: WorkerId;
  readonly outcome: 'failed' | 'timeout' | 'crash' | 'memory' | 'lost' | 'superseded';
  /** Tasks of a larger batch that share this fate, from `index` on; absent: this one alone. */
  readonly tasks?: number;
  /** Wall clock when it may have begun at the earliest. Data of version 1 does not tell. */
  readonly startedAt?: number;
  readonly endedAt: number;
  /** For people, one line. */
  readonly message: string;
}

export interface LogRecord {
  readonly job: JobId;
  readonly index: TaskIndex;
  readonly lease: LeaseId;
  readonly stream: 'stdout' | 'stderr' | 'log';
  readonly at: number;
  readonly text: string;
}

/** `enrol`: good for nothing but a token of one's own with the role `work`, which machines that boot from one image swap it for. */
export type Role = 'admin' | 'submit' | 'work' | 'read' | 'enrol';

export interface TokenRecord {
  /** Short, for people; not secret. */
  readonly id: string;
  /** SHA-256 of the token, hex. The token itself is never stored. */
  readonly hash: string;
  readonly role: Role;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  /** Of a machine that swapped another token for this one: that token, and which machine it is. */
  readonly enrolledBy?: string;
  readonly machine?: string;
  /** Addresses of its network cards, by which it can be woken. */
  readonly cards?: readonly string[];
}

interface InputsPlace {
  readonly job: JobId;
  readonly first: TaskIndex;
  readonly count: number;
  /** Wherever they come to stand: a store that several servers share puts them behind all that are there by then (D19). */
  readonly anywhere?: boolean;
}

/** What the scheduler wants on disk. Bytes are attached by the loop: they are those of the event being handled. */
export type SchedulerWrite =
  | { readonly kind: 'job'; readonly job: JobId; readonly spec: JobSpec; readonly progress: JobProgress }
  /** `change`: since the row that was written before, for stores that several servers share; absent: the row is what it says. */
  | { readonly kind: 'progress'; readonly job: JobId; readonly progress: JobProgress; readonly change?: ProgressChange }
  /** `at`: where these inputs stand in the event's column; absent: it has nothing else. */
  | (InputsPlace & { readonly kind: 'inputs'; readonly at?: readonly Run[] })
  | { readonly kind: 'block'; readonly block: BlockRecord }
  /** `part`: only that part of it, which was absorbed (D20). */
  | { readonly kind: 'blockEnded'; readonly job: JobId; readonly first: TaskIndex; readonly part?: number }
  /** Tasks of a block that this server gives back: anybody may claim them (D20). */
  | { readonly kind: 'blockFreed'; readonly block: BlockRecord }
  /** A lease whose worker is at another server, and the tasks in it that this server gives up: whoever has the worker takes both over (D26). */
  | { readonly kind: 'handedOver'; readonly lease: LeaseId; readonly block: BlockRecord }
  | { readonly kind: 'lease'; readonly lease: LeaseRecord }
  | { readonly kind: 'leaseEnded'; readonly lease: LeaseId }
  | { readonly kind: 'segment'; readonly segment: SegmentRecord; readonly made?: MadeOutcome }
  | { readonly kind: 'attempt'; readonly attempt: AttemptRecord };

/** An outcome that no worker sent: the loop makes the column of these equal failures. */
export interface MadeOutcome {
  readonly status: ValueStatus;
  readonly name: string;
  readonly message: string;
}

/** What a store commits: all of a group or nothing. */
export type Write =
  | Exclude<SchedulerWrite, { kind: 'inputs' | 'segment' }>
  | (InputsPlace & { readonly kind: 'inputs'; readonly column: PackedColumn })
  | { readonly kind: 'segment'; readonly segment: SegmentRecord; readonly column: PackedColumn }
  | { readonly kind: 'log'; readonly log: LogRecord }
  | { readonly kind: 'token'; readonly token: TokenRecord }
  | { readonly kind: 'blobRef'; readonly job: JobId; readonly sha256: string }
  | {
      readonly kind: 'idempotency';
      readonly owner: string;
      readonly key: string;
      readonly digest: string;
      readonly job: JobId;
    };

/** The job that a write is of; undefined: of none, or only its lease tells. */
export function jobOf(write: Write): JobId | undefined {
  switch (write.kind) {
    case 'segment':
      return write.segment.job;
    case 'block':
    case 'blockFreed':
    case 'handedOver':
      return write.block.job;
    case 'lease':
      return write.lease.job;
    case 'attempt':
      return write.attempt.job;
    case 'log':
      return write.log.job;
    case 'leaseEnded':
    case 'token':
      return undefined;
    default:
      return write.job;
  }
}
