import { SPECULATE_AFTER } from '../model/limits.ts';
import type { OpenJob } from './job-state.ts';
import { grant, type Lease } from './leases.ts';
import type { State } from './state.ts';
import { onLastChance } from './trouble.ts';
import type { Worker } from './worker-state.ts';

/** Jobs at their tail that one event looks at: the next event goes on. */
const JOBS_LOOKED_AT = 16;

/** Where nothing is ready and a slot idles, the task that has run far too long gets a second copy (R25). */
export function speculate(state: State): void {
  let looked = 0;
  for (const job of state.tails) {
    if (++looked > JOBS_LOOKED_AT) return;
    if (job.shape.idle.size === 0 || job.mean === undefined || job.speculateAt > state.now) continue;
    while (copySlowest(state, job));
  }
}

/** False: nothing is slow enough, or nobody else could run it. */
function copySlowest(state: State, job: OpenJob): boolean {
  const slowest = findSlowest(state, job);
  if (slowest === undefined) return false;
  const patience = Math.max(SPECULATE_AFTER, (2 * job.mean!) / 1000);
  // Compared as it is set: a difference of the two could be rounded to the other side, and the timer be due for ever.
  if (state.now < slowest.since + patience) {
    job.speculateAt = slowest.since + patience;
    state.timers.set(job.speculateAt, () => {
      if (state.jobs.get(job.id) === job) state.jobChanged(job);
    });
    return false;
  }
  const worker = anotherWorker(job, slowest);
  if (worker === undefined) return false;
  const index = slowest.left[0]!.start;
  slowest.block.copied.add(index);
  job.copied++;
  state.progressChanged(job);
  const runs = [{ start: index, count: 1 }];
  grant(state, job, worker, slowest.block, runs, true);
  state.send({ kind: 'publish', change: { kind: 'speculated', job: job.id, runs } });
  state.refreshWorker(worker);
  return job.shape.idle.size > 0;
}

/** The running task with the oldest start that has no copy yet. */
function findSlowest(state: State, job: OpenJob): Lease | undefined {
  let slowest: Lease | undefined;
  for (const lease of job.live) {
    if (lease.since >= (slowest?.since ?? Number.POSITIVE_INFINITY)) continue;
    const { start } = lease.left[0]!;
    if (lease.block.copied.has(start)) continue;
    // Two copies could cost two workers, where one more is all that it may cost (R10).
    if (onLastChance(lease.block.troubles.get(start))) continue;
    if (isRunning(state.workers.get(lease.workerId)!, lease)) slowest = lease;
  }
  return slowest;
}

/** Batches begin in the order of their grants: it is among the first of the worker's queue. */
function isRunning(worker: Worker, lease: Lease): boolean {
  let order = 0;
  for (const other of worker.leases) {
    if (other === lease) return true;
    if (++order === worker.facts.slots) return false;
  }
  return false;
}

function anotherWorker(job: OpenJob, lease: Lease): Worker | undefined {
  for (const worker of job.shape.idle) if (worker.id !== lease.workerId && !worker.suspended) return worker;
  return undefined;
}
