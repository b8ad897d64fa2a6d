import type { WorkerId } from '../model/ids.ts';
import { BLACK_HOLE_FAILURES, RETRY_BACKOFF, RETRY_BACKOFF_MAX } from '../model/limits.ts';
import type { OpenJob } from './job-state.ts';
import type { State } from './state.ts';
import { recallAll } from './takeback.ts';
import type { Worker } from './worker-state.ts';

/** How many workers are looked at for one that could take over. */
const WORKERS_LOOKED_AT = 64;

/**
 * Looks at what a worker's outcomes say of the worker (R26). One that fails all it is given, and fast, would otherwise
 * get the most of everything.
 */
export function judge(state: State, worker: Worker, job: OpenJob, failures: number, tasks: number): void {
  if (failures < tasks) {
    worker.streak = 0;
    worker.refusals = 0;
    worker.unable = undefined;
    if (worker.suspended) rehabilitate(state, worker);
    return;
  }
  worker.streak += failures;
  if (worker.suspended) {
    if (worker.suspendedUntil > 0) return;
    if (anotherCanTry(job, worker, [])) suspend(state, worker, job);
    else rehabilitate(state, worker);
    return;
  }
  const elsewhere = job.succeededOn.some((id) => id !== worker.id);
  if (elsewhere && worker.streak >= BLACK_HOLE_FAILURES && anotherCanTry(job, worker, [])) suspend(state, worker, job);
}

/** Somebody who is not set aside, and none of those named. Where there is nobody, setting a worker aside helps no task. */
export function anotherCanTry(job: OpenJob, worker: Worker, except: readonly WorkerId[]): boolean {
  let looked = 0;
  for (const other of job.shape.fits) {
    if (other !== worker && other.open && !other.suspended && !except.includes(other.id)) return true;
    if (++looked === WORKERS_LOOKED_AT) return false;
  }
  return false;
}

function suspend(state: State, worker: Worker, job: OpenJob): void {
  if (!worker.suspended) forgive(state, worker, job);
  worker.suspended = true;
  const pause = Math.min(RETRY_BACKOFF * 2 ** worker.suspensions++, RETRY_BACKOFF_MAX);
  worker.suspendedUntil = state.now + pause;
  for (const lease of worker.leases) recallAll(state, lease);
  state.workerChanged(worker);
  state.timers.set(worker.suspendedUntil, () => {
    if (state.workers.get(worker.id) !== worker || worker.suspendedUntil > state.now) return;
    worker.suspendedUntil = 0;
    state.workerChanged(worker);
  });
}

function rehabilitate(state: State, worker: Worker): void {
  worker.streak = 0;
  worker.suspended = false;
  worker.suspendedUntil = 0;
  worker.suspensions = 0;
  state.workerChanged(worker);
}

/** What failed only there was not the tasks' fault. */
function forgive(state: State, worker: Worker, job: OpenJob): void {
  for (const block of job.blocks.values()) {
    for (const [index, trouble] of block.troubles) {
      if (trouble.charged === 0 || trouble.failedOn.some((id) => id !== worker.id)) continue;
      block.troubles.set(index, { ...trouble, charged: 0 });
      state.blockChanged(block);
    }
  }
}
