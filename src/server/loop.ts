import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, Millis } from '../model/ids.ts';
import type { BlockRecord } from '../model/job.ts';
import { LOOP_BACKLOG_BYTES, PING_INTERVAL, REBUILD_INTERVAL } from '../model/limits.ts';
import { jobOf, type Write } from '../model/records.ts';
import { SHARED_PING_INTERVAL } from '../model/server-limits.ts';
import type { Event } from '../scheduler/events.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { type ClaimedBlock, type Store, StoreError } from '../store/store.ts';
import type { Clock } from './clock.ts';
import { brings, type Effect, Group } from './group.ts';
import type { InputCache } from './input-cache.ts';

/** What the loop talks to. Everything it is told is on disk already. */
export interface Outbox {
  perform(effect: Effect): void;
  /** The writes of a committed group as they are stored, before its effects; `asked`: as they were sent. */
  committed(writes: readonly Write[], asked: readonly Write[]): void;
  /** The group was not committed: who waits for it must hear. The brain is rebuilt next. */
  failed(error: StoreError, effects: readonly Effect[]): void;
  /** Which of these jobs were ended by other servers; the brain knows it once this resolves. */
  endedElsewhere(jobs: ReadonlySet<JobId>): Promise<ReadonlySet<JobId>>;
  /** A claim found nothing. */
  nothingClaimed(): void;
  /** The brain was rebuilt from disk; whatever was connected must introduce itself again. */
  rebuilt(): void;
  /** The disk cannot be trusted any more (F-22): the process must end. */
  broken(error: StoreError): void;
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
  #gathering: Group;
  #committing: Group | undefined;
  #flushPlanned = false;
  #cancelAlarm: (() => void) | undefined;
  #alarmAt: number | undefined;
  #stopped = false;
  /** Why the brain is about to be thrown away, or was. */
  #trouble: StoreError | undefined;
  #commitTime: Millis = 0;
  #whenIdle: (() => void) | undefined;
  /** What wants the store while no commit is on its way, and whether one of them has it. */
  readonly #alone: (() => Promise<void>)[] = [];
  #isAlone = false;
  readonly #whenCalm: (() => void)[] = [];
  /** Resolves once the brain knows what other servers have brought. */
  catchUp: () => Promise<void> = () => Promise.resolve();
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
    this.#gathering = new Group(options.inputs);
    this.#rebuild = options.rebuild;
  }

  async start(): Promise<void> {
    this.#brain = await this.#rebuild();
    this.#setAlarm();
  }

  /** Milliseconds between two pings: who has another server to go to shall soon know that this one is silent (P30). */
  get pingEvery(): Millis {
    return this.#store.shared === undefined ? PING_INTERVAL : SHARED_PING_INTERVAL;
  }

  /** Undefined while the store does not take writes. */
  get scheduler(): Scheduler | undefined {
    return this.#brain?.scheduler;
  }

  /** Whether this is the brain that decides now. */
  has(brain: Brain): boolean {
    return this.#brain === brain;
  }

  /** Why the store takes no writes now; undefined: it does. */
  get trouble(): StoreError | undefined {
    return this.#brain === undefined ? this.#trouble : undefined;
  }

  /** How long a commit takes of late, in ms. */
  get commitTime(): Millis {
    return this.#commitTime;
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

  /**
   * `column`: the bytes the event speaks of. `extra`: rows about what the event brings, of no use where that is refused.
   * False: not taken, the store is down.
   */
  post(event: Event, column?: PackedColumn, extra?: readonly Write[]): boolean {
    if (this.#brain === undefined || this.#stopped) return false;
    this.counters.events++;
    const commands = this.#brain.scheduler.handle(event, this.#clock.now());
    const before = this.#gathering.writes.length;
    this.#gathering.take(commands, event, column);
    this.counters.writes += this.#gathering.writes.length - before;
    // After the event's own rows: they may speak of a job that is one of those.
    if (extra !== undefined && brings(commands, event)) for (const write of extra) this.#add(write);
    this.#planFlush();
    this.#setAlarm();
    return true;
  }

  /** Rows that the scheduler has no part in; resolves once they are on disk. */
  write(writes: readonly Write[]): Promise<void> {
    if (this.#brain === undefined || this.#stopped)
      return Promise.reject(this.trouble ?? new StoreError('busy', 'the store takes no writes now'));
    for (const write of writes) this.#add(write);
    const done = new Promise<void>((resolve, reject) => this.#gathering.waiters.push({ resolve, reject }));
    this.#planFlush();
    return done;
  }

  /** Runs it while no commit is on its way: what it reads is what was committed, no more and no less. Not at all while the store is down. */
  alone(run: (brain: Brain) => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#alone.push(async () => {
        const brain = this.#brain;
        if (brain !== undefined && !this.#stopped) await run(brain).then(resolve, reject);
        else resolve();
      });
      this.#flush();
    });
  }

  /** The brain must be read from the store again: this one knows too little. */
  distrust(error: StoreError): void {
    if (this.#brain === undefined || this.#trouble !== undefined) return;
    this.#trouble = error;
    if (this.#committing === undefined) void this.#recover(error);
  }

  /** Takes no more events; resolves when all that was taken is on disk, or cannot get there. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelAlarm?.();
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      this.#flush();
    });
  }

  /** Runs it once all that was decided before has been done; not at all if that could not be saved. */
  inTurn(run: () => void): void {
    this.#gathering.effects.push({ kind: 'turn', run });
    this.#planFlush();
  }

  #add(write: Write): void {
    this.#gathering.add(write);
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
    if (this.#committing !== undefined || this.#isAlone) return;
    if (this.#alone.length > 0) return void this.#leaveAlone();
    const group = this.#gathering;
    if (brain === undefined || group.writes.length + group.waiters.length === 0) {
      if (group.effects.length > 0) {
        this.#gathering = new Group(this.#inputs);
        this.#performAll(group);
      }
      this.#whenIdle?.();
      return;
    }
    this.#gathering = new Group(this.#inputs);
    this.#committing = group;
    void this.#commit(group, brain);
  }

  async #commit(group: Group, brain: Brain): Promise<void> {
    const started = this.#clock.now();
    let stored: readonly Write[];
    try {
      stored = await this.#store
        .commit(group.writes, brain.epoch)
        .catch((error: unknown) => this.#mend(group, brain, error));
    } catch (error) {
      this.#committing = undefined;
      this.#tellFailed(group, asStoreError(error));
      void this.#recover(asStoreError(error));
      return;
    }
    this.#committed(group, stored, started);
  }

  /** What other servers have ended is left out of a group that speaks of it, and the rest is committed (D19). */
  async #mend(group: Group, brain: Brain, error: unknown): Promise<readonly Write[]> {
    if (!(error instanceof StoreError) || error.code !== 'stale') throw error;
    const jobs = new Set(group.writes.flatMap((write) => jobOf(write) ?? []));
    const ended = await this.#outbox.endedElsewhere(jobs);
    const leases = ended.size > 0 && group.leaveOut(ended);
    if (leases === false) throw error;
    this.#gathering.unsay(leases);
    this.post({ kind: 'leasesLeftOut', leases: [...leases] });
    return this.#store.commit(group.writes, brain.epoch);
  }

  async #leaveAlone(): Promise<void> {
    this.#isAlone = true;
    await this.#alone.shift()?.();
    this.#isAlone = false;
    this.#flush();
  }

  #committed(group: Group, stored: readonly Write[], started: number): void {
    this.counters.commits++;
    const took = this.#clock.now() - started;
    this.counters.commitMillis += took;
    this.#commitTime += (took - this.#commitTime) * 0.1;
    this.#committing = undefined;
    this.#outbox.committed(stored, group.writes);
    for (const waiter of group.waiters) waiter.resolve();
    this.#performAll(group);
    // A claim failed meanwhile; this group was on its way and had to arrive first.
    if (this.#trouble !== undefined) return void this.#recover(this.#trouble);
    this.#relax();
    this.#flush();
  }

  /** Answers last: who is answered waits for a message, but a slot that is granted something waits for work. */
  #performAll(group: Group): void {
    const answers: Effect[] = [];
    for (const effect of group.effects) {
      if (effect.kind === 'claimMore') this.#claim(effect.job, effect.blocks);
      else if (effect.kind === 'dropBlock') this.#inputs.drop(effect.job, effect.first);
      else if (effect.kind === 'reply') answers.push(effect);
      else if (effect.kind === 'turn') effect.run();
      else this.#outbox.perform(effect);
    }
    for (const answer of answers) this.#outbox.perform(answer);
  }

  /** What is claimed need not be read again when it is granted. */
  keepInputs(claimed: readonly ClaimedBlock[]): BlockRecord[] {
    return claimed.map(({ block, inputs }) => {
      if (inputs !== undefined) this.#inputs.put(block.job, block.first, inputs);
      return block;
    });
  }

  #claim(job: JobId, max: number): void {
    const brain = this.#brain;
    if (brain === undefined) return;
    const fail = (error: unknown) => {
      if (this.#brain === brain) this.distrust(asStoreError(error));
    };
    this.#store.claim(job, max, brain.epoch).then((claimed) => {
      if (this.#brain !== brain) return;
      const take = () => this.#take(brain, job, claimed, max);
      // It may be of what other servers brought to the job, and this one has not heard of.
      if (claimed.every(({ block }) => isKnown(brain, block))) take();
      else this.catchUp().then(take).catch(fail);
    }, fail);
  }

  #take(brain: Brain, job: JobId, claimed: readonly ClaimedBlock[], max: number): void {
    if (this.#brain !== brain) return;
    const generation = brain.scheduler.job(job)?.progress.generation;
    // What this brain cannot take it would hold for ever.
    if (generation !== undefined && claimed.some(({ block }) => block.generation !== generation))
      throw new StoreError('stale', `job ${job} was opened again by another server`);
    this.post({ kind: 'blocksClaimed', job, blocks: this.keepInputs(claimed), more: claimed.length === max });
    if (claimed.length === 0) this.#outbox.nothingClaimed();
  }

  /**
   * One recovery path: whatever was decided since the last commit is forgotten, and the brain read from disk again. Nothing
   * is on its way to the disk when it begins.
   */
  async #recover(error: StoreError): Promise<void> {
    this.counters.failures++;
    const lost = this.#gathering;
    this.#brain = undefined;
    this.#trouble = error;
    this.#gathering = new Group(this.#inputs);
    this.#cancelAlarm?.();
    this.#alarmAt = undefined;
    this.#inputs.clear();
    this.#tellFailed(lost, error);
    this.#relax();
    this.#whenIdle?.();
    if (this.#isTheEnd(error)) return this.#outbox.broken(error);
    await this.#rebuildUntilItWorks();
  }

  #tellFailed(group: Group, error: StoreError): void {
    for (const waiter of group.waiters) waiter.reject(error);
    this.#outbox.failed(
      error,
      group.effects.filter((effect) => effect.kind !== 'turn'),
    );
  }

  async #rebuildUntilItWorks(): Promise<void> {
    while (!this.#stopped) {
      try {
        const brain = await this.#rebuild();
        if (this.#stopped) return;
        this.#brain = brain;
        this.#trouble = undefined;
        this.#setAlarm();
        this.#outbox.rebuilt();
        // Somebody may wait for the store to be alone with it.
        this.#flush();
        return;
      } catch (error) {
        this.#trouble = asStoreError(error);
        if (this.#isTheEnd(this.#trouble)) return this.#outbox.broken(this.#trouble);
        await new Promise<void>((resolve) => this.#clock.alarm(REBUILD_INTERVAL, resolve));
      }
    }
  }

  /** The process must end: a sync failed, another server has taken over, or the data is not what was written. */
  #isTheEnd({ code }: StoreError): boolean {
    // Where others share the store they have taken what this one held while it was silent; it begins again as a new one.
    if (code === 'fenced') return this.#store.shared === undefined;
    return code === 'broken' || code === 'damaged';
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

/** It is of the job as this brain knows it. */
function isKnown({ scheduler }: Brain, { job, first, count, generation }: BlockRecord): boolean {
  const progress = scheduler.job(job)?.progress;
  return progress !== undefined && progress.generation === generation && first + count <= progress.total;
}

/** A scheduler and the epoch under which it writes. */
export interface Brain {
  readonly scheduler: Scheduler;
  readonly epoch: number;
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('broken', error instanceof Error ? error.message : String(error), { cause: error });
}
