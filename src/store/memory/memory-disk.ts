import type { PackedColumn } from '../../model/envelope.ts';
import type { Epoch, JobId, LeaseId, Millis, TaskIndex } from '../../model/ids.ts';
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
  /** By the names of their rows. */
  readonly blocks: Map<string, BlockRecord>;
  /** The one with number n is at n - 1. */
  readonly segments: StoredSegment[];
  readonly attempts: AttemptRecord[];
  readonly logs: { readonly cursor: number; readonly log: LogRecord }[];
  readonly blobs: Set<string>;
}

/** A server that shares the data (D18). Times are of the store's clock. */
export interface StoredMember {
  facts: string;
  /** In which it joined. */
  readonly timeline: number;
  readonly since: Millis;
  aliveUntil: Millis;
  /** Since when its pulses have come without a gap. */
  steadySince: Millis;
  /** When others said that its time is over. */
  overAt?: Millis;
  /** What was left for it (D23). */
  orders: string[];
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
  /** Which of its copies it is, and of which of them servers know; and how often it went back in time (D25). */
  timeline = 1;
  knownTimeline = 1;
  history = 0;
  readonly jobs = new Map<JobId, StoredJob>();
  readonly forgetting = new Map<JobId, StoredJob>();
  readonly leases = new Map<LeaseId, LeaseRecord>();
  readonly tokens = new Map<string, TokenRecord>();
  readonly idempotency = new Map<string, { readonly job: JobId; readonly digest: string }>();
  /** The store that has it open (D10). */
  holder: object | undefined;

  /** The clock of a disk that several stores may have open at once; undefined: one may. */
  readonly clock: (() => Millis) | undefined;
  readonly members = new Map<Epoch, StoredMember>();
  /** Who holds a lease (D21). */
  readonly holders = new Map<LeaseId, Epoch>();
  nextPart = 1;
  /** When a server last found nothing to claim of a job (D22). */
  readonly hunger = new Map<JobId, Map<Epoch, Millis>>();
  tokenWrites = 0;
  /** Whom a hint is told. */
  readonly hinted = new Map<object, () => void>();

  constructor(farm = 'memory', clock?: () => Millis) {
    this.farm = farm;
    this.clock = clock;
  }

  /** What a standby would have that stops to follow it now. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk(this.farm, this.clock);
    copy.#takeFrom(this);
    return copy;
  }

  /** It is lost with all that was written since the copy was made, and the copy takes its place. Who has it open is told nothing. */
  failOver(copy: MemoryDisk): void {
    const { timeline } = this;
    this.#takeFrom(copy);
    this.timeline = timeline + 1;
  }

  #takeFrom(other: MemoryDisk): void {
    const { epoch, nextJob, nextLog, nextPart, tokenWrites, timeline, knownTimeline, history } = other;
    Object.assign(this, { epoch, nextJob, nextLog, nextPart, tokenWrites, timeline, knownTimeline, history });
    refill(this.jobs, other.jobs, copyJob);
    refill(this.forgetting, other.forgetting, copyJob);
    refill(this.leases, other.leases, same);
    refill(this.tokens, other.tokens, same);
    refill(this.idempotency, other.idempotency, same);
    refill(this.members, other.members, (member) => ({ ...member, orders: [...member.orders] }));
    refill(this.holders, other.holders, same);
    refill(this.hunger, other.hunger, (at) => new Map(at));
  }

  /** How the row of a block is named: where it is shared, several servers may have a row of it. */
  rowOf({ first, epoch, part }: Pick<BlockRecord, 'first' | 'epoch' | 'part'>): string {
    return this.clock === undefined ? `${first}` : `${first}/${epoch}/${part ?? ''}`;
  }
}

export function inIndexOrder(blocks: ReadonlyMap<string, BlockRecord>): BlockRecord[] {
  return [...blocks.values()].sort((a, b) => a.first - b.first || (a.part ?? 0) - (b.part ?? 0));
}

function same<Value>(value: Value): Value {
  return value;
}

function refill<Key, Value>(map: Map<Key, Value>, from: ReadonlyMap<Key, Value>, copy: (value: Value) => Value): void {
  map.clear();
  for (const [key, value] of from) map.set(key, copy(value));
}

/** Rows are never changed in place. */
function copyJob(job: StoredJob): StoredJob {
  return {
    ...job,
    inputs: new Map(job.inputs),
    blocks: new Map(job.blocks),
    segments: [...job.segments],
    attempts: [...job.attempts],
    logs: [...job.logs],
    blobs: new Set(job.blobs),
  };
}
