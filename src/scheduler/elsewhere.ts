import { endedExcept } from '../model/bitmaps.ts';
import type { LeaseId } from '../model/ids.ts';
import { hasEnded, type JobState } from '../model/job.ts';
import { countRuns, type Run, runsOf, subtractRuns } from '../model/runs.ts';
import { GIVE_BLOCKS, GIVE_WORTH } from '../model/server-limits.ts';
import type { BlockState } from './block-state.ts';
import { dropBlock, endFound, endIfComplete } from './ending.ts';
import type { ElsewhereEvent } from './events.ts';
import type { OpenJob } from './job-state.ts';
import { openJob, pauseJob, resumeJob, takeBlock } from './jobs.ts';
import { dropCopies, forgetLease, joinRuns, type Lease } from './leases.ts';
import { freeOrphans } from './losses.ts';
import { adoptAll } from './recovery.ts';
import type { State } from './state.ts';
import { lastTasks } from './takeback.ts';
import { keepHeld, revokeUnknown } from './workers.ts';

type Of<Kind extends ElsewhereEvent['kind']> = Extract<ElsewhereEvent, { kind: Kind }>;

/** One that another server was given (R35). */
export function jobFound(state: State, { job: { id, spec, progress }, claimable }: Of<'jobFound'>): void {
  if (state.jobs.has(id) || hasEnded(progress.state)) return;
  const job = openJob(state, id, spec, progress);
  job.more = claimable;
  endIfComplete(state, job);
}

/** What others brought adds to what is known here; it may be what this job's end waited for. */
export function progressFound(state: State, { job: id, change, progress }: Of<'progressFound'>): void {
  const job = state.jobs.get(id);
  if (job === undefined) return;
  if (hasEnded(progress.state)) return endFound(state, job, progress);
  job.addElsewhere(change);
  state.jobChanged(job);
  if (change.set.state !== undefined) follow(state, job, change.set.state);
  endIfComplete(state, job);
}

function follow(state: State, job: OpenJob, now: JobState): void {
  if (now === job.state) return;
  if (now === 'paused') pauseJob(state, job);
  else resumeJob(state, job);
}

/** Whether anything of it can be had, and whether others want what waits here (R36). */
export function jobPulsed(state: State, { job: id, claimable, wanted }: Of<'jobPulsed'>): void {
  const job = state.jobs.get(id);
  if (job === undefined) return;
  // Asking for what is not there is how a server says that it is hungry (D22).
  const more = claimable || job.unclaimed > 0;
  if (more && !job.more) {
    job.more = true;
    state.jobChanged(job);
  }
  if (wanted && !claimable) giveSome(state, job);
}

/** Half of what waits here, unless that is soon done; from the end. */
function giveSome(state: State, job: OpenJob): void {
  if (!canRunHere(job)) return giveAll(state, job);
  let left = Math.ceil(job.tally.ready / 2);
  if (left * job.estimate < GIVE_WORTH * 1000 * job.shape.slots) return;
  let rows = 0;
  for (const block of [...job.readyBlocks].reverse()) {
    if (left === 0 || rows++ === GIVE_BLOCKS) break;
    const runs = lastTasks(block.next(block.tally.ready), left);
    left -= countRuns(runs);
    give(state, job, block, runs);
  }
  state.jobChanged(job);
}

function canRunHere({ shape }: OpenJob): boolean {
  for (const worker of shape.fits) if (!worker.draining && !worker.lost) return true;
  return false;
}

/** Whatever waits, also what has a past, and what waits for a worker that may be at another server by now. */
function giveAll(state: State, job: OpenJob): void {
  for (const lease of [...job.orphans]) freeOrphans(state, lease);
  if (job.endedAt !== undefined) return;
  let rows = 0;
  for (const block of [...job.blocks.values()]) {
    const { ready, aside } = block.tally;
    if (ready + aside === 0) continue;
    if (rows++ === GIVE_BLOCKS) break;
    const whole = [{ start: block.first, count: block.count }];
    give(state, job, block, joinRuns(block.select(whole, 'ready'), block.select(whole, 'aside')));
  }
  state.jobChanged(job);
}

/** `lease`: with this one, to whoever has its worker; absent: to anybody. */
function give(state: State, job: OpenJob, block: BlockState, runs: readonly Run[], lease?: LeaseId): void {
  const { first, count, generation } = block;
  const ended = endedExcept(first, count, runs);
  const exceptions = block.give(runs, state.wall);
  job.unclaimed += countRuns(runs);
  job.noteReady(block);
  const given = { job: job.id, first, count, generation, ended, exceptions, epoch: 0 };
  state.write(lease === undefined ? { kind: 'blockFreed', block: given } : { kind: 'handedOver', lease, block: given });
  if (block.over) dropBlock(state, job, block);
  else state.blockChanged(block);
}

/** Its worker is at another server: what it runs, and nobody else was given, goes there as it is (R39). */
export function leasesWanted(state: State, { worker, leases }: Of<'leasesWanted'>): void {
  for (const id of leases) {
    const lease = state.leases.get(id);
    // What is barred its worker is not to have again.
    if (lease?.workerId === worker && !lease.barred) handOver(state, lease);
  }
}

function handOver(state: State, lease: Lease): void {
  const { job, block } = lease;
  // What runs twice is in good hands here.
  const runs = subtractRuns(lease.left, runsOf([...block.copied].sort((a, b) => a - b)));
  if (runs.length === 0) return;
  dropCopies(block, lease.left);
  forgetLease(state, lease);
  give(state, job, block, runs, lease.id);
  state.jobChanged(job);
}

/** Their workers came here (R37): what could be had of their leases is as if granted here. */
export function leasesTaken(state: State, { newcomers, blocks, leases }: Of<'leasesTaken'>): void {
  for (const record of blocks) {
    const job = state.jobs.get(record.job);
    if (job !== undefined && job.generation === record.generation) takeBlock(state, job, record);
  }
  adoptAll(state, leases);
  for (const { worker, held } of newcomers) {
    if (!state.workers.has(worker)) continue;
    for (const { lease, runs } of held) {
      const known = state.leases.get(lease);
      if (known?.workerId === worker) keepHeld(state, known, runs);
    }
    revokeUnknown(state, worker, held);
  }
}

/** What comes again of them is no duplicate: it was never recorded (R6). */
export function leasesLeftOut(state: State, { leases }: Of<'leasesLeftOut'>): void {
  for (const lease of leases) {
    const settled = state.settled.get(lease);
    if (settled !== undefined) state.settled.set(lease, { ...settled, verdict: 'superseded' });
  }
}
