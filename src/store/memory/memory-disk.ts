import type { PackedColumn } from '../../model/envelope.ts';
import type { Epoch, JobId, LeaseId, TaskIndex } from '../../model/ids.ts';
import type { BlockRecord, JobProgress, JobSpec, LeaseRecord } from '../../model/job.ts';
import type { AttemptRecord, LogRecord, TokenRecord } from '../../model/records.ts';
import type { StoredSegment } from '../store.ts';

/** All that is kept of one job. */
export interface StoredJob {
  readonly spec: JobSpec;
  progress: JobProgress;
  claimedTo: TaskIndex;
  /** By first index, in index order, since blocks follow each other. */
  readonly inputs: Map<TaskIndex, { readonly count: number; readonly column: PackedColumn }>;
  inputsEnd: TaskIndex;
  readonly blocks: Map<TaskIndex, BlockRecord>;
  /** The one with number n is at n - 1. */
  readonly segments: StoredSegment[];
  readonly attempts: AttemptRecord[];
  readonly logs: { readonly cursor: number; readonly log: LogRecord }[];
  readonly blobs: Set<string>;
}

/**
 * What survives a crash of a {@link MemoryStore}: give it to a new one to open the data again. It holds nothing that is
 * not committed.
 */
export class MemoryDisk {
  readonly farm: string;
  epoch: Epoch = 0;
  nextJob: JobId = 1;
  nextLog = 1;
  readonly jobs = new Map<JobId, StoredJob>();
  readonly forgetting = new Map<JobId, StoredJob>();
  readonly leases = new Map<LeaseId, LeaseRecord>();
  readonly tokens = new Map<string, TokenRecord>();
  readonly idempotency = new Map<string, { readonly job: JobId; readonly digest: string }>();
  /** The store that has it open (D10). */
  holder: object | undefined;

  constructor(farm = 'memory') {
    this.farm = farm;
  }
}
