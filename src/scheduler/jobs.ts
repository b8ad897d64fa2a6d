import { NEARBY_BLOCKS } from '../model/blob-limits.ts';
import type { JobId } from '../model/ids.ts';
import { type BlockRecord, type JobProgress, type JobSpec, wasClosedAt } from '../model/job.ts';
import type { BlockState } from './block-state.ts';
import { endIfComplete, endJob } from './ending.ts';
import type { Event, RequestId } from './events.ts';
import { appendBlock } from './inputs.ts';
import { newProgress, OpenJob } from './job-state.ts';
import { needsOf } from './nearby.ts';
import { follow } from './pipelines.ts';
import { waitUntilDue } from './retries.ts';
import type { State } from './state.ts';
import { recallAll } from './takeback.ts';
import { moveJob } from './transitions.ts';

type Of<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;

/** A job becomes known: new, from disk, or opened again. */
export function openJob(state: State, id: JobId, spec: JobSpec, progress: JobProgress): OpenJob {
  const shape = state.shapes.of(spec, state.workers.values());
  const job = new OpenJob(id, spec, progress, shape, state.fairness.enter(spec.owner, spec.priority));
  state.jobs.set(id, job);
  follow(state, job);
  state.jobChanged(job);
  return job;
}

export function submit(state: State, event: Of<'jobSubmitted'>): void {
  if (state.jobs.has(event.job)) {
    return state.reply(event.request, { ok: false, code: 'conflict', message: `job ${event.job} exists already` });
  }
  const total = event.spec.range?.count ?? 0;
  const job = openJob(state, event.job, event.spec, newProgress(event.open, total));
  state.write({ kind: 'job', job: job.id, spec: job.spec, progress: job.progress() });
  state.reply(event.request, { ok: true });
  endIfComplete(state, job);
}

export function addInputs(state: State, event: Of<'inputsAdded'>): void {
  const job = find(state, event.job, event.request);
  if (job === undefined) return;
  const refusal = refuseInputs(job, event);
  if (refusal !== undefined) {
    const [code, message] = refusal;
    return state.reply(event.request, { ok: false, code, message });
  }
  state.reply(event.request, { ok: true });
  // Sent again because the answer got lost (R15).
  if (event.first < job.total) return;
  const { first, count, large } = event;
  if (large !== undefined && job.needs.size < NEARBY_BLOCKS) job.needs.set(first, needsOf(large));
  appendBlock(state, job, count);
}

function refuseInputs(job: OpenJob, event: Of<'inputsAdded'>): ['conflict' | 'invalid', string] | undefined {
  if (event.first + event.count <= job.total) return undefined;
  if (job.spec.range !== undefined) return ['conflict', `job ${job.id} is a range: it takes no inputs`];
  if (!job.open) return ['conflict', `job ${job.id} is closed: it takes no more inputs`];
  if (event.first !== job.total)
    return ['conflict', `inputs of job ${job.id} go on at ${job.total}, not at ${event.first}`];
  if (event.count < 1) return ['invalid', 'a block of inputs has at least one'];
  return undefined;
}

export function close(state: State, event: Of<'jobClosed'>): void {
  const job = find(state, event.job, event.request);
  if (job === undefined) return;
  // Said again, because the answer got lost.
  if (wasClosedAt(event.total, job.spec, job)) return state.reply(event.request, { ok: true });
  if (event.total !== job.total) {
    const message = `job ${job.id} has ${job.total} inputs, not ${event.total}: some did not arrive`;
    return state.reply(event.request, { ok: false, code: 'invalid', message });
  }
  state.reply(event.request, { ok: true });
  job.open = false;
  state.progressChanged(job);
  // What it waited for, where its tasks add others (R34).
  state.jobChanged(job);
  endIfComplete(state, job);
}

export function claimed(state: State, event: Of<'blocksClaimed'>): void {
  const job = state.jobs.get(event.job);
  if (job === undefined) return dropClaimed(state, event);
  job.claiming = false;
  job.more = event.more || job.moreSinceClaim;
  for (const record of event.blocks) if (record.generation === job.generation) takeBlock(state, job, record);
  state.jobChanged(job);
}

/** The job ended while the store was asked. The rows of its blocks go when it is forgotten. */
function dropClaimed(state: State, event: Of<'blocksClaimed'>): void {
  for (const { first } of event.blocks) state.send({ kind: 'dropBlock', job: event.job, first });
}

/** A block from the store, or a part of one, with what its tasks went through. */
export function takeBlock(state: State, job: OpenJob, record: BlockRecord): void {
  const block = job.enterBlock(record, state.wall);
  if (record.part !== undefined) absorb(state, block, record.part);
  for (const { index, count } of record.exceptions)
    for (let i = index; i < index + count; i++) if (block.troubles.has(i)) waitUntilDue(state, job.id, block, i);
}

/** From here on this server's own row of the block says that it holds these tasks (D20). */
export function absorb(state: State, block: BlockState, part: number): void {
  state.blockChanged(block);
  state.write({ kind: 'blockEnded', job: block.job, first: block.first, part });
}

export function reopen(state: State, event: Of<'jobReopened'>): void {
  const { id, spec, progress } = event.job;
  if (state.jobs.has(id)) {
    return state.reply(event.request, { ok: false, code: 'conflict', message: `job ${id} has not ended` });
  }
  openJob(state, id, spec, progress);
  state.reply(event.request, { ok: true });
}

export function cancel(state: State, event: Of<'jobCancelled'>): void {
  const job = state.jobs.get(event.job);
  // What is not here has ended: the shell knows whether it ever was (R12).
  if (job !== undefined) endJob(state, job, 'cancel', event.reason);
  state.reply(event.request, { ok: true });
}

export function pause(state: State, event: Of<'jobPaused'>): void {
  const job = find(state, event.job, event.request);
  if (job === undefined) return;
  state.reply(event.request, { ok: true });
  if (job.state === 'paused') return;
  pauseJob(state, job);
  state.progressChanged(job);
}

export function pauseJob(state: State, job: OpenJob): void {
  job.state = moveJob(job.state, 'pause');
  for (const lease of job.live) recallAll(state, lease);
}

export function resume(state: State, event: Of<'jobResumed'>): void {
  const job = find(state, event.job, event.request);
  if (job === undefined) return;
  state.reply(event.request, { ok: true });
  if (job.state === 'active') return;
  resumeJob(state, job);
  state.progressChanged(job);
}

export function resumeJob(state: State, job: OpenJob): void {
  job.state = moveJob(job.state, 'resume');
  for (const lease of job.live) lease.recalled = [];
  state.jobChanged(job);
}

function find(state: State, id: JobId, request: RequestId): OpenJob | undefined {
  const job = state.jobs.get(id);
  if (job === undefined) {
    state.reply(request, { ok: false, code: 'conflict', message: `job ${id} is not open: it has ended, or never was` });
  }
  return job;
}
