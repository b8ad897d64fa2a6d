import type { JobId, TaskIndex, WorkerId } from '../model/ids.ts';
import type { BlockRecord, JobProgress, JobSpec, JobState, ProgressChange, ProgressCounter } from '../model/job.ts';
import { BATCH_TIME, PREFETCH_LONGEST } from '../model/limits.ts';
import { changedProgress, changeOf } from '../model/progress.ts';
import { BlockState, type Tally } from './block-state.ts';
import type { Lane, Share } from './fairness.ts';
import type { Lease } from './leases.ts';
import type { Needs } from './nearby.ts';
import type { Shape } from './shapes.ts';
import type { Trials } from './variants.ts';
import type { Worker } from './worker-state.ts';

/** Tasks by which a mean forgets: tasks of one job may get longer as it goes. */
const MEMORY = 256;

/** A task with a past whose time has come; it may have ended or moved since. */
export interface Due {
  readonly block: BlockState;
  readonly index: TaskIndex;
}

/** A job that has not ended, as far as it is in memory: its counters and its blocks in flight. */
export class OpenJob {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly shape: Shape;
  readonly share: Share;
  state: JobState;
  open: boolean;
  total: number;
  done: number;
  failed: number;
  cancelled: number;
  retried: number;
  lost: number;
  copied: number;
  recalled: number;
  segments: number;
  readonly generation: number;
  busyMicros: number;
  startedAt: number | undefined;
  endedAt: number | undefined;
  reason: string | undefined;

  readonly blocks = new Map<TaskIndex, BlockState>();
  /** By block, also of those that are not in memory: which tasks need which large blobs (R32). */
  readonly needs = new Map<TaskIndex, Needs>();
  /** Blocks with ready tasks, in the order in which they are handed out. */
  readonly readyBlocks = new Set<BlockState>();
  readonly tally: Tally = { ready: 0, aside: 0, leased: 0, orphaned: 0 };
  /** Tasks of `aside` that may run, oldest first. */
  readonly due: Due[] = [];
  /** Leases of lost workers, oldest first. */
  readonly orphans = new Set<Lease>();
  /** Leases whose tasks run or are queued. */
  readonly live = new Set<Lease>();
  /** Tasks that are in no block in memory. */
  unclaimed: number;
  /** The store may have more blocks. */
  more: boolean;
  claiming = false;
  /** Inputs arrived that a claim under way may have come too early for. */
  moreSinceClaim = false;

  /** Mean microseconds of a task on its slot; undefined: nothing is measured. */
  mean: number | undefined;
  #measured = 0;
  /** Two workers on which tasks of it succeeded, to tell a bad worker from a bad job (R26). */
  readonly succeededOn: WorkerId[] = [];

  /** Where it has several codes: how fast these are on whom (R33). What is known of a worker goes with it. */
  readonly trials = new WeakMap<Worker, Trials>();

  /** No task of it has run long enough for a second copy before this time (R25). */
  speculateAt = 0;

  /** Its start tag among the jobs of its owner (R19). */
  start = 0;
  /** Where it waits for its turn. */
  lane: Lane | undefined;
  /** The feed knows its spec. */
  announced = false;
  /** Its progress as it was written last, or has become by what other servers brought. */
  #written: JobProgress;

  constructor(id: JobId, spec: JobSpec, progress: JobProgress, shape: Shape, share: Share) {
    this.id = id;
    this.spec = spec;
    this.shape = shape;
    this.share = share;
    this.state = progress.state;
    this.open = progress.open;
    this.total = progress.total;
    this.done = progress.done;
    this.failed = progress.failed;
    this.cancelled = progress.cancelled;
    this.retried = progress.retried;
    this.lost = progress.lost;
    this.copied = progress.copied ?? 0;
    this.recalled = progress.recalled ?? 0;
    this.segments = progress.segments;
    this.generation = progress.generation;
    this.busyMicros = progress.busyMicros;
    this.startedAt = progress.startedAt;
    this.endedAt = progress.endedAt;
    this.reason = progress.reason;
    this.unclaimed = this.total - this.done - this.failed - this.cancelled;
    this.more = this.unclaimed > 0;
    this.#written = progress;
    const outcomes = this.done + this.failed;
    if (outcomes > 0) this.measure(outcomes, this.busyMicros);
  }

  get ended(): number {
    return this.done + this.failed + this.cancelled;
  }

  /** Tasks that are with a worker. */
  get running(): number {
    return this.tally.leased;
  }

  get waiting(): number {
    return this.total - this.ended - this.tally.leased;
  }

  /** Tasks in memory that could be granted now. */
  get ready(): number {
    return this.tally.ready + this.due.length + this.tally.orphaned;
  }

  /** It has, or may get from the store, what could be handed out. */
  get wantsSlots(): boolean {
    return this.state === 'active' && (this.ready > 0 || (this.more && !this.claiming));
  }

  /** Short enough to be queued behind others (R21). */
  get short(): boolean {
    return this.mean !== undefined && this.mean <= PREFETCH_LONGEST * 1000;
  }

  /** Estimate, in microseconds, of one task; before anything is measured, of a short one. */
  get estimate(): number {
    return this.mean ?? BATCH_TIME * 1000;
  }

  measure(tasks: number, micros: number): void {
    const before = Math.min(this.#measured, MEMORY);
    this.mean = ((this.mean ?? 0) * before + micros) / (before + tasks);
    this.#measured = before + tasks;
  }

  addBlock(block: BlockState): void {
    this.blocks.set(block.first, block);
    this.unclaimed -= block.count - block.ended;
    this.noteReady(block);
  }

  /** A row of the store: a block, or more tasks of one that is here already. */
  enterBlock(record: BlockRecord, wall: number): BlockState {
    const known = this.blocks.get(record.first);
    if (known === undefined) {
      const block = BlockState.recover(record, wall, this.tally);
      this.addBlock(block);
      return block;
    }
    this.unclaimed -= known.receive(record, wall);
    this.noteReady(known);
    return known;
  }

  /** To be called after anything that may have changed whether a block has ready tasks. */
  noteReady(block: BlockState): void {
    if (block.tally.ready > 0) this.readyBlocks.add(block);
    else this.readyBlocks.delete(block);
  }

  /** One that runs alone after its past: its turn has come. */
  pushDue(block: BlockState, index: TaskIndex): void {
    this.due.push({ block, index });
  }

  /** It is over, as another server wrote it; `now`: where that says no time. */
  endAs(end: JobProgress, now: number): void {
    this.state = end.state;
    this.open = end.open;
    this.total = end.total;
    this.done = end.done;
    this.failed = end.failed;
    this.cancelled = end.cancelled;
    this.retried = end.retried;
    this.lost = end.lost;
    this.copied = end.copied ?? 0;
    this.recalled = end.recalled ?? 0;
    this.segments = end.segments;
    this.busyMicros = end.busyMicros;
    this.startedAt = end.startedAt;
    this.endedAt = end.endedAt ?? now;
    this.reason = end.reason;
    this.#written = end;
  }

  /** Its row, to be written now. */
  written(): { progress: JobProgress; change: ProgressChange } {
    const progress = this.progress();
    const change = changeOf(this.#written, progress);
    this.#written = progress;
    return { progress, change };
  }

  /** Other servers brought this; it is on disk. What has to happen about a new state is for the rules to do. */
  addElsewhere({ counted, set }: ProgressChange): void {
    const by = (name: ProgressCounter): number => counted[name] ?? 0;
    this.total += by('total');
    this.done += by('done');
    this.failed += by('failed');
    this.cancelled += by('cancelled');
    this.retried += by('retried');
    this.lost += by('lost');
    this.copied += by('copied');
    this.recalled += by('recalled');
    this.segments += by('segments');
    this.busyMicros += by('busyMicros');
    this.unclaimed += by('total') - by('done') - by('failed') - by('cancelled');
    this.open = set.open ?? this.open;
    this.startedAt ??= set.startedAt;
    this.#written = changedProgress(this.#written, { counted, set });
  }

  progress(): JobProgress {
    return {
      state: this.state,
      open: this.open,
      total: this.total,
      done: this.done,
      failed: this.failed,
      cancelled: this.cancelled,
      retried: this.retried,
      lost: this.lost,
      ...(this.copied === 0 ? {} : { copied: this.copied }),
      ...(this.recalled === 0 ? {} : { recalled: this.recalled }),
      segments: this.segments,
      generation: this.generation,
      busyMicros: this.busyMicros,
      ...(this.startedAt === undefined ? {} : { startedAt: this.startedAt }),
      ...(this.endedAt === undefined ? {} : { endedAt: this.endedAt }),
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }
}

export function newProgress(open: boolean, total: number): JobProgress {
  const none = { done: 0, failed: 0, cancelled: 0, retried: 0, lost: 0, segments: 0, generation: 0, busyMicros: 0 };
  return { state: 'active', open, total, ...none };
}
