import type { Millis } from '../../model/ids.ts';
import type { Write } from '../../model/records.ts';
import { MemoryBlobs } from '../../store/blobs/memory-blobs.ts';
import { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { StoreError } from '../../store/store.ts';
import type { Observer } from './observer.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';
import type { Change } from './watched-store.ts';
import type { World } from './world.ts';

/** 2023-11-14, so that wall clock times look like some. */
export const WALL = 1_700_000_000_000;
/** Milliseconds that a store which is away is waited for, before its verbs say `busy` (F-38). */
const AWAY_PATIENCE = 30_000;

/** What the servers keep, on the disk of the only one or in a store that all of them share, and what is wrong with it. */
export class Data {
  readonly disk: MemoryDisk;
  readonly blobs: MemoryBlobs;
  /** Several servers may have it open at once. */
  readonly shared: boolean;
  readonly #world: World;
  readonly #observer: Observer;
  readonly #latency: readonly [Millis, Millis];
  #slowCommits: number;
  #fullUntil: Millis = -1;
  #lockedUntil: Millis = -1;
  #stalledUntil: Millis = -1;
  #awayUntil: Millis = -1;

  constructor(world: World, observer: Observer, plan: Plan, wall: () => number) {
    this.#world = world;
    this.#observer = observer;
    this.#latency = plan.disk.latency;
    this.#slowCommits = plan.disk.slowCommits;
    this.shared = plan.servers !== undefined;
    this.disk = this.shared ? new MemoryDisk('simulated', () => this.now()) : new MemoryDisk('simulated');
    this.blobs = new MemoryBlobs(wall);
  }

  /** The clock of a shared store, which is nobody else's. */
  now(): Millis {
    return 5_000_000 + this.#world.now * 1.0001;
  }

  fill(until: Millis): void {
    this.#fullUntil = until;
  }

  lock(until: Millis): void {
    this.#lockedUntil = until;
  }

  stall(until: Millis): void {
    this.#stalledUntil = until;
  }

  /** Nothing gets to it and nothing comes back. */
  takeAway(until: Millis): void {
    this.#awayUntil = until;
  }

  heal(): void {
    this.#fullUntil = -1;
    this.#lockedUntil = -1;
    this.#stalledUntil = -1;
    this.#awayUntil = -1;
    this.#slowCommits = 0;
  }

  /** Whether what is under way could get there now. */
  get takesWrites(): boolean {
    return this.#world.now >= Math.max(this.#fullUntil, this.#lockedUntil, this.#awayUntil);
  }

  writeTime(random: Random): Millis {
    const [low, high] = this.#latency;
    let time = random.between(low, high);
    if (this.#slowCommits > 0 && random.chance(this.#slowCommits)) time += random.exponential(300);
    const away = Math.min(AWAY_PATIENCE, this.#awayUntil - this.#world.now);
    return Math.max(time, this.#stalledUntil - this.#world.now, away);
  }

  /** Why nothing can be written now; undefined: it can. */
  refusal(change: Change): StoreError | undefined {
    const { now } = this.#world;
    if (now < this.#awayUntil) {
      this.#world.sometimes('the store was away for too long');
      this.#world.note(() => `store   is away: ${change.verb} refused`);
      return new StoreError('busy', 'the simulated store does not answer');
    }
    if (now < this.#fullUntil) {
      this.#world.sometimes('the disk was full');
      this.#world.note(() => `disk    is full: ${change.verb} refused`);
      return new StoreError('full', 'no space left on the simulated disk');
    }
    if (now < this.#lockedUntil) {
      this.#world.sometimes('the database was locked');
      this.#world.note(() => `disk    is locked: ${change.verb} refused`);
      return new StoreError('busy', 'another program holds the simulated database');
    }
    return undefined;
  }

  apply(change: Change, apply: () => void): Error | undefined {
    try {
      apply();
    } catch (error) {
      this.#observer.refused(change, error as Error, this.disk);
      return error as Error;
    }
    this.#observer.applied(change, this.disk);
    if (change.verb === 'commit') this.#checkBlobs(change.writes);
    this.#world.mix(change.verb.length);
    return undefined;
  }

  /** A server said goodbye. */
  left(): void {
    this.#observer.left(this.disk);
  }

  #checkBlobs(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.kind === 'blobRef' && !this.blobs.has(write.sha256))
        this.#world.fail('S5', `job ${write.job} refers to blob ${write.sha256}, which is not there`);
    }
  }

  /** S5: what a job refers to is there. */
  collected(): void {
    for (const [id, { blobs }] of this.disk.jobs) {
      for (const sha256 of blobs)
        if (!this.blobs.has(sha256)) this.#world.fail('S5', `blob ${sha256} of job ${id} is gone`);
    }
  }
}
