import { BLOCK_TASKS, CLAIM_BLOCKS } from '../model/limits.ts';
import { countRuns, type Run, runsOf } from '../model/runs.ts';
import { batchSize, claimAhead, evenPiece } from './batching.ts';
import { anotherCanTry } from './black-holes.ts';
import type { BlockState } from './block-state.ts';
import { charge, joinQueue, leaveQueue, precedes } from './fairness.ts';
import type { OpenJob } from './job-state.ts';
import { grant } from './leases.ts';
import { avoids, takeOrphans } from './losses.ts';
import { nearby } from './nearby.ts';
import { mayBegin } from './pipelines.ts';
import { checkReservations, mayReserve, reserve, unreserve } from './reservations.ts';
import { speculate } from './speculation.ts';
import type { State } from './state.ts';
import { takeBack } from './takeback.ts';
import { onLastChance, suspectBatch } from './trouble.ts';
import type { Worker } from './worker-state.ts';

/** Free slots first; only then is anything queued behind what runs (R21). */
type Room = 'idle' | 'roomy';

/** How many workers are looked at to spare a retried task those that failed it. */
const WORKERS_LOOKED_AT = 8;

/** Hands out what can be handed out. Costs what it grants: jobs that cannot be served and workers without room are not seen. */
export function place(state: State): void {
  state.placeable = false;
  state.pass++;
  state.refreshWorkers();
  for (const job of state.changedJobs) updateLane(state, job);
  if (state.reserved.size > 0) checkReservations(state);
  fill(state, 'idle');
  fill(state, 'roomy');
  takeBack(state);
  if (state.tails.size > 0) speculate(state);
  // A job that has ended on the way has freed others than those that were looked at: the next pass shall see them.
  state.refreshWorkers();
  for (const job of state.changedJobs) updateLane(state, job);
}

/** Puts a job where it waits for its turn, or out of it. */
function updateLane(state: State, job: OpenJob): void {
  const wants = state.jobs.get(job.id) === job && job.wantsSlots && mayBegin(state, job);
  if (!wants && job.live.size > 0 && job.state === 'active') state.tails.add(job);
  else state.tails.delete(job);
  const lane = wants ? (job.short ? job.shape.short : job.shape.long) : undefined;
  if (lane === job.lane) return;
  if (job.lane === undefined) joinQueue(job);
  if (lane === undefined) leaveQueue(job);
  job.lane = lane;
  lane?.add(job);
}

function fill(state: State, room: Room): void {
  const skipped: OpenJob[] = [];
  for (let job = nextJob(state, room); job !== undefined; job = nextJob(state, room)) {
    if (serve(state, job, room)) {
      updateLane(state, job);
    } else {
      leaveQueue(job);
      job.lane = undefined;
      skipped.push(job);
    }
  }
  for (const job of skipped) updateLane(state, job);
}

/** The job whose turn it is, of those for which there is room. */
function nextJob(state: State, room: Room): OpenJob | undefined {
  let best: OpenJob | undefined;
  for (const shape of state.shapes.byKey.values()) {
    if (shape[room].size === 0 && (room === 'roomy' || !mayReserve(state, shape))) continue;
    best = earlier(best, shape.short.top());
    if (room === 'idle') best = earlier(best, shape.long.top());
  }
  return room === 'roomy' && best !== undefined && holdsUp(state, best) ? undefined : best;
}

/** A job whose tasks are never queued ahead comes first: the slots must get free for it, else it would wait for ever (L5). */
function holdsUp(state: State, job: OpenJob): boolean {
  const worker = job.shape.roomy.values().next().value!;
  for (const shape of state.shapes.byKey.values()) {
    const long = shape.heavy || !shape.fits.has(worker) ? undefined : shape.long.top();
    // Also one whose blocks are still in the store: they are asked for when a slot is free.
    if (long !== undefined && precedes(long, job)) return true;
  }
  return false;
}

function earlier(a: OpenJob | undefined, b: OpenJob | undefined): OpenJob | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return precedes(b, a) ? b : a;
}

/** Grants one batch of it, or asks the store for blocks. False: nothing of it can go anywhere now. */
function serve(state: State, job: OpenJob, room: Room): boolean {
  if (job.shape[room].size === 0) {
    reserve(state, job);
    return false;
  }
  let tasks = 0;
  for (const worker of candidates(job, room)) {
    tasks = give(state, job, worker);
    if (state.jobs.get(job.id) !== job) return true;
    if (tasks > 0) break;
  }
  if (job.more && !job.claiming && job.ready < claimAhead(job) / 2 + 1) {
    claim(state, job);
    return true;
  }
  return tasks > 0;
}

/** Returns how many tasks it was given; none where it should not have those that are to be given. */
function give(state: State, job: OpenJob, worker: Worker): number {
  const tasks = takeDue(state, job, worker) || takeReady(state, job, worker) || takeOrphans(state, job, worker);
  if (tasks === 0 || state.jobs.get(job.id) !== job) return tasks;
  if (worker.reservedFor === job.shape) unreserve(state, job.shape);
  charge(job, (tasks * job.estimate * job.spec.cpus) / 1000);
  for (const shape of worker.shapes) {
    shape.idle.delete(worker);
    shape.roomy.delete(worker);
  }
  state.refreshWorker(worker);
  return tasks;
}

/** Those on which what is due has not failed come first; a task may be too dangerous for a few, so others follow. */
function candidates(job: OpenJob, room: Room): Worker[] {
  const due = job.due[0];
  const failedOn = due === undefined ? [] : (due.block.troubles.get(due.index)?.failedOn ?? []);
  const [good, bad]: [Worker[], Worker[]] = [[], []];
  for (const worker of job.shape[room]) {
    if (failedOn.includes(worker.id)) bad.push(worker);
    else good.push(worker);
    // The usual job: anybody will do.
    if (due === undefined && job.orphans.size === 0) break;
    if (good.length + bad.length === WORKERS_LOOKED_AT) break;
  }
  return [...good, ...bad];
}

function claim(state: State, job: OpenJob): void {
  const blocks = Math.ceil((claimAhead(job) - job.ready) / BLOCK_TASKS);
  job.claiming = true;
  job.moreSinceClaim = false;
  state.send({ kind: 'claimMore', job: job.id, blocks: Math.max(1, Math.min(blocks, CLAIM_BLOCKS)) });
}

/** A batch takes what is ready, from one block: what is near the worker before what comes next (R32). */
function takeReady(state: State, job: OpenJob, worker: Worker): number {
  const size = batchSize(state, job, worker);
  const { block, runs } = nearby(job, worker, size) ?? nextOf(job, size) ?? {};
  if (block === undefined || runs === undefined) return 0;
  block.move(runs, 'ready', 'leased');
  job.noteReady(block);
  grant(state, job, worker, block, runs, false);
  return countRuns(runs);
}

function nextOf(job: OpenJob, size: number): { block: BlockState; runs: Run[] } | undefined {
  const block = job.readyBlocks.values().next().value;
  if (block === undefined) return undefined;
  return { block, runs: block.next(evenPiece(block.tally.ready, size)) };
}

/** Tasks with a past whose time has come, those with the same dangers together (R9, R10). */
function takeDue(state: State, job: OpenJob, worker: Worker): number {
  const { due } = job;
  while (due.length > 0 && !stillDue(job, due[0]!.block, due[0]!.index)) due.shift();
  const first = due[0];
  if (first === undefined) return 0;
  const { block } = first;
  const trouble = block.troubles.get(first.index)!;
  if (onLastChance(trouble) && (worker.lastChances > 0 || avoids(job, worker, trouble))) return 0;
  const { failedOn } = trouble;
  if (worker.suspended && failedOn.includes(worker.id) && anotherCanTry(job, worker, failedOn)) return 0;
  const size = Math.min(batchSize(state, job, worker), suspectBatch(trouble));
  const indexes: number[] = [];
  while (indexes.length < size && due.length > 0) {
    const { block: other, index } = due[0]!;
    const same = other === block && stillDue(job, block, index) && block.troubles.get(index)!.losses === trouble.losses;
    if (!same) break;
    // It may be listed twice: it came back, was lent to a stray, and came back again.
    if (!indexes.includes(index)) indexes.push(index);
    due.shift();
  }
  const runs: Run[] = runsOf(indexes.sort((a, b) => a - b));
  block.move(runs, 'aside', 'leased');
  grant(state, job, worker, block, runs, onLastChance(trouble));
  return countRuns(runs);
}

function stillDue(job: OpenJob, block: BlockState, index: number): boolean {
  return job.blocks.get(block.first) === block && block.stateOf(index) === 'aside';
}
