import { type LeaseId, leaseId, type Millis, type WorkerId } from '../model/ids.ts';
import type { LeaseRecord } from '../model/job.ts';
import { SETTLED_LEASES } from '../model/limits.ts';
import { countRuns, indexesOf, intersectRuns, type Run, runsOf, sameRuns, subtractRuns } from '../model/runs.ts';
import type { BlockState } from './block-state.ts';
import type { OpenJob } from './job-state.ts';
import { countLoss } from './losses.ts';
import { waitUntilDue } from './retries.ts';
import type { State } from './state.ts';
import { onLastChance } from './trouble.ts';
import { choose, noteGiven } from './variants.ts';
import type { Worker } from './worker-state.ts';

/**
 * `live`: with a connected worker. `adopting`: waits for its worker, since it was recovered (R5) or may be at another server (R39). `orphaned`: its worker is gone, its
 * tasks are ready but may be kept if it comes back. `expired`: nothing is left of it; kept until its block has ended, so
 * that late outcomes can be checked (R6).
 */
export type LeaseStanding = 'live' | 'adopting' | 'orphaned' | 'expired';

export interface Lease {
  readonly id: LeaseId;
  readonly workerId: WorkerId;
  readonly job: OpenJob;
  readonly block: BlockState;
  /** What was granted and not given back. */
  runs: readonly Run[];
  /** What has not ended and belongs to this lease. */
  left: readonly Run[];
  leftTasks: number;
  /** What was taken from it: given to another, or free. An outcome of it is still welcome unless the job is fenced. */
  away: readonly Run[];
  standing: LeaseStanding;
  /** What it was asked to give back: asked once. */
  recalled: readonly Run[];
  readonly grantedAt: Millis;
  /** The same by the wall clock, also of one that was granted before the server started. */
  readonly givenAt: Millis;
  /** When its first unfinished task may have begun at the earliest. */
  since: Millis;
  readonly lastChance: boolean;
  /** Until when its worker, whose connection ended, is awaited at whichever server (R39). */
  awaited: Millis;
  /** Its time ran out, and its job is fenced: the worker does not get it back, and its outcomes are refused. */
  barred: boolean;
  /** Microseconds that a task of it was expected to take when it was granted. */
  readonly estimate: number;
  /** With which of the job's codes; undefined: it was granted before the server started. */
  readonly code: number | undefined;
}

export function newLease(job: OpenJob, block: BlockState, row: LeaseRecord, now: Millis, code?: number): Lease {
  return {
    id: row.lease,
    workerId: row.worker,
    job,
    block,
    runs: row.runs,
    left: row.runs,
    leftTasks: countRuns(row.runs),
    away: [],
    standing: 'expired',
    recalled: [],
    grantedAt: now,
    givenAt: row.grantedAt,
    since: now,
    lastChance: block.troubles.size > 0 && onLastChance(block.troubles.get(row.runs[0]!.start)),
    awaited: 0,
    barred: false,
    estimate: job.estimate,
    code,
  };
}

/** Makes the lease known under its number, its worker and its block. */
export function enterLease(state: State, lease: Lease): void {
  state.leases.set(lease.id, lease);
  let held = state.held.get(lease.workerId);
  if (held === undefined) {
    held = new Set();
    state.held.set(lease.workerId, held);
  }
  held.add(lease);
  lease.block.leases.add(lease);
}

export function forgetLease(state: State, lease: Lease): void {
  setStanding(state, lease, 'expired');
  setAway(lease, []);
  state.leases.delete(lease.id);
  lease.block.leases.delete(lease);
  const held = state.held.get(lease.workerId);
  held?.delete(lease);
  if (held?.size === 0) state.held.delete(lease.workerId);
}

/** Nothing of it is wanted any more: gone from memory and disk. `verdict`: on what is sent again of it. `gone`: from disk it is already. */
export function settleLease(state: State, lease: Lease, verdict: 'duplicate' | 'superseded', gone = false): void {
  if (!gone) state.write({ kind: 'leaseEnded', lease: lease.id });
  state.settled.set(lease.id, { worker: lease.workerId, verdict });
  if (state.settled.size > SETTLED_LEASES) state.settled.delete(state.settled.keys().next().value!);
  forgetLease(state, lease);
}

/** Keeps the sets and the worker's room in step with where the lease stands. */
export function setStanding(state: State, lease: Lease, standing: LeaseStanding): void {
  if (lease.standing === standing) return;
  const { job } = lease;
  const worker = state.workers.get(lease.workerId);
  if (lease.standing === 'live' && worker?.leases.delete(lease)) {
    worker.occupy(lease, -1);
    worker.tasks -= lease.leftTasks;
    worker.queuedMicros =
      worker.leases.size === 0 ? 0 : Math.max(0, worker.queuedMicros - lease.leftTasks * lease.estimate);
    startNext(state, worker);
    state.workerChanged(worker);
  }
  if (lease.standing === 'orphaned') job.orphans.delete(lease);
  job.live.delete(lease);
  lease.standing = standing;
  if (standing === 'orphaned') job.orphans.add(lease);
  if (standing === 'live') {
    if (worker === undefined) throw new Error(`lease ${lease.id} cannot live without its worker`);
    job.live.add(lease);
    worker.leases.add(lease);
    worker.occupy(lease, 1);
    worker.tasks += lease.leftTasks;
    worker.queuedMicros += lease.leftTasks * lease.estimate;
    state.workerChanged(worker);
  }
}

/** A slot got free: the first batch of the worker's queue begins now at the earliest. */
function startNext(state: State, worker: Worker): void {
  if (worker.leases.size < worker.facts.slots) return;
  let order = 0;
  for (const lease of worker.leases) {
    if (++order < worker.facts.slots) continue;
    lease.since = state.now;
    return;
  }
}

/** Takes runs out of what is left of a lease; they are a subset of it. */
export function shrink(state: State, lease: Lease, runs: readonly Run[]): void {
  const tasks = countRuns(runs);
  if (tasks === 0) return;
  lease.left = sameRuns(lease.left, runs) ? [] : subtractRuns(lease.left, runs);
  lease.leftTasks -= tasks;
  lease.since = state.now;
  if (lease.standing === 'live') {
    const worker = state.workers.get(lease.workerId)!;
    worker.tasks -= tasks;
    worker.queuedMicros = Math.max(0, worker.queuedMicros - tasks * lease.estimate);
    state.workerChanged(worker);
  }
  if (lease.leftTasks === 0) closeLease(state, lease);
}

/** Nothing is left: either it is settled, or it stays known for late outcomes. */
export function closeLease(state: State, lease: Lease): void {
  if (lease.away.length === 0) settleLease(state, lease, 'duplicate');
  else setStanding(state, lease, 'expired');
}

export function setAway(lease: Lease, away: readonly Run[]): void {
  lease.block.strays += Math.sign(away.length) - Math.sign(lease.away.length);
  lease.away = away;
}

/** Takes tasks from a lease for good, keeping them in mind as no longer its own. */
export function takeAway(state: State, lease: Lease, runs: readonly Run[]): void {
  setAway(lease, joinRuns(lease.away, runs));
  shrink(state, lease, runs);
}

/** Of tasks that run twice, one copy is not running any more. Returns those that nobody runs now. */
export function dropCopies(block: BlockState, runs: readonly Run[]): readonly Run[] {
  if (block.copied.size === 0) return runs;
  const twice = runsOf([...block.copied].filter((index) => holds(runs, index)).sort((a, b) => a - b));
  for (const run of twice) for (let i = 0; i < run.count; i++) block.copied.delete(run.start + i);
  return subtractRuns(runs, twice);
}

/** The worker is gone: what it had is ready, but it keeps it if it comes back in time (R3, R4). */
export function orphan(state: State, lease: Lease): void {
  const { block, job } = lease;
  if (lease.leftTasks === 0) return setStanding(state, lease, 'expired');
  const single = dropCopies(block, lease.left);
  if (countRuns(single) < lease.leftTasks) {
    const copied = subtractRuns(lease.left, single);
    // Another has them already, so the loss counts now (R10).
    countLoss(state, lease, copied);
    takeAway(state, lease, copied);
  }
  if (lease.leftTasks === 0) return;
  block.move(lease.left, 'leased', 'orphaned');
  setStanding(state, lease, 'orphaned');
  state.jobChanged(job);
}

/** Its worker is back and still has it. */
export function reclaim(state: State, lease: Lease): void {
  if (lease.standing === 'orphaned') lease.block.move(lease.left, 'orphaned', 'leased');
  if (lease.leftTasks > 0) setStanding(state, lease, 'live');
  lease.since = state.now;
  state.jobChanged(lease.job);
}

/**
 * Its worker is back and still runs what was taken from it: it goes on, beside whoever was given the task, and the
 * first outcome wins (R4). Returns the tasks; of those that have ended or run twice already nothing more is wanted.
 */
export function resumeStrays(state: State, lease: Lease, runs: readonly Run[]): readonly Run[] {
  const { block } = lease;
  let again: readonly Run[] = [];
  for (const standing of ['leased', 'ready', 'aside', 'orphaned'] as const) {
    const some = subtractRuns(block.select(runs, standing), runsOf([...block.copied].sort((a, b) => a - b)));
    if (some.length === 0) continue;
    if (standing === 'leased') for (const index of indexesOf(some)) block.copied.add(index);
    else block.move(some, standing, 'leased');
    if (standing === 'orphaned') takeFromOrphans(state, lease, some);
    again = joinRuns(again, some);
  }
  if (again.length === 0) return again;
  setAway(lease, subtractRuns(lease.away, again));
  setStanding(state, lease, 'expired');
  lease.left = joinRuns(lease.left, again);
  lease.leftTasks += countRuns(again);
  setStanding(state, lease, 'live');
  lease.job.noteReady(block);
  state.jobChanged(lease.job);
  return again;
}

/** The worker that they were taken from is gone, and somebody else has them now: its loss counts, as at any hand-over (R10). */
function takeFromOrphans(state: State, lease: Lease, runs: readonly Run[]): void {
  for (const other of [...lease.block.leases]) {
    const part = other === lease ? [] : intersectRuns(other.left, runs);
    if (part.length === 0 || other.standing !== 'orphaned') continue;
    countLoss(state, other, part);
    takeAway(state, other, part);
  }
}

/** Tasks that nobody has become ready; those with a past wait by themselves. */
export function makeReady(
  state: State,
  job: OpenJob,
  block: BlockState,
  runs: readonly Run[],
  from: 'leased' | 'orphaned',
): void {
  const troubled = block.troubled(runs);
  const aside = runsOf(troubled);
  const plain = troubled.length === 0 ? runs : subtractRuns(runs, aside);
  block.move(plain, from, 'ready');
  block.move(aside, from, 'aside');
  for (const index of troubled) waitUntilDue(state, job.id, block, index);
  job.noteReady(block);
  state.jobChanged(job);
}

/** Given back: as if never granted. */
export function giveBack(state: State, lease: Lease, runs: readonly Run[]): void {
  const { block, job } = lease;
  const from = lease.standing === 'orphaned' ? 'orphaned' : 'leased';
  const single = from === 'leased' ? dropCopies(block, runs) : runs;
  lease.runs = subtractRuns(lease.runs, runs);
  shrink(state, lease, runs);
  makeReady(state, job, block, single, from);
}

/** A worker that will not come back with it: free, but an outcome that arrives all the same is welcome. */
export function expire(state: State, lease: Lease): void {
  const runs = lease.left;
  if (runs.length === 0) return setStanding(state, lease, 'expired');
  const from = lease.standing === 'orphaned' ? 'orphaned' : 'leased';
  const single = from === 'leased' ? dropCopies(lease.block, runs) : runs;
  takeAway(state, lease, runs);
  makeReady(state, lease.job, lease.block, single, from);
}

/** Grants tasks of a block: row first, message after the commit (R2). The caller has moved them to `leased`. */
export function grant(
  state: State,
  job: OpenJob,
  worker: Worker,
  block: BlockState,
  runs: readonly Run[],
  alone: boolean,
): Lease {
  const id = leaseId(state.epoch, state.nextLease++);
  const row: LeaseRecord = {
    lease: id,
    worker: worker.id,
    job: job.id,
    block: block.first,
    runs,
    grantedAt: state.now + state.wall,
    ...(worker.patient ? { patient: true } : {}),
  };
  const { code } = choose(state, job, worker);
  const lease = newLease(job, block, row, state.now, code);
  enterLease(state, lease);
  setStanding(state, lease, 'live');
  state.write({ kind: 'lease', lease: row });
  noteGiven(state, job, worker, code, lease.leftTasks);
  state.send({ kind: 'grant', worker: worker.id, lease: id, job: job.id, code, block: block.first, runs, alone });
  if (job.startedAt === undefined) {
    job.startedAt = row.grantedAt;
    state.progressChanged(job);
  }
  state.jobChanged(job);
  return lease;
}

export function holds(runs: readonly Run[], index: number): boolean {
  return runs.some((run) => index >= run.start && index < run.start + run.count);
}

/** What is in either; both sorted, and disjoint or not. */
export function joinRuns(a: readonly Run[], b: readonly Run[]): readonly Run[] {
  if (a.length === 0) return b;
  const rest = subtractRuns(b, intersectRuns(a, b));
  const joined: Run[] = [];
  for (const run of [...a, ...rest].sort((x, y) => x.start - y.start)) {
    const last = joined[joined.length - 1];
    if (last !== undefined && last.start + last.count === run.start) {
      joined[joined.length - 1] = { start: last.start, count: last.count + run.count };
    } else {
      joined.push(run);
    }
  }
  return joined;
}
