import type { LeaseId, Millis, WorkerId } from '../model/ids.ts';
import type { BlockRecord, Job, LeaseRecord } from '../model/job.ts';
import { ADOPTION_GRACE, BROWSER_ADOPTION_GRACE } from '../model/limits.ts';
import { countRuns, type Run, runsOf, subtractRuns } from '../model/runs.ts';
import { HANDOVER_GRACE } from '../model/server-limits.ts';
import type { BlockState } from './block-state.ts';
import { endIfComplete } from './ending.ts';
import { absorb, openJob } from './jobs.ts';
import { enterLease, joinRuns, type Lease, newLease, orphan, setAway, setStanding } from './leases.ts';
import { waitUntilDue } from './retries.ts';
import type { State } from './state.ts';

/** What the store knows of jobs that have not ended. */
export interface Recovered {
  readonly jobs: readonly Job[];
  readonly blocks: readonly BlockRecord[];
  readonly leases: readonly LeaseRecord[];
}

/** The one way to begin: from disk. Leases wait for their workers for a while (R5). */
export function recover(state: State, recovered: Recovered): void {
  for (const { id, spec, progress } of recovered.jobs) openJob(state, id, spec, progress).more = true;
  for (const record of recovered.blocks) {
    const block = state.jobs.get(record.job)?.enterBlock(record, state.wall);
    if (block !== undefined && record.part !== undefined) absorb(state, block, record.part);
  }
  adoptAll(state, recovered.leases);
  for (const job of [...state.jobs.values()]) {
    for (const block of job.blocks.values()) {
      job.noteReady(block);
      for (const index of block.troubles.keys())
        if (block.stateOf(index) === 'aside') waitUntilDue(state, job.id, block, index);
    }
    endIfComplete(state, job);
  }
}

/** Leases of before, or of another server: they wait for their workers for a while. */
export function adoptAll(state: State, rows: readonly LeaseRecord[]): void {
  // Of two leases with the same task the newer one has it: the older had lost its worker.
  for (const row of [...rows].sort((a, b) => b.lease - a.lease)) adopt(state, row);
  const patience = new Map<WorkerId, Millis>();
  for (const { worker, patient } of rows) {
    patience.set(worker, patient === true ? BROWSER_ADOPTION_GRACE : ADOPTION_GRACE);
  }
  for (const [worker, grace] of patience) state.timers.set(state.now + grace, () => giveUp(state, worker));
}

function adopt(state: State, row: LeaseRecord): void {
  const job = state.jobs.get(row.job);
  const block = job?.blocks.get(row.block);
  if (job === undefined || block === undefined || !block.has(row.runs)) {
    return state.write({ kind: 'leaseEnded', lease: row.lease });
  }
  const lease = newLease(job, block, row, state.now);
  const ended = block.select(row.runs, 'ended');
  const newer = block.select(row.runs, 'leased');
  // What failed under it last is not its own any more, whether or not the worker heard of that.
  const failed = failedSince(block, row.runs, (by) => by === row.lease);
  // What failed under a newer one is to be tried again; here it may still succeed.
  const later = failedSince(block, row.runs, (by) => by > row.lease);
  enterLease(state, lease);
  const gone = joinRuns(joinRuns(ended, newer), joinRuns(failed, later));
  own(lease, subtractRuns(row.runs, gone));
  const elsewhere = state.shared ? ended : [];
  setAway(lease, joinRuns(joinRuns(newer, later), elsewhere));
  job.noteReady(block);
}

function failedSince(block: BlockState, runs: readonly Run[], is: (lease: LeaseId) => boolean): Run[] {
  const aside = block.troubled(runs).filter((index) => block.stateOf(index) === 'aside');
  return runsOf(aside.filter((index) => is(block.troubles.get(index)!.failedLease)));
}

function own(lease: Lease, runs: readonly Run[]): void {
  const { block } = lease;
  const plain = block.select(runs, 'ready');
  const aside = block.select(runs, 'aside');
  block.move(plain, 'ready', 'leased');
  block.move(aside, 'aside', 'leased');
  lease.left = joinRuns(plain, aside);
  lease.leftTasks = countRuns(lease.left);
  if (lease.leftTasks > 0) lease.standing = 'adopting';
}

/** Its connection ended: it may be at another server in a moment, and keep what it runs (R39). */
export function awaitWorker(state: State, lease: Lease): void {
  setStanding(state, lease, 'adopting');
  const until = state.now + HANDOVER_GRACE;
  lease.awaited = until;
  state.timers.set(until, () => {
    if (lease.standing === 'adopting' && lease.awaited === until) orphan(state, lease);
  });
}

/** It has not come back: others may have its tasks, last (R4). */
function giveUp(state: State, worker: WorkerId): void {
  for (const lease of [...(state.held.get(worker) ?? [])]) if (lease.standing === 'adopting') orphan(state, lease);
}
