import { RECALL_PATIENCE, RECALL_WORTH } from '../model/limits.ts';
import { countRuns, intersectRuns, type Run, subtractRuns } from '../model/runs.ts';
import type { Event } from './events.ts';
import { giveBack, joinRuns, type Lease } from './leases.ts';
import type { Shape } from './shapes.ts';
import type { State } from './state.ts';
import type { Worker } from './worker-state.ts';
import { restAfterRefusal } from './workers.ts';

/** Idle workers, and workers with long queues, that one event looks at: the next event goes on. */
const IDLE_LOOKED_AT = 4;
const QUEUES_LOOKED_AT = 32;

/** Asks for what has not been started; nothing is asked for twice. */
export function recallAll(state: State, lease: Lease): void {
  recall(state, lease, subtractRuns(lease.left, lease.recalled));
}

function recall(state: State, lease: Lease, runs: readonly Run[]): void {
  if (runs.length === 0) return;
  lease.recalled = joinRuns(lease.recalled, runs);
  state.send({ kind: 'recall', worker: lease.workerId, lease: lease.id, runs });
}

export function released(state: State, event: Extract<Event, { kind: 'tasksReleased' }>): void {
  const lease = state.leases.get(event.lease);
  if (lease === undefined || lease.workerId !== event.worker) return;
  const worker = state.workers.get(event.worker);
  const runs = intersectRuns(event.runs, lease.left);
  countRecalled(state, lease, runs);
  if (worker !== undefined) {
    worker.recallUntil = 0;
    const unasked = subtractRuns(runs, lease.recalled);
    if (unasked.length > 0 && !worker.draining) restAfterRefusal(state, worker, event.reason);
  }
  if (runs.length > 0) giveBack(state, lease, runs);
}

function countRecalled(state: State, lease: Lease, runs: readonly Run[]): void {
  const tasks = countRuns(intersectRuns(runs, lease.recalled));
  if (tasks === 0) return;
  lease.job.recalled += tasks;
  state.progressChanged(lease.job);
}

/** A slot idles and nothing is ready for it: half of the longest queue comes back (R22). */
export function takeBack(state: State): void {
  if (state.deep.size === 0) return;
  for (const shape of state.shapes.byKey.values()) {
    if (shape.jobs === 0 || shape.idle.size === 0) continue;
    let looked = 0;
    for (const idle of shape.idle) {
      if (idle.suspended || ++looked > IDLE_LOOKED_AT) break;
      const queue = longestQueue(state, shape);
      if (queue === undefined) break;
      recallHalf(state, queue, shape);
    }
  }
}

function longestQueue(state: State, shape: Shape): Worker | undefined {
  let longest: Worker | undefined;
  let looked = 0;
  for (const worker of state.deep) {
    if (++looked > QUEUES_LOOKED_AT) break;
    if (worker.recallUntil > state.now) continue;
    if (worker.queuedMicros <= (longest?.queuedMicros ?? 0)) continue;
    if (countRuns(unstarted(worker, shape).flatMap(({ runs }) => runs)) > 0) longest = worker;
  }
  return longest;
}

interface Unstarted {
  readonly lease: Lease;
  readonly runs: readonly Run[];
}

/** What a worker has queued of a shape's jobs and was not asked for: of the batches that run, all but the first task. */
function unstarted(worker: Worker, shape: Shape): Unstarted[] {
  const queued: Unstarted[] = [];
  let order = 0;
  for (const lease of worker.leases) {
    const running = order++ < worker.facts.slots;
    if (lease.job.shape !== shape || lease.job.state !== 'active') continue;
    const head = lease.left[0]!.start;
    const rest = running ? subtractRuns(lease.left, [{ start: head, count: 1 }]) : lease.left;
    const runs = subtractRuns(rest, lease.recalled);
    const tasks = countRuns(runs);
    if (tasks > 0 && lease.leftTasks * lease.job.estimate >= RECALL_WORTH * 1000) queued.push({ lease, runs });
  }
  return queued;
}

function recallHalf(state: State, worker: Worker, shape: Shape): void {
  const queued = unstarted(worker, shape);
  let wanted = Math.ceil(queued.reduce((sum, { runs }) => sum + countRuns(runs), 0) / 2);
  for (const { lease, runs } of queued.reverse()) {
    if (wanted === 0) break;
    const tail = lastTasks(runs, wanted);
    wanted -= countRuns(tail);
    recall(state, lease, tail);
  }
  worker.recallUntil = state.now + RECALL_PATIENCE;
}

/** The last ones, at most so many. */
export function lastTasks(runs: readonly Run[], tasks: number): Run[] {
  const tail: Run[] = [];
  let wanted = tasks;
  for (let i = runs.length - 1; i >= 0 && wanted > 0; i--) {
    const run = runs[i]!;
    const count = Math.min(run.count, wanted);
    tail.unshift({ start: run.start + run.count - count, count });
    wanted -= count;
  }
  return tail;
}
