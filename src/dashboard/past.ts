import type { LeaseId, TaskIndex, WorkerId } from '../model/ids.ts';
import type { Timeline, TimelineAttempt, TimelineBar, TimelineRunning } from '../model/timeline.ts';
import { Lanes } from './lanes.ts';

export type Tone = 'done' | 'failed' | 'running' | 'lost' | 'superseded';

/** Something that took a slot for a while. */
export interface Stretch {
  readonly tone: Tone;
  readonly worker: WorkerId;
  readonly lane: number;
  readonly from: number;
  readonly to: number;
  readonly first: TaskIndex;
  readonly tasks: number;
  readonly failed: number;
  /** What was said of it. */
  readonly message?: string;
}

/** A failure that was tried again: a moment of its batch. */
export interface Mark {
  readonly worker: WorkerId;
  readonly lane: number;
  readonly at: number;
}

/** What one device did, in lanes: its slots, as far as they can be told. */
export interface WorkerPast {
  readonly worker: WorkerId;
  readonly lanes: number;
  readonly stretches: readonly Stretch[];
  readonly marks: readonly Mark[];
}

/** What is known of a worker beside its past: how many slots it has. */
export type SlotsOf = (worker: WorkerId) => number | undefined;

/** The past as it is drawn: the worker that did something first comes first. */
export function layOut(timeline: Timeline, slotsOf: SlotsOf): WorkerPast[] {
  const { bars, running, attempts, at } = timeline;
  const own = new Map<WorkerId, Omit<Stretch, 'lane'>[]>();
  const put = (stretch: Omit<Stretch, 'lane'>) => {
    const list = own.get(stretch.worker);
    if (list === undefined) own.set(stretch.worker, [stretch]);
    else list.push(stretch);
  };
  const leases = new Map<Omit<Stretch, 'lane'>, LeaseId>();
  for (const bar of bars) {
    // What the server made itself took no slot.
    if (bar.worker === '') continue;
    const stretch = stretchOf(bar);
    leases.set(stretch, bar.lease);
    put(stretch);
  }
  for (const attempt of attempts) {
    const stretch = stretchOfAttempt(attempt);
    if (stretch !== undefined) put(stretch);
  }
  for (const batch of firstOfEach(running, slotsOf)) put({ ...batch, tone: 'running', to: at, failed: 0 });
  const failures = attempts.filter(({ outcome }) => !TAKES_TIME.has(outcome));
  const rows = [...own].map(([worker, stretches]) => {
    const lanes = new Lanes(slotsOf(worker));
    const laneOf = new Map<LeaseId, number>();
    const placed = stretches
      .sort((a, b) => a.to - b.to)
      .map((stretch): Stretch => {
        const place = lanes.place(stretch.from, stretch.to);
        const lease = leases.get(stretch);
        if (lease !== undefined) laneOf.set(lease, place.lane);
        return { ...stretch, ...place };
      });
    const marks = failures
      .filter((attempt) => attempt.worker === worker)
      .map(({ lease, endedAt }) => ({ worker, lane: laneOf.get(lease) ?? 0, at: endedAt }));
    return { worker, lanes: lanes.count, stretches: placed, marks };
  });
  return rows.sort((a, b) => startOf(a) - startOf(b));
}

const TAKES_TIME: ReadonlySet<string> = new Set(['lost', 'superseded']);

function stretchOf({ worker, from, to, first, tasks, failed }: TimelineBar): Omit<Stretch, 'lane'> {
  return { tone: failed > 0 ? 'failed' : 'done', worker, from, to, first, tasks, failed };
}

function stretchOfAttempt(attempt: TimelineAttempt): Omit<Stretch, 'lane'> | undefined {
  const { outcome, worker, index: first, tasks = 1, startedAt: from, endedAt: to, message } = attempt;
  if (from === undefined || (outcome !== 'lost' && outcome !== 'superseded')) return undefined;
  return { tone: outcome, worker, from, to, first, tasks, failed: 0, message };
}

/** Batches begin in the order in which they were handed out: those behind the first of each slot wait in the worker's queue. */
function firstOfEach(running: readonly TimelineRunning[], slotsOf: SlotsOf): TimelineRunning[] {
  const taken = new Map<WorkerId, number>();
  return running.filter(({ worker }) => {
    const before = taken.get(worker) ?? 0;
    taken.set(worker, before + 1);
    return before < (slotsOf(worker) ?? Number.POSITIVE_INFINITY);
  });
}

function startOf({ stretches }: WorkerPast): number {
  return stretches.reduce((first, { from }) => Math.min(first, from), Number.POSITIVE_INFINITY);
}

/** What was going on at one moment. */
export interface Moment {
  /** Slots that were busy, and tasks that had ended; `isRough`: told from a part of the batches. */
  readonly busy: number;
  readonly ended: number;
  readonly failed: number;
  readonly isRough: boolean;
  readonly stretches: readonly Stretch[];
}

export function momentOf(timeline: Timeline, past: readonly WorkerPast[], at: number): Moment {
  const { bars, step } = timeline;
  const over = bars.filter(({ to }) => to <= at);
  const sum = (of: (bar: TimelineBar) => number) => over.reduce((total, bar) => total + of(bar), 0) * step;
  const stretches = past.flatMap((row) => row.stretches.filter(({ from, to }) => from <= at && at < to));
  const lanes = past.reduce((total, row) => total + row.lanes, 0);
  const busy = Math.min(lanes, stretches.length * step);
  return { busy, ended: sum(({ tasks }) => tasks), failed: sum(({ failed }) => failed), isRough: step > 1, stretches };
}

/** What each worker did, in figures. Of a long past they are estimates. */
export interface WorkerShare {
  readonly worker: WorkerId;
  readonly batches: number;
  readonly tasks: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly busy: number;
}

export function sharesOf({ bars, step }: Timeline): WorkerShare[] {
  const shares = new Map<WorkerId, { batches: number; tasks: number; failed: number; busy: number }>();
  for (const { worker, tasks, failed, micros } of bars) {
    if (worker === '') continue;
    const share = shares.get(worker) ?? { batches: 0, tasks: 0, failed: 0, busy: 0 };
    share.batches += step;
    share.tasks += tasks * step;
    share.failed += failed * step;
    share.busy += (micros / 1_000) * step;
    shares.set(worker, share);
  }
  return [...shares].map(([worker, share]) => ({ worker, ...share })).sort((a, b) => b.busy - a.busy);
}
