import type { PackedColumn } from '../model/envelope.ts';
import type { Epoch, JobId, LeaseId, TaskIndex } from '../model/ids.ts';
import type { BlockRecord, Job, JobProgress, JobState, LeaseRecord } from '../model/job.ts';
import type { AttemptRecord, LogRecord, SegmentRecord, TokenRecord, Write } from '../model/records.ts';

/**
 * The contract of every store; the rules D1… are in STORE.md, and `testing/store-contract.ts` holds each
 * implementation to them. All verbs are asynchronous; they act in the order in which they were called.
 */
export interface Store {
  /** Names this farm for ever: made with the data. */
  readonly farm: string;

  /** Where several servers may have the same data open at once; absent: only one may (D10). */
  readonly shared?: SharedStore;

  /** Raises the epoch durably and returns it (D1). Once for each server start, before anything else. */
  start(): Promise<Epoch>;

  /** Open jobs, their unfinished blocks that this server holds, and their leases (D2). Takes over blocks of dead epochs. */
  recover(epoch: Epoch): Promise<Recovered>;

  /** The next job number; never given twice, not even after a crash (D3). */
  nextJobId(): Promise<JobId>;

  /**
   * All of it or nothing, synced to disk when it resolves (D4). Rejects with a {@link StoreError}. Bytes are copied
   * before the call returns, so they may be views of buffers that are used again. Returns them as they are stored: in a
   * shared store with the numbers that segments got and with the progress that all servers made together (D19).
   */
  commit(writes: readonly Write[], epoch: Epoch): Promise<readonly Write[]>;

  /**
   * Claims up to `max` blocks of a job for this epoch, durably: freed blocks first, then new ones from the frontier in
   * index order (D5). A range job's new blocks hold BLOCK_TASKS tasks each. Fewer than `max`: no more for now.
   */
  claim(job: JobId, max: number, epoch: Epoch): Promise<ClaimedBlock[]>;

  /** The inputs of a stored block. */
  readInputs(job: JobId, first: TaskIndex): Promise<PackedColumn | undefined>;

  /** Segments in the order of `seq`, after a cursor, of a job or of one of its blocks, up to about `maxBytes` but at least one. */
  readSegments(job: JobId, query: SegmentQuery, maxBytes: number): Promise<StoredSegment[]>;

  /**
   * What segments say of their batches, without the values: the one after the cursor, then every `step`-th, at most
   * `limit` (D17). Fewer where the columns, which are read to be checked, exceed `maxBytes`, but at least one.
   */
  readBatches(job: JobId, query: BatchQuery, maxBytes: number): Promise<StoredBatch[]>;

  /** Attempts that came to nothing, of all tasks, oldest first, after a cursor (D17). */
  readAttempts(
    job: JobId,
    query: { after: number; limit: number },
  ): Promise<{ cursor: number; attempt: AttemptRecord }[]>;

  /** First indexes and sizes of the stored input blocks from `from` on, at most `limit` (D6). For range jobs: computed. */
  listBlocks(job: JobId, from: TaskIndex, limit: number): Promise<{ first: TaskIndex; count: number }[]>;

  readJob(job: JobId): Promise<Job | undefined>;

  /** Newest first. */
  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }): Promise<Job[]>;

  /** What is known of one task: its last segment, its attempts, oldest first. */
  readTask(job: JobId, index: TaskIndex): Promise<TaskHistory>;

  /** Oldest first, after a cursor. */
  readLogs(
    job: JobId,
    query: { index?: TaskIndex; after: number; limit: number },
  ): Promise<{ cursor: number; log: LogRecord }[]>;

  /**
   * Opens the failed tasks of an ended job again, as freed blocks of a new generation, and makes it active (D7).
   * Returns how many; 0 changes nothing.
   */
  reopen(job: JobId): Promise<number>;

  /** One bounded step of deleting an ended job; call it again until it says true: nothing of it is left (D8). */
  forget(job: JobId): Promise<boolean>;

  findIdempotent(owner: string, key: string): Promise<{ job: JobId; digest: string } | undefined>;

  listTokens(): Promise<TokenRecord[]>;

  /** Blobs that no job refers to, out of those given (D9). */
  unreferenced(sha256: readonly string[]): Promise<string[]>;

  /** A consistent copy in a new file, made while commits go on; blobs are not part of it. */
  backup(path: string): Promise<void>;

  close(): Promise<void>;
}

/** What servers that share a store need of it beyond the rest (D18 to D27). Times are those of the store's clock. */
export interface SharedStore {
  /**
   * Says that this server lives; ends the time of servers that were silent for SERVER_LEASE, and frees what those held that have been
   * over for TAKEOVER_GRACE. Rejects with `fenced` if its own time is over. Returns what is to be known of the farm. Once in
   * PULSE_INTERVAL, and after a hint. `facts`: what it says of itself, for what the others say of themselves. Without it the jobs and
   * orders are read, which is what hints are about, and nothing is said: not even that it lives.
   */
  pulse(epoch: Epoch, facts?: string): Promise<Pulse>;

  /**
   * Workers came here with leases of other servers: takes the tasks of those whose server is over, as parts of their blocks
   * that this epoch holds (D21), and of those that were handed over (D26).
   */
  takeOver(leases: readonly LeaseId[], epoch: Epoch): Promise<TakenOver>;

  /** Leaves an order for another server, which its next pulse brings it, once. False: there is no such server. */
  order(to: Epoch, text: string): Promise<boolean>;

  /** Tells the other servers that something changed which they should not wait a pulse for. It may get lost. */
  hint(): void;

  /** What to do at the hint of another server. */
  onHint: () => void;
}

export interface Pulse {
  /** All that have not ended, in the order of their numbers. */
  readonly jobs: readonly PulseJob[];
  /** What other servers left for this one, oldest first; they are not told again. */
  readonly orders: readonly string[];
  /** Absent where this one said nothing of itself. */
  readonly farm?: FarmRecord;
}

export interface FarmRecord {
  /** Servers that live, this one among them, by epoch. */
  readonly servers: readonly ServerRecord[];
  /** Another number: tokens were written. */
  readonly tokens: number;
}

export interface PulseJob {
  readonly id: JobId;
  readonly progress: JobProgress;
  /** There is at least one block that could be claimed now. */
  readonly claimable: boolean;
  /** Another server found nothing to claim within HUNGER_TIME: whoever holds tasks that wait should give some back. */
  readonly wanted: boolean;
}

export interface ServerRecord {
  readonly epoch: Epoch;
  /** What it says of itself: text that the store does not read. */
  readonly facts: string;
  /** Wall clock of the store, ms since 1970. */
  readonly since: number;
}

export interface TakenOver {
  readonly blocks: readonly ClaimedBlock[];
  readonly leases: readonly LeaseRecord[];
  /** Leases whose holder lives, or has been silent for too short a time: ask again. Those in neither list are gone. */
  readonly held: readonly { readonly lease: LeaseId; readonly holder: Epoch }[];
}

export interface Recovered {
  readonly jobs: readonly Job[];
  /** Unfinished blocks now held by this epoch. */
  readonly blocks: readonly BlockRecord[];
  /** Every lease of these jobs that has no end yet. */
  readonly leases: readonly LeaseRecord[];
  /** Jobs whose forgetting was cut off: no longer listed, to be forgotten to the end (D8). */
  readonly forgetting: readonly JobId[];
  /** How often the data went back in time (D25); absent: it never does. */
  readonly history?: number;
}

export interface ClaimedBlock {
  readonly block: BlockRecord;
  /** Absent for range jobs. */
  readonly inputs?: PackedColumn;
}

export interface SegmentQuery {
  readonly after: number;
  /** What was read before is of this history of the data; `rewound` if it is another one now (D25). */
  readonly history?: number;
  /** Only those of this block. */
  readonly block?: TaskIndex;
}

export interface StoredSegment {
  readonly segment: SegmentRecord;
  readonly column: PackedColumn;
}

export interface BatchQuery {
  readonly after: number;
  readonly step: number;
  readonly limit: number;
}

export interface StoredBatch {
  readonly segment: SegmentRecord;
  /** Of its column. */
  readonly bytes: number;
}

export interface TaskHistory {
  readonly segment?: StoredSegment;
  readonly attempts: readonly AttemptRecord[];
}

/**
 * `full`: no room, try later; `busy`: try again; `fenced`: this epoch is over; `conflict`: the call contradicts what is
 * stored, a bug of the caller (D6, D12, D14); `stale`: another server ended the job meanwhile, the brain must be read again (D19); `broken`: the process must end (a sync failed); `newer`, `locked`, `refused`: the data
 * cannot be opened; `damaged`: it is not what was written; `rewound`: a database that others keep is not as new as what it had
 * acknowledged, so that something is lost: tell it, and read everything again (F-39).
 */
export class StoreError extends Error {
  readonly code:
    | 'full'
    | 'busy'
    | 'fenced'
    | 'conflict'
    | 'stale'
    | 'broken'
    | 'newer'
    | 'locked'
    | 'refused'
    | 'damaged'
    | 'rewound';

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}
