import type { LeaseId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import type { JobProgress } from '../model/job.ts';
import { FIRST_FAILURES } from '../model/limits.ts';
import type { MadeOutcome } from '../model/records.ts';
import { countRuns, intersectRuns, type Run, subtractRuns } from '../model/runs.ts';
import { noteAttempts } from './attempts.ts';
import type { BlockState } from './block-state.ts';
import type { OpenJob } from './job-state.ts';
import { holds, joinRuns, settleLease, takeAway } from './leases.ts';
import { release, unfollow } from './pipelines.ts';
import type { State } from './state.ts';
import { type JobMove, moveJob } from './transitions.ts';

/** Who brought the outcomes, and when they were begun. */
export interface Source {
  readonly lease: LeaseId;
  readonly worker: WorkerId | '';
  readonly grantedAt: Millis;
  readonly elapsedMicros: number;
  /** Others may have these tasks too. */
  readonly shared: boolean;
  /** The outcome is the server's own. */
  readonly made?: MadeOutcome;
}

/** Tasks end: recorded once, counted, their other copies stopped; then perhaps their block and their job end too. */
export function endTasks(
  state: State,
  job: OpenJob,
  block: BlockState,
  runs: readonly Run[],
  failed: readonly Run[],
  source: Source,
): void {
  writeSegment(state, job, block, runs, failed, source);
  for (const index of block.troubled(runs)) block.troubles.delete(index);
  for (const index of block.copied) if (holds(runs, index)) block.copied.delete(index);
  moveToEnd(block, failed.length === 0 ? runs : subtractRuns(runs, failed), 'done');
  moveToEnd(block, failed, 'failed');
  const failures = countRuns(failed);
  job.failed += failures;
  job.done += countRuns(runs) - failures;
  if (source.shared) revokeCopies(state, block, runs, source);
  job.noteReady(block);
  state.progressChanged(job);
  if (block.over) endBlock(state, job, block);
  else state.blockChanged(block);
  if (failedTooMuch(job)) endJob(state, job, 'fail', `${job.failed} of ${job.ended} tasks failed`);
  else endIfComplete(state, job);
}

function moveToEnd(block: BlockState, runs: readonly Run[], end: 'done' | 'failed'): void {
  if (runs.length === 0) return;
  if (block.all(runs, 'leased')) return block.move(runs, 'leased', end);
  for (const from of ['leased', 'orphaned', 'ready', 'aside'] as const) {
    const some = block.select(runs, from);
    if (some.length > 0) block.move(some, from, end);
  }
}

function writeSegment(
  state: State,
  job: OpenJob,
  block: BlockState,
  runs: readonly Run[],
  failed: readonly Run[],
  source: Source,
): void {
  const attempts: [TaskIndex, number][] = [];
  for (const run of failed) {
    for (let i = run.start; i < run.start + run.count; i++)
      attempts.push([i, (block.troubles.get(i)?.charged ?? 0) + 1]);
  }
  for (const index of block.troubled(runs)) {
    const charged = block.troubles.get(index)!.charged;
    if (charged > 0 && !holds(failed, index)) attempts.push([index, charged + 1]);
  }
  const failures = countRuns(failed);
  const some = failures > 0 && failures < countRuns(runs);
  const segment = {
    job: job.id,
    seq: ++job.segments,
    block: block.first,
    generation: job.generation,
    runs,
    failed: failures,
    ...(some ? { failures: failed } : {}),
    ...(attempts.length > 0 ? { attempts: attempts.sort((a, b) => a[0] - b[0]) } : {}),
    worker: source.worker,
    lease: source.lease,
    startedAt: source.grantedAt + state.wall,
    elapsedMicros: source.elapsedMicros,
    endedAt: Math.round(state.now + state.wall),
  };
  state.write({ kind: 'segment', segment, ...(source.made === undefined ? {} : { made: source.made }) });
}

/** Whoever else has these tasks need not go on (R8). */
function revokeCopies(state: State, block: BlockState, runs: readonly Run[], { worker }: Source): void {
  for (const lease of [...block.leases]) {
    const left = intersectRuns(lease.left, runs);
    const away = lease.away.length === 0 ? [] : intersectRuns(lease.away, runs);
    if (left.length > 0) {
      if (worker !== '') noteAttempts(state, lease, left, 'superseded', `worker ${worker} was faster`);
      takeAway(state, lease, left);
    }
    if (!state.workers.has(lease.workerId)) continue;
    for (const part of [left, away]) {
      if (part.length > 0) state.send({ kind: 'revoke', worker: lease.workerId, lease: lease.id, runs: part });
    }
  }
}

function endBlock(state: State, job: OpenJob, block: BlockState): void {
  dropBlock(state, job, block);
  state.send({ kind: 'publish', change: { kind: 'blockEnded', job: job.id, first: block.first } });
}

/** Forgets a block and the leases in it, on disk and in memory. */
export function dropBlock(state: State, job: OpenJob, block: BlockState, gone = false): void {
  for (const lease of [...block.leases]) settleLease(state, lease, 'superseded', gone);
  for (const kind of ['ready', 'aside', 'leased', 'orphaned'] as const) job.tally[kind] -= block.tally[kind];
  job.blocks.delete(block.first);
  job.needs.delete(block.first);
  job.readyBlocks.delete(block);
  if (!gone) state.write({ kind: 'blockEnded', job: job.id, first: block.first });
  state.send({ kind: 'dropBlock', job: job.id, first: block.first });
}

function failedTooMuch(job: OpenJob): boolean {
  const { maxFailures } = job.spec;
  if (maxFailures !== undefined) return job.failed > maxFailures;
  return job.failed >= FIRST_FAILURES && job.done === 0;
}

/** All that a closed job had has ended: so does the job (R14). */
export function endIfComplete(state: State, job: OpenJob): void {
  if (job.open || job.endedAt !== undefined || job.ended < job.total) return;
  endJob(state, job, job.failed > 0 ? 'fail' : job.cancelled > 0 ? 'cancel' : 'finish');
}

/** The job ends, once: its copies are stopped, what has not ended is cancelled, and nothing of it stays in memory. */
export function endJob(state: State, job: OpenJob, move: JobMove, reason?: string): void {
  if (job.endedAt !== undefined) return;
  job.state = moveJob(job.state, move);
  job.endedAt = state.now + state.wall;
  if (reason !== undefined) job.reason = reason;
  dropJob(state, job);
  job.cancelled = job.total - job.done - job.failed;
  state.progressChanged(job);
  release(state, job);
}

/** Another server ended it: its row says so already, and what came here since then does not count. */
export function endFound(state: State, job: OpenJob, progress: JobProgress): void {
  dropJob(state, job, true);
  job.endAs(progress, state.now + state.wall);
  state.jobChanged(job);
  release(state, job);
}

/** Its copies are stopped, and nothing of it stays in memory. `gone`: nor is anything left on disk, where the job itself may be gone. */
function dropJob(state: State, job: OpenJob, gone = false): void {
  for (const block of [...job.blocks.values()]) {
    for (const lease of block.leases) {
      const runs = joinRuns(lease.left, lease.away);
      if (runs.length > 0 && state.workers.has(lease.workerId)) {
        state.send({ kind: 'revoke', worker: lease.workerId, lease: lease.id, runs });
      }
    }
    dropBlock(state, job, block, gone);
  }
  job.unclaimed = 0;
  job.more = false;
  job.due.length = 0;
  state.jobs.delete(job.id);
  unfollow(state, job);
  state.shapes.leave(job.shape);
  state.fairness.leave(job.share);
}
