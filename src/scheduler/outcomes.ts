import { epochOf, type LeaseId, sequenceOf, type WorkerId } from '../model/ids.ts';
import { countRuns, intersectRuns, type Run, runsOf, sameRuns, subtractRuns } from '../model/runs.ts';
import { judge } from './black-holes.ts';
import type { Verdict } from './commands.ts';
import { endTasks } from './ending.ts';
import type { OutcomesEvent } from './events.ts';
import { appendSpawned } from './inputs.ts';
import type { OpenJob } from './job-state.ts';
import { closeLease, holds, joinRuns, type Lease, setAway, shrink } from './leases.ts';
import { mayRetry, retryLater } from './retries.ts';
import type { State } from './state.ts';
import { measureCode } from './variants.ts';

/** Outcomes came: what is new is recorded, and each gets one verdict (R6, R7). */
export function handleOutcomes(state: State, event: OutcomesEvent): void {
  const lease = state.leases.get(event.lease);
  if (lease === undefined || lease.workerId !== event.worker || lease.job.id !== event.job) {
    ack(
      state,
      event,
      lease === undefined ? verdictOnOldLease(state, event.lease, event.worker) : 'unknown',
      event.runs,
    );
    return;
  }
  measure(state, lease, event);
  if (lease.standing === 'live' && sameRuns(lease.left, event.runs)) {
    ack(state, event, 'recorded', event.runs);
    return record(state, lease, event, event.runs);
  }
  const news = sortOut(state, lease, event);
  if (news.length > 0) record(state, lease, event, news);
}

/** Acks what is not to be recorded, and what is; returns the latter. */
function sortOut(state: State, lease: Lease, event: OutcomesEvent): readonly Run[] {
  const { block } = lease;
  const issued = intersectRuns(event.runs, lease.runs);
  const ended = block.select(issued, 'ended');
  const open = subtractRuns(issued, ended);
  const taken = intersectRuns(open, lease.away);
  // A failure counts only while the task is this lease's own: else its other attempt decides.
  const failed = event.failures.length === 0 ? [] : runsOf(event.failures.map(({ index }) => index));
  const superseded = intersectRuns(ended, lease.away);
  // What the lease neither has nor has lost, and has not ended, failed before and is to be tried again.
  const told = subtractRuns(subtractRuns(open, lease.left), lease.away);
  const late = lease.barred ? subtractRuns(open, told) : taken;
  const refused = lease.job.spec.fenced ? late : intersectRuns(taken, failed);
  const news = subtractRuns(subtractRuns(open, refused), told);
  ack(state, event, 'recorded', news);
  ack(state, event, 'duplicate', joinRuns(subtractRuns(ended, superseded), told));
  ack(state, event, 'superseded', refused);
  ack(state, event, 'superseded', superseded);
  ack(state, event, 'unknown', subtractRuns(event.runs, issued));
  return news;
}

/** Of a lease that is over nothing can be new; whoever names a lease that was never issued is told so (F-8). */
function verdictOnOldLease(state: State, lease: LeaseId, worker: WorkerId): Verdict {
  const settled = state.settled.get(lease);
  if (settled !== undefined) return settled.worker === worker ? settled.verdict : 'unknown';
  const epoch = epochOf(lease);
  const issued = epoch < state.epoch || (epoch === state.epoch && sequenceOf(lease) < state.nextLease);
  return issued ? 'superseded' : 'unknown';
}

function ack(state: State, event: OutcomesEvent, verdict: Verdict, runs: readonly Run[]): void {
  if (runs.length > 0) state.send({ kind: 'ack', worker: event.worker, lease: event.lease, verdict, runs });
}

function measure(state: State, lease: Lease, event: OutcomesEvent): void {
  const tasks = countRuns(event.runs);
  const worker = state.workers.get(event.worker);
  lease.job.measure(tasks, event.elapsedMicros);
  if (worker === undefined) return;
  worker.failed += event.failures.length;
  worker.done += tasks - event.failures.length;
  judge(state, worker, lease.job, event.failures.length, tasks);
  measureCode(state, lease, worker, { tasks, failures: event.failures.length, micros: event.elapsedMicros });
  state.workerChanged(worker);
}

function record(state: State, lease: Lease, event: OutcomesEvent, news: readonly Run[]): void {
  const { job, block } = lease;
  job.busyMicros += event.elapsedMicros;
  noteSuccess(job, event);
  let runs = news;
  let failed: readonly Run[] = [];
  if (event.failures.length > 0) {
    const fresh = event.failures.filter(({ index }) => holds(news, index));
    const retried = fresh.filter((failure) => mayRetry(state, lease, failure.index));
    for (const failure of retried) retryLater(state, lease, failure);
    const again = runsOf(retried.map(({ index }) => index));
    runs = subtractRuns(news, again);
    failed = subtractRuns(runsOf(fresh.map(({ index }) => index)), again);
  }
  if (runs.length > 0) {
    const { id, workerId, grantedAt } = lease;
    const shared = block.strays > 0 || block.copied.size > 0;
    detach(state, lease, runs);
    appendSpawned(state, job, event, subtractRuns(runs, failed));
    endTasks(state, job, block, runs, failed, {
      lease: id,
      worker: workerId,
      grantedAt,
      elapsedMicros: event.elapsedMicros,
      shared,
    });
  }
  state.progressChanged(job);
}

function noteSuccess(job: OpenJob, event: OutcomesEvent): void {
  const succeeded = event.failures.length < countRuns(event.runs);
  if (succeeded && job.succeededOn.length < 2 && !job.succeededOn.includes(event.worker))
    job.succeededOn.push(event.worker);
}

/** Takes tasks that have ended out of their lease, from what it still had or from what was taken from it. */
function detach(state: State, lease: Lease, runs: readonly Run[]): void {
  if (sameRuns(runs, lease.left)) return shrink(state, lease, runs);
  const own = intersectRuns(runs, lease.left);
  if (lease.away.length > 0) setAway(lease, subtractRuns(lease.away, runs));
  shrink(state, lease, own);
  if (own.length === 0 && lease.leftTasks === 0) closeLease(state, lease);
}
