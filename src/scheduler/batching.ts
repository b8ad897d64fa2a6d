import { COMMANDS_TIME } from '../model/exec-limits.ts';
import type { Millis } from '../model/ids.ts';
import { codesOf } from '../model/job.ts';
import { BATCH_FIRST, BATCH_TIME, BLOCK_TASKS, CLAIM_AHEAD } from '../model/limits.ts';
import type { OpenJob } from './job-state.ts';
import type { State } from './state.ts';
import { choose } from './variants.ts';
import type { Worker } from './worker-state.ts';

/**
 * How many tasks go together (R20): about BATCH_TIME of them by the measured mean, COMMANDS_TIME of commands, and never more
 * than an even share of what is left of the job over the slots that fit it. To a worker that is set aside they go singly (R26), and with a code
 * that is tried out go few (R33).
 */
export function batchSize(state: State, job: OpenJob, worker: Worker): number {
  if (worker.suspended) return 1;
  const { code, mean = job.mean, trial = Number.MAX_SAFE_INTEGER } = choose(state, job, worker);
  return Math.max(1, Math.min(byTime(mean, batchTime(job, code)), evenShare(job), trial));
}

function batchTime(job: OpenJob, code: number): Millis {
  return codesOf(job.spec)[code]?.runner === 'exec' ? COMMANDS_TIME : BATCH_TIME;
}

function byTime(mean: number | undefined, time: Millis): number {
  if (mean === undefined) return BATCH_FIRST;
  return Math.min(BLOCK_TASKS, Math.floor((time * 1000) / Math.max(mean, 1)));
}

/** A job that is still open may bring more, but what is there is all one can share now. */
function evenShare(job: OpenJob): number {
  return Math.ceil(job.waiting / Math.max(1, job.shape.slots));
}

/** A block is cut into equal pieces rather than into batches and a small rest. */
export function evenPiece(ready: number, size: number): number {
  if (size >= ready) return ready;
  return Math.ceil(ready / Math.ceil(ready / size));
}

/** Tasks that should be in memory for the slots of a job's workers, so that none of them waits for the store (R23). */
export function claimAhead(job: OpenJob): number {
  return job.shape.slots * Math.min(CLAIM_AHEAD, 4 * byTime(job.mean, batchTime(job, 0)));
}
