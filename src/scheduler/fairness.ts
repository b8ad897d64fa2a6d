import { LazyHeap } from './heap.ts';
import type { OpenJob } from './job-state.ts';

/**
 * Who is next (R19): higher priority first; among equals start-time fair queueing, first between owners, then between
 * the jobs of an owner by weight. A start tag says how much service its holder will have had; the least is served.
 */

/** An owner's jobs of one priority. */
export interface Share {
  readonly owner: string;
  readonly level: PriorityLevel;
  /** Start tag among the owners of the level, and the tag of the job last served, for newcomers. */
  start: number;
  clock: number;
  /** Jobs that want to be served. */
  backlog: number;
}

export interface PriorityLevel {
  readonly priority: number;
  /** The start tag last served. */
  clock: number;
  readonly shares: Map<string, Share>;
  jobs: number;
}

export class Fairness {
  readonly levels = new Map<number, PriorityLevel>();

  enter(owner: string, priority: number): Share {
    let level = this.levels.get(priority);
    if (level === undefined) {
      level = { priority, clock: 0, shares: new Map(), jobs: 0 };
      this.levels.set(priority, level);
    }
    level.jobs++;
    let share = level.shares.get(owner);
    if (share === undefined) {
      share = { owner, level, start: 0, clock: 0, backlog: 0 };
      level.shares.set(owner, share);
    }
    return share;
  }

  /** What an owner has had is remembered while anybody else competes with it, so that many small jobs are no trick. */
  leave(share: Share): void {
    const level = share.level;
    if (--level.jobs === 0) this.levels.delete(level.priority);
  }
}

/** The job wants to be served: nobody saves up turns while having nothing to do. */
export function joinQueue(job: OpenJob): void {
  const share = job.share;
  if (share.backlog++ === 0) share.start = Math.max(share.start, share.level.clock);
  job.start = Math.max(job.start, share.clock);
}

export function leaveQueue(job: OpenJob): void {
  job.share.backlog--;
}

/** `cost`: milliseconds on a slot. */
export function charge(job: OpenJob, cost: number): void {
  const share = job.share;
  share.level.clock = share.start;
  share.clock = job.start;
  share.start += cost;
  job.start += cost / job.spec.weight;
}

interface Turn {
  readonly share: Share;
  readonly jobs: LazyHeap<OpenJob>;
}

/** Waiting jobs that can go to the same workers, in the order of their turns. */
export class Lane {
  readonly #levels: {
    readonly priority: number;
    readonly turns: LazyHeap<Turn>;
    readonly byOwner: Map<Share, Turn>;
  }[] = [];

  add(job: OpenJob): void {
    const priority = job.spec.priority;
    let at = this.#levels.findIndex((level) => level.priority <= priority);
    if (at < 0) at = this.#levels.length;
    let level = this.#levels[at];
    if (level === undefined || level.priority !== priority) {
      level = {
        priority,
        turns: new LazyHeap<Turn>(
          (turn) => turn.share.start,
          (turn) => turn.jobs.top() !== undefined,
        ),
        byOwner: new Map(),
      };
      this.#levels.splice(at, 0, level);
    }
    let turn = level.byOwner.get(job.share);
    if (turn === undefined) {
      turn = {
        share: job.share,
        jobs: new LazyHeap<OpenJob>(
          (item) => item.start,
          (item) => item.lane === this,
        ),
      };
      level.byOwner.set(job.share, turn);
    }
    turn.jobs.add(job);
    level.turns.add(turn);
  }

  /** The job whose turn it is; levels in which nobody waits are forgotten on the way. */
  top(): OpenJob | undefined {
    for (;;) {
      const level = this.#levels[0];
      if (level === undefined) return undefined;
      const turn = level.turns.top();
      if (turn !== undefined) return turn.jobs.top();
      this.#levels.shift();
    }
  }

  get empty(): boolean {
    return this.top() === undefined;
  }
}

/** Whether `a` comes before `b`. */
export function precedes(a: OpenJob, b: OpenJob): boolean {
  if (a.spec.priority !== b.spec.priority) return a.spec.priority > b.spec.priority;
  if (a.share.start !== b.share.start) return a.share.start < b.share.start;
  return a.start < b.start;
}
