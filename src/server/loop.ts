import { type PackedColumn, ValueStatus } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { LOOP_BACKLOG_BYTES } from '../model/limits.ts';
import type { MadeOutcome, SchedulerWrite, SegmentRecord, Write } from '../model/records.ts';
import { countRuns, type Run, sameRuns } from '../model/runs.ts';
import { packColumn, readColumn, selectColumn } from '../protocol/column.ts';
import type { Command } from '../scheduler/commands.ts';
import type { Event } from '../scheduler/events.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { type Store, StoreError } from '../store/store.ts';
import type { Clock } from './clock.ts';
import type { InputCache } from './input-cache.ts';

/** A command that acts on the world: all but writes, which the loop itself commits first. */
export type Effect = Exclude<Command, { kind: 'write' }>;

/** What the loop talks to. Everything it is told is on disk already. */
export interface Outbox {
  perform(effect: Effect): void;
  /** The writes of a committed group, before its effects. */
  committed(writes: readonly Write[]): void;
  /** The group was not committed: who waits for it must hear. The brain is rebuilt next. */
  failed(error: StoreError, effects: readonly Effect[]): void;
  /** The brain was rebuilt from disk; whatever was connected must introduce itself again. */
  rebuilt(): void;
  /** The disk cannot be trusted any more (F-22): the process must end. */
  broken(error: StoreError): void;
}

interface Group {
  writes: Write[];
  effects: Effect[];
  waiters: { resolve: () => void; reject: (error: Error) => void }[];
  bytes: number;
  /** Where in `writes` the row of a job's progress or of a block stands, so that a later one replaces it. */
  rows: Map<string, number>;
}

/**
 * The loop of design section 4: events in, one transaction a group, and only then messages out. One commit is in
 * flight while the next group gathers. Nothing leaves before its cause is on disk.
 */
export class Loop {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #inputs: InputCache;
  readonly #rebuild: () => Promise<Brain>;
  #brain: Brain | undefined;
  #gathering: Group = newGroup();
  #committing: Group | undefined;
  #flushPlanned = false;
  #cancelAlarm: (() => void) | undefined;
  #alarmAt: number | undefined;
  #stopped = false;
  readonly #whenCalm: (() => void)[] = [];
  readonly counters = { commits: 0, commitMillis: 0, events: 0, writes: 0, failures: 0 };

  constructor(options: {
    store: Store;
    clock: Clock;
    outbox: Outbox;
    inputs: InputCache;
    /** Raises the epoch, reads the store and makes a scheduler of it: at the start and after each failed commit. */
    rebuild: () => Promise<Brain>;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#outbox = options.outbox;
    this.#inputs = options.inputs;
    this.#rebuild = options.rebuild;
  }

  async start(): Promise<void> {
    this.#brain = await this.#rebuild();
    this.#setAlarm();
  }

  /** Undefined while the store does not take writes. */
  get scheduler(): Scheduler | undefined {
    return this.#brain?.scheduler;
  }

  get backlogBytes(): number {
    return this.#gathering.bytes + (this.#committing?.bytes ?? 0);
  }

  /** Gateways stop reading when this is true, and go on at `calm`. */
  get pressed(): boolean {
    return this.backlogBytes > LOOP_BACKLOG_BYTES;
  }

  calm(run: () => void): void {
    if (this.pressed) this.#whenCalm.push(run);
    else run();
  }

  /** `column`: the bytes the event speaks of. `extra`: rows that belong to the same cause. False: not taken, the store is down. */
  post(event: Event, column?: PackedColumn, extra?: readonly Write[]): boolean {
    if (this.#brain === undefined || this.#stopped) return false;
    this.counters.events++;
    this.#take(this.#brain.scheduler.handle(event, this.#clock.now()), event, column);
    // After the event's own rows: they may speak of a job that is one of those.
    if (extra !== undefined) for (const write of extra) this.#add(write, 64);
    this.#planFlush();
    this.#setAlarm();
    return true;
  }

  /** Rows that the scheduler has no part in; resolves once they are on disk. */
  write(writes: readonly Write[]): Promise<void> {
    if (this.#brain === undefined || this.#stopped)
      return Promise.reject(new StoreError('busy', 'the store takes no writes now'));
    for (const write of writes) this.#add(write, 256);
    const done = new Promise<void>((resolve, reject) => this.#gathering.waiters.push({ resolve, reject }));
    this.#planFlush();
    return done;
  }

  /** Takes no more events; resolves when all that was taken is on disk. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelAlarm?.();
    while (this.#committing !== undefined || this.#gathering.writes.length + this.#gathering.effects.length > 0) {
      this.#flush();
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
  }

  #take(commands: readonly Command[], event: Event, column: PackedColumn | undefined): void {
    for (const command of commands) {
      if (command.kind === 'write') this.#addSchedulerWrite(command.write, event, column);
      else this.#gathering.effects.push(command);
    }
  }

  #addSchedulerWrite(write: SchedulerWrite, event: Event, column: PackedColumn | undefined): void {
    switch (write.kind) {
      case 'inputs':
        if (column === undefined) throw new Error('inputs without bytes');
        this.#add({ ...write, column }, column.length);
        return;
      case 'segment': {
        const bytes = segmentColumn(write.segment, write.made, event, column);
        this.#add({ kind: 'segment', segment: write.segment, column: bytes }, bytes.length);
        return;
      }
      case 'block':
        if (event.kind === 'inputsAdded' && column !== undefined && write.block.first === event.first) {
          this.#inputs.put(write.block.job, write.block.first, column);
        }
        this.#replace(`block ${write.block.job}/${write.block.first}`, write);
        return;
      case 'progress':
        this.#replace(`progress ${write.job}`, write);
        return;
      case 'blockEnded':
        // A later block row of the same name would be a new life of it: it must not take the place of an older one.
        this.#gathering.rows.delete(`block ${write.job}/${write.first}`);
        this.#add(write, 32);
        return;
      default:
        this.#add(write, 128);
    }
  }

  #replace(row: string, write: Write): void {
    const at = this.#gathering.rows.get(row);
    if (at !== undefined) {
      this.#gathering.writes[at] = write;
    } else {
      this.#gathering.rows.set(row, this.#gathering.writes.length);
      this.#add(write, 256);
    }
  }

  #add(write: Write, bytes: number): void {
    this.#gathering.writes.push(write);
    this.#gathering.bytes += bytes;
    this.counters.writes++;
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#committing !== undefined) return;
    this.#flushPlanned = true;
    this.#clock.defer(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const brain = this.#brain;
    if (this.#committing !== undefined || brain === undefined) return;
    const group = this.#gathering;
    if (group.writes.length === 0 && group.waiters.length === 0) {
      if (group.effects.length > 0) {
        this.#gathering = newGroup();
        this.#performAll(group);
      }
      return;
    }
    this.#gathering = newGroup();
    this.#committing = group;
    const started = this.#clock.now();
    this.#store.commit(group.writes, brain.epoch).then(
      () => {
        this.counters.commits++;
        this.counters.commitMillis += this.#clock.now() - started;
        this.#committing = undefined;
        this.#outbox.committed(group.writes);
        for (const waiter of group.waiters) waiter.resolve();
        this.#performAll(group);
        this.#relax();
        this.#flush();
      },
      (error: unknown) => void this.#fail(group, asStoreError(error)),
    );
  }

  #performAll(group: Group): void {
    for (const effect of group.effects) {
      if (effect.kind === 'claimMore') this.#claim(effect.job, effect.blocks);
      else if (effect.kind === 'dropBlock') this.#inputs.drop(effect.job, effect.first);
      else this.#outbox.perform(effect);
    }
  }

  #claim(job: JobId, max: number): void {
    const brain = this.#brain;
    if (brain === undefined) return;
    this.#store.claim(job, max, brain.epoch).then(
      (claimed) => {
        if (this.#brain !== brain) return;
        for (const { block, inputs } of claimed) if (inputs !== undefined) this.#inputs.put(job, block.first, inputs);
        this.post({ kind: 'blocksClaimed', job, blocks: claimed.map((c) => c.block), more: claimed.length === max });
      },
      (error: unknown) => {
        if (this.#brain === brain) void this.#fail(undefined, asStoreError(error));
      },
    );
  }

  /** One recovery path: whatever was decided since the last commit is forgotten, and the brain read from disk again. */
  async #fail(group: Group | undefined, error: StoreError): Promise<void> {
    this.counters.failures++;
    const lost = [group, this.#committing === group ? undefined : this.#committing, this.#gathering];
    this.#brain = undefined;
    this.#committing = undefined;
    this.#gathering = newGroup();
    this.#cancelAlarm?.();
    this.#alarmAt = undefined;
    this.#inputs.clear();
    for (const each of lost) {
      if (each === undefined) continue;
      for (const waiter of each.waiters) waiter.reject(error);
      this.#outbox.failed(error, each.effects);
    }
    this.#relax();
    if (error.code === 'broken' || error.code === 'fenced' || error.code === 'damaged')
      return this.#outbox.broken(error);
    await this.#rebuildUntilItWorks();
  }

  async #rebuildUntilItWorks(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#brain = await this.#rebuild();
        this.#setAlarm();
        this.#outbox.rebuilt();
        return;
      } catch (error) {
        const cause = asStoreError(error);
        if (cause.code === 'broken' || cause.code === 'damaged') return this.#outbox.broken(cause);
        await new Promise<void>((resolve) => this.#clock.alarm(REBUILD_EVERY, resolve));
      }
    }
  }

  #relax(): void {
    if (this.pressed) return;
    for (const run of this.#whenCalm.splice(0)) run();
  }

  #setAlarm(): void {
    const at = this.#brain?.scheduler.wakeAt();
    if (at === this.#alarmAt) return;
    this.#cancelAlarm?.();
    this.#cancelAlarm = undefined;
    this.#alarmAt = at;
    if (at === undefined) return;
    this.#cancelAlarm = this.#clock.alarm(Math.max(0, at - this.#clock.now()), () => {
      this.#alarmAt = undefined;
      this.post({ kind: 'tick' });
    });
  }
}

/** A scheduler and the epoch under which it writes. */
export interface Brain {
  readonly scheduler: Scheduler;
  readonly epoch: number;
}

/** Milliseconds between attempts to come back when the disk is full. */
const REBUILD_EVERY = 1_000;

function newGroup(): Group {
  return { writes: [], effects: [], waiters: [], bytes: 0, rows: new Map() };
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('broken', error instanceof Error ? error.message : String(error), { cause: error });
}

/** The bytes of what is recorded: the event's own column where all of it is, else the part that is. */
function segmentColumn(
  segment: SegmentRecord,
  made: MadeOutcome | undefined,
  event: Event,
  column: PackedColumn | undefined,
): PackedColumn {
  if (made !== undefined) return madeColumn(made, countRuns(segment.runs));
  if (event.kind !== 'outcomes' || column === undefined) throw new Error('a segment without bytes');
  if (sameRuns(segment.runs, event.runs)) return column;
  return selectColumn(readColumn(column), positionsOf(segment.runs, event.runs));
}

/** Where in a column that follows `all` the tasks of `part` stand. */
export function positionsOf(part: readonly Run[], all: readonly Run[]): Run[] {
  const positions: Run[] = [];
  let at = 0;
  let offset = 0;
  for (const run of part) {
    let start = run.start;
    let left = run.count;
    while (left > 0) {
      const within = all[at];
      if (within === undefined) throw new Error('tasks that are not in their message');
      const skip = start - within.start;
      if (skip >= within.count) {
        offset += within.count;
        at++;
        continue;
      }
      const take = Math.min(left, within.count - skip);
      positions.push({ start: offset + skip, count: take });
      start += take;
      left -= take;
    }
  }
  return positions;
}

function madeColumn(made: MadeOutcome, count: number): PackedColumn {
  const kind = made.status === ValueStatus.poison ? 'poison' : 'crash';
  const text = new TextEncoder().encode(`${JSON.stringify({ kind, name: made.name, message: made.message })},`);
  const bytes = new Uint8Array(text.length * count);
  for (let i = 0; i < count; i++) bytes.set(text, i * text.length);
  return packColumn(new Uint32Array(count).fill(text.length), made.status, bytes);
}
