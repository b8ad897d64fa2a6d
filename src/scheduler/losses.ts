import { ValueStatus } from '../model/envelope.ts';
import type { TaskIndex } from '../model/ids.ts';
import { POISON_WORKERS } from '../model/limits.ts';
import { countRuns, pushRun, type Run } from '../model/runs.ts';
import { noteAttempts } from './attempts.ts';
import { batchSize } from './batching.ts';
import { endTasks } from './ending.ts';
import type { OpenJob } from './job-state.ts';
import { expire, grant, type Lease, makeReady, takeAway } from './leases.ts';
import type { State } from './state.ts';
import { afterLoss, onLastChance, suspectBatch, type Trouble } from './trouble.ts';
import type { Worker } from './worker-state.ts';

/** Leases of lost workers that are looked at for one batch. */
const LEASES_LOOKED_AT = 4;

/** Gives tasks of a lost worker to another; this is when the loss counts (R10). Returns how many. */
export function takeOrphans(state: State, job: OpenJob, worker: Worker): number {
  let looked = 0;
  for (const lease of job.orphans) {
    // It is well, and with another server: no task has taken it down (R37).
    if (state.elsewhere.has(lease.workerId)) expire(state, lease);
    while (lease.standing === 'orphaned') {
      const past = lease.block.troubles.get(lease.left[0]!.start);
      const trouble = afterLoss(past, lease.workerId);
      if (isPoison(job, trouble)) {
        poison(state, lease, sharing(lease, past, Number.MAX_SAFE_INTEGER), trouble);
        if (job.endedAt !== undefined) return 0;
        continue;
      }
      if (onLastChance(trouble) && (worker.lastChances > 0 || avoids(job, worker, trouble))) break;
      const size = Math.min(batchSize(state, job, worker), suspectBatch(trouble));
      return handOver(state, lease, sharing(lease, past, size), trouble, worker);
    }
    if (++looked === LEASES_LOOKED_AT) break;
  }
  return 0;
}

/** Too many different workers were lost under it, or as many losses and nobody else could try. */
function isPoison(job: OpenJob, trouble: Trouble): boolean {
  if (trouble.lostWorkers.length >= POISON_WORKERS) return true;
  if (trouble.losses < POISON_WORKERS || job.shape.fits.size === 0) return false;
  return !othersAreLeft(job, trouble);
}

/** It was lost under this task before, and another worker could try. */
export function avoids(job: OpenJob, worker: Worker, trouble: Trouble): boolean {
  return trouble.lostWorkers.includes(worker.id) && othersAreLeft(job, trouble);
}

/** Workers that were not lost under it and take tasks; one that is drained may never do so again. */
function othersAreLeft(job: OpenJob, trouble: Trouble): boolean {
  for (const other of job.shape.fits) {
    if (!other.draining && !other.lost && !trouble.lostWorkers.includes(other.id)) return true;
  }
  return false;
}

/** The first tasks of a lease that have the same past, at most `size`. */
function sharing(lease: Lease, past: Trouble | undefined, size: number): Run[] {
  const { troubles } = lease.block;
  const runs: Run[] = [];
  let tasks = 0;
  for (const run of lease.left) {
    for (let index = run.start; index < run.start + run.count; index++) {
      if (tasks === size || troubles.get(index) !== past) return runs;
      pushRun(runs, index, 1);
      tasks++;
    }
  }
  return runs;
}

function handOver(state: State, lease: Lease, runs: readonly Run[], trouble: Trouble, worker: Worker): number {
  const { job, block } = lease;
  noteLoss(state, lease, runs, trouble);
  block.move(runs, 'orphaned', 'leased');
  takeAway(state, lease, runs);
  grant(state, job, worker, block, runs, onLastChance(trouble));
  return countRuns(runs);
}

/** Other servers are to have the tasks of a lost worker: as at any hand-over the loss counts now, and may be the last. */
export function freeOrphans(state: State, lease: Lease): void {
  const { job, block } = lease;
  while (lease.standing === 'orphaned') {
    const past = block.troubles.get(lease.left[0]!.start);
    const trouble = afterLoss(past, lease.workerId);
    const runs = sharing(lease, past, Number.MAX_SAFE_INTEGER);
    if (isPoison(job, trouble)) poison(state, lease, runs, trouble);
    else {
      noteLoss(state, lease, runs, trouble);
      takeAway(state, lease, runs);
      makeReady(state, job, block, runs, 'orphaned');
    }
    if (job.endedAt !== undefined) return;
  }
}

/** Tasks of a lost worker that somebody else has already: their second copies. */
export function countLoss(state: State, lease: Lease, runs: readonly Run[]): void {
  if (state.elsewhere.has(lease.workerId)) return;
  eachIndex(runs, (index) => {
    const trouble = afterLoss(lease.block.troubles.get(index), lease.workerId);
    noteLoss(state, lease, [{ start: index, count: 1 }], trouble);
  });
}

function noteLoss(state: State, lease: Lease, runs: readonly Run[], trouble: Trouble): void {
  const { job, block } = lease;
  const tasks = countRuns(runs);
  eachIndex(runs, (index) => block.troubles.set(index, trouble));
  noteLosses(state, lease, runs);
  job.lost += tasks;
  state.progressChanged(job);
  state.blockChanged(block);
}

function noteLosses(state: State, lease: Lease, runs: readonly Run[]): void {
  noteAttempts(state, lease, runs, 'lost', `worker ${lease.workerId} was lost`);
}

function poison(state: State, lease: Lease, runs: readonly Run[], trouble: Trouble): void {
  const { job, block } = lease;
  const made = {
    status: ValueStatus.poison,
    name: 'PoisonError',
    message: `${trouble.losses} workers were lost while they ran this task: ${trouble.lostWorkers.join(', ')}`,
  };
  job.lost += countRuns(runs);
  noteLosses(state, lease, runs);
  takeAway(state, lease, runs);
  endTasks(state, job, block, runs, runs, {
    lease: lease.id,
    worker: '',
    grantedAt: lease.grantedAt,
    elapsedMicros: 0,
    shared: true,
    made,
  });
}

function eachIndex(runs: readonly Run[], run: (index: TaskIndex) => void): void {
  for (const { start, count } of runs) for (let index = start; index < start + count; index++) run(index);
}
