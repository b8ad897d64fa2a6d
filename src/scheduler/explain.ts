import type { JobId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import { codesOf, type Runner } from '../model/job.ts';
import { POISON_WORKERS } from '../model/limits.ts';
import type { BlockState } from './block-state.ts';
import type { OpenJob } from './job-state.ts';
import { holds } from './leases.ts';
import { awaited, mayBegin } from './pipelines.ts';
import type { Shape } from './shapes.ts';
import type { State } from './state.ts';
import { choiceInWords } from './variants.ts';
import type { Worker } from './worker-state.ts';

/** Why a task waits, in words (R27). */
export interface Explanation {
  /** `unknown`: not a task of a job that is open here; the store may know more. */
  readonly state: 'waiting' | 'running' | 'ended' | 'unknown';
  /** Sentences, the most important first. */
  readonly reasons: readonly string[];
  /** Of a job with several codes: which one runs where, and why (R33). */
  readonly variants?: readonly string[];
}

/** Tasks that a worker has been given together and that have not all ended. */
export interface GivenBatch {
  readonly job: JobId;
  /** The first that has not ended, and how many have not. */
  readonly first: TaskIndex;
  readonly tasks: number;
  /** Milliseconds since they were given. */
  readonly since: Millis;
  /** False: it is behind others in the worker's queue. */
  readonly runs: boolean;
  /** With which of the job's codes, and why, where it has several (R33). */
  readonly variant?: string;
}

/** Batches of one worker that are told: nobody reads more. */
const BATCHES_TOLD = 100;

/** What a worker has to do, in the order in which it does it (R27). */
export function givenTo(state: State, id: WorkerId, now: Millis): GivenBatch[] {
  const worker = state.workers.get(id);
  if (worker === undefined) return [];
  return [...worker.leases].slice(0, BATCHES_TOLD).flatMap((lease, position) => {
    const first = lease.left[0]?.start;
    if (first === undefined) return [];
    const runs = position < worker.facts.slots;
    const variant = choiceInWords(lease.job, worker, lease.code);
    const given = { job: lease.job.id, first, tasks: lease.leftTasks, since: now - lease.grantedAt, runs };
    return [{ ...given, ...(variant !== undefined && { variant }) }];
  });
}

/** Workers that are named one by one in an explanation. */
const WORKERS_NAMED = 5;

export function explainTask(state: State, id: JobId, index: TaskIndex, now: Millis): Explanation {
  const job = state.jobs.get(id);
  if (job === undefined) return { state: 'unknown', reasons: [`Job ${id} is not open: it has ended, or never was.`] };
  if (index < 0 || index >= job.total) {
    const more = job.open ? ', and more may come' : '';
    return { state: 'unknown', reasons: [`Job ${id} has tasks 0 to ${job.total - 1}${more}.`] };
  }
  const block = [...job.blocks.values()].find(({ first, count }) => index >= first && index < first + count);
  if (block === undefined) return explainUnclaimed(state, job);
  switch (block.stateOf(index)) {
    case 'ended':
      return { state: 'ended', reasons: ['It has ended; its outcome is recorded.'] };
    case 'leased':
      return explainLeased(state, block, index, now);
    case 'orphaned':
      return explainOrphan(state, job, block, index);
    case 'aside':
      return { state: 'waiting', reasons: [explainPast(block, index, now), ...whyNotNow(state, job)] };
    case 'ready':
      return { state: 'waiting', reasons: whyNotNow(state, job) };
  }
}

/** Why tasks of the job wait, whichever they are. */
export function explainJob(state: State, id: JobId): Explanation {
  const job = state.jobs.get(id);
  if (job === undefined) return { state: 'unknown', reasons: [`Job ${id} is not open: it has ended, or never was.`] };
  const variants = job.spec.variants === undefined ? {} : { variants: variantsOf(job) };
  if (job.waiting > 0)
    return { state: 'waiting', reasons: [...whyNotNow(state, job), ...whyAside(state, job)], ...variants };
  if (job.running > 0) return { state: 'running', reasons: ['All that is left of it is with workers.'], ...variants };
  const { source } = job.spec;
  const from = source === undefined ? 'its submitter may still add some' : `its inputs are results of job ${source}`;
  return { state: 'waiting', reasons: [`It has no task that could run: ${from}.`], ...variants };
}

function variantsOf(job: OpenJob): string[] {
  const workers = [...job.shape.fits].slice(0, WORKERS_NAMED);
  return workers.map((worker) => `Worker ${name(worker)} runs ${choiceInWords(job, worker)}.`);
}

/** Tasks that wait by themselves are told apart from those for which there is no slot. */
function whyAside(state: State, job: OpenJob): string[] {
  const reasons: string[] = [];
  if (job.tally.aside > 0) {
    let next = Number.POSITIVE_INFINITY;
    for (const { troubles } of job.blocks.values())
      for (const { notBefore } of troubles.values()) if (notBefore > state.now) next = Math.min(next, notBefore);
    const when = Number.isFinite(next) ? `, the first in ${seconds(next - state.now)}` : '';
    reasons.push(
      `Of those that failed or were lost before, ${plural(job.tally.aside, 'task')} will be tried again${when}.`,
    );
  }
  if (job.tally.orphaned > 0)
    reasons.push(`Of workers that are gone, ${plural(job.tally.orphaned, 'task')} will be given to others.`);
  return reasons;
}

/** The block is not in memory. Whether the task has ended is on disk, where the caller has looked; else nobody needs it yet. */
function explainUnclaimed(state: State, job: OpenJob): Explanation {
  const { tally, unclaimed } = job;
  if (unclaimed === 0) return { state: 'ended', reasons: ['It has ended; its outcome is recorded.'] };
  const before = tally.ready + tally.aside + tally.orphaned;
  const ahead = before === 0 ? '' : `; ${before} ${before === 1 ? 'is' : 'are'} ahead of these`;
  const queue = `It is among the ${plural(unclaimed, 'task')} of the job that wait${unclaimed === 1 ? 's' : ''} in the store${ahead}.`;
  return { state: 'waiting', reasons: [queue, ...whyNotNow(state, job)] };
}

function explainLeased(state: State, block: BlockState, index: TaskIndex, now: Millis): Explanation {
  const lease = [...block.leases].find(({ left, standing }) => standing !== 'orphaned' && holds(left, index));
  const worker = lease === undefined ? undefined : state.workers.get(lease.workerId);
  if (lease === undefined) return { state: 'running', reasons: ['It runs.'] };
  if (worker === undefined) {
    const reason = `Worker ${lease.workerId} had it before the server started; it is given time to come back.`;
    return { state: 'running', reasons: [reason] };
  }
  const ago = seconds(now - lease.grantedAt);
  const copies = block.copied.has(index) ? ['A second copy of it runs on another worker, since it takes long.'] : [];
  const position = [...worker.leases].indexOf(lease);
  const waits = position >= worker.facts.slots || lease.left[0]?.start !== index;
  const where = `worker ${name(worker)} ${ago} ago`;
  const variant = choiceInWords(lease.job, worker, lease.code);
  const more = [...copies, ...(variant === undefined ? [] : [`Its variant is ${variant}.`])];
  if (!waits) return { state: 'running', reasons: [`It was given to ${where} and runs there.`, ...more] };
  return { state: 'running', reasons: [`It was given to ${where}, behind other tasks in its queue.`, ...more] };
}

function explainOrphan(state: State, job: OpenJob, block: BlockState, index: TaskIndex): Explanation {
  const lease = [...block.leases].find(({ left, standing }) => standing === 'orphaned' && holds(left, index));
  const whose = lease === undefined ? 'Its worker' : `Worker ${lease.workerId}, which had it,`;
  const reason = `${whose} is gone; the next free slot takes it, after the other ready tasks of the job.`;
  return { state: 'waiting', reasons: [reason, ...whyNotNow(state, job)] };
}

function explainPast(block: BlockState, index: TaskIndex, now: Millis): string {
  const trouble = block.troubles.get(index);
  if (trouble === undefined) return 'It waits by itself.';
  const parts: string[] = [];
  if (trouble.failedOn.length > 0) parts.push(`failed ${times(trouble.charged)} (on ${trouble.failedOn.join(', ')})`);
  if (trouble.losses > 0)
    parts.push(`was lost with its worker ${times(trouble.losses)} (${trouble.lostWorkers.join(', ')})`);
  const last =
    trouble.losses >= POISON_WORKERS - 1
      ? ' It runs as the only such task of a worker, since the next loss would be blamed on it.'
      : '';
  const wait = trouble.notBefore > now ? ` It is tried again in ${seconds(trouble.notBefore - now)}.` : '';
  return `It ${parts.join(' and ')}.${wait}${last}`;
}

/** The same facts that placement uses. */
function whyNotNow(state: State, job: OpenJob): string[] {
  if (job.state === 'paused') return ['The job is paused.'];
  const before = awaited(state, job);
  if (before !== undefined) return [`It comes after job ${before}, which has not ended.`];
  if (!mayBegin(state, job))
    return ['Its tasks may add others to the job, so that it begins once all inputs that it comes with are there.'];
  const { shape } = job;
  if (state.workers.size === 0) return ['No worker is connected.'];
  const runners = codesOf(job.spec).map(({ runner }) => runner);
  const advice = runners.map((runner) => (someHas(state, runner) ? undefined : ADVICE[runner]));
  if (advice.every((each) => each !== undefined)) return [...new Set(advice)];
  if (shape.fits.size === 0) return ['No connected worker can run it.', ...misfits(state, shape)];
  const open = [...shape.fits].filter((worker) => worker.open);
  if (open.length === 0) return ['Every worker that could run it is draining, silent or set aside.', ...closed(shape)];
  // What waits for its time to come is told apart.
  if (job.ready === 0 && job.unclaimed === 0 && job.tally.aside > 0) return [];
  if (shape.idle.size > 0) {
    return [job.claiming ? 'Its inputs are being read from the store.' : 'A slot is free: it is about to be granted.'];
  }
  const ahead = aheadOf(state, job);
  const busy = `All fitting slots are busy (${shape.slots} in ${plural(shape.fits.size, 'worker')}).`;
  const kept = shape.reserved === undefined ? [] : [`Worker ${name(shape.reserved)} is kept free for tasks like it.`];
  return [
    busy,
    ...kept,
    ...(ahead > 0
      ? [`${plural(ahead, 'job')} with higher priority or an earlier turn wait${ahead === 1 ? 's' : ''} too.`]
      : []),
  ];
}

/** What to do where no worker runs such tasks. */
const ADVICE: Partial<Record<Runner, string>> = {
  exec: 'No worker allows commands: join one with --allow exec.',
  npm: 'No worker installs packages: join one with --allow install, on a machine with npm.',
  venv: 'No worker installs what a file of Python names: join one with --allow python whose python3 can make virtual environments (on Debian: apt install python3-venv).',
  python:
    'No worker runs Python: install Pyodide beside the server and start it again (npm install pyodide), or join a worker that has python3 with --allow python.',
};

function someHas({ workers }: State, runner: Runner): boolean {
  for (const { facts } of workers.values()) if (facts.runners.includes(runner)) return true;
  return false;
}

function aheadOf(state: State, job: OpenJob): number {
  let ahead = 0;
  for (const other of state.jobs.values()) {
    if (other === job || other.lane === undefined) continue;
    if (other.spec.priority > job.spec.priority) ahead++;
    else if (other.spec.priority === job.spec.priority && other.share.start < job.share.start) ahead++;
  }
  return ahead;
}

function closed(shape: Shape): string[] {
  return [...shape.fits].slice(0, WORKERS_NAMED).map((worker) => `Worker ${name(worker)} is ${stateInWords(worker)}.`);
}

function stateInWords(worker: Worker): string {
  if (worker.lost) return 'silent';
  if (worker.draining) return 'draining';
  if (worker.suspended) return 'set aside, since everything failed there';
  return `resting, since it gave tasks back${worker.unable === undefined ? '' : `: ${worker.unable}`}`;
}

function misfits(state: State, shape: Shape): string[] {
  const reasons: string[] = [];
  for (const worker of state.workers.values()) {
    if (reasons.length === WORKERS_NAMED) break;
    reasons.push(`Worker ${name(worker)} ${shape.lacks(worker)}.`);
  }
  return reasons;
}

function name(worker: Worker): string {
  return worker.facts.name === worker.id ? worker.id : `${worker.facts.name} (${worker.id})`;
}

function seconds(millis: Millis): string {
  return `${(Math.max(0, millis) / 1000).toFixed(1)} s`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
