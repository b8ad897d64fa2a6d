import type { JobId, TaskIndex } from '../model/ids.ts';
import { RETRY_BACKOFF, RETRY_BACKOFF_MAX } from '../model/limits.ts';
import type { BlockState } from './block-state.ts';
import type { TaskFailed } from './events.ts';
import { dropCopies, type Lease, shrink } from './leases.ts';
import type { State } from './state.ts';
import { afterFailure } from './trouble.ts';
import { isCodesFault } from './variants.ts';

/** It has retries left, or failed where everything fails, or a code does, which is not its fault (R26, R33). */
export function mayRetry(state: State, lease: Lease, index: TaskIndex): boolean {
  if (isSpared(state, lease, index)) return true;
  return (lease.block.troubles.get(index)?.charged ?? 0) < lease.job.spec.retries;
}

/** Not twice by the same worker: where everything that is left fails, that must come to an end. */
function isSpared(state: State, lease: Lease, index: TaskIndex): boolean {
  if (!state.workers.get(lease.workerId)?.suspended && !isCodesFault(state, lease)) return false;
  return !lease.block.troubles.get(index)?.failedOn.includes(lease.workerId);
}

/** A charged failure with retries left: again after a backoff (R9). */
export function retryLater(state: State, lease: Lease, failure: TaskFailed): void {
  const { job, block } = lease;
  const { index } = failure;
  const past = block.troubles.get(index);
  const charge = isSpared(state, lease, index) ? 0 : 1;
  const backoff = Math.min(RETRY_BACKOFF * 2 ** (past?.charged ?? 0), RETRY_BACKOFF_MAX);
  block.troubles.set(index, afterFailure(past, lease, state.now + backoff, charge));
  job.retried += charge;
  const { kind: outcome, message } = failure;
  const startedAt = lease.grantedAt + state.wall;
  const endedAt = state.now + state.wall;
  state.write({
    kind: 'attempt',
    attempt: { job: job.id, index, lease: lease.id, worker: lease.workerId, outcome, startedAt, endedAt, message },
  });
  state.blockChanged(block);
  const run = [{ start: index, count: 1 }];
  const from = lease.standing === 'orphaned' ? 'orphaned' : 'leased';
  const last = from === 'orphaned' || dropCopies(block, run).length > 0;
  shrink(state, lease, run);
  // Where a second copy of it runs, that one decides.
  if (!last) return;
  block.move(run, from, 'aside');
  waitUntilDue(state, job.id, block, index);
}

/** Puts a task that is aside among those that may run, now or once its backoff is over. */
export function waitUntilDue(state: State, jobId: JobId, block: BlockState, index: TaskIndex): void {
  const { first } = block;
  const at = block.troubles.get(index)?.notBefore ?? 0;
  const ready = () => {
    const job = state.jobs.get(jobId);
    const now = job?.blocks.get(first);
    if (job === undefined || now === undefined || now.stateOf(index) !== 'aside') return;
    job.pushDue(now, index);
    state.jobChanged(job);
  };
  if (at <= state.now) ready();
  else state.timers.set(at, ready);
}
