import type { Millis } from '../model/ids.ts';
import { type CodeRef, codesOf, type JobSpec } from '../model/job.ts';
import {
  TRIAL_AGAIN,
  TRIAL_FAILURES,
  TRIAL_GAIN,
  TRIAL_LONG,
  TRIAL_MEMORY,
  TRIAL_MICROS,
  TRIAL_REST,
  TRIAL_TASKS,
} from '../model/variant-limits.ts';
import { canRun } from '../model/worker.ts';
import type { OpenJob } from './job-state.ts';
import type { Lease } from './leases.ts';
import type { State } from './state.ts';
import type { Worker } from './worker-state.ts';

type Micros = number;

/** What is known of one code of a job on one worker. */
interface Trial {
  /** Its place among the codes of the job. */
  readonly code: number;
  /** Tasks that the worker was given with it. */
  given: number;
  /** Mean microseconds of a task that succeeded, how many were measured, and how long these took together. */
  mean: Micros | undefined;
  measured: number;
  micros: Micros;
  succeeded: boolean;
  /** Failures since the last success. */
  failures: number;
  /** Not to be tried again before this time, while another is faster. */
  restsUntil: Millis;
}

/** What is known of the codes of a job on one worker that can run more than one of them. */
export interface Trials {
  readonly trials: readonly Trial[];
  /** The one that it is given for as long as no other is faster by far. */
  best: Trial | undefined;
}

export interface Choice {
  readonly code: number;
  /** Mean microseconds of a task with it there; undefined: nothing is measured. */
  readonly mean?: Micros | undefined;
  /** It is given to be measured; at most so many tasks. */
  readonly trial?: number;
}

const ONLY: Choice = { code: 0 };

/** The code with which a worker is given tasks of a job now, and why (R33). Changes nothing: see {@link noteGiven}. */
export function choose(state: State, job: OpenJob, worker: Worker): Choice {
  if (job.spec.variants === undefined) return ONLY;
  const { trials, best } = trialsOf(job, worker);
  if (trials.length === 1) return trials[0]!;
  const open = trials.filter((trial) => isOpen(trial) && (mayBeFaster(trial, best) || !isOut(worker, job, trial)));
  if (open.length > 0) return tryOut(open.reduce((least, trial) => (trial.given < least.given ? trial : least)));
  const rested =
    job.waiting > job.shape.slots && trials.find((trial) => trial !== best && mayRunAgain(trial, state.now));
  if (rested) return tryOut(rested);
  const { code, mean } = best ?? trials[0]!;
  return { code, mean };
}

/** It was given to the worker: the next one may be another code's turn. */
export function noteGiven(state: State, job: OpenJob, worker: Worker, code: number, tasks: number): void {
  if (job.spec.variants === undefined) return;
  const { trials, best } = trialsOf(job, worker);
  const trial = trials.find((each) => each.code === code)!;
  trial.given += tasks;
  if (trial === best) return;
  // What is known of it is old: what comes now counts for more.
  if (!isOpen(trial)) trial.measured = Math.min(trial.measured, Math.max(TRIAL_TASKS, tasks));
  rest(trial, tasks, state.now);
}

/** Outcomes came: how long its tasks take there. */
export function measureCode(
  { now }: State,
  { job, code }: Lease,
  worker: Worker,
  { tasks, failures, micros }: { tasks: number; failures: number; micros: Micros },
): void {
  if (job.spec.variants === undefined || code === undefined) return;
  const known = trialsOf(job, worker);
  const trial = known.trials.find((each) => each.code === code);
  if (trial === undefined) return;
  const done = tasks - failures;
  trial.failures = done > 0 ? 0 : trial.failures + failures;
  trial.succeeded ||= done > 0;
  if (done > 0) noteTime(trial, done, micros);
  const { best } = known;
  if (!isOpen(trial)) chooseBest(known);
  if (trial !== known.best) rest(trial, tasks, now);
  if (best !== undefined && best !== known.best) rest(best, TRIAL_TASKS, now);
}

/**
 * It failed with a code that never succeeded on this worker, which may lack what that needs; and another code is left
 * to be tried there. Then it is not the task's fault.
 */
export function isCodesFault(state: State, { job, workerId, code }: Lease): boolean {
  const worker = state.workers.get(workerId);
  if (job.spec.variants === undefined || code === undefined || worker === undefined) return false;
  const { trials } = trialsOf(job, worker);
  if (trials.find((trial) => trial.code === code)?.succeeded !== false) return false;
  return trials.some((trial) => trial.code !== code && !hasFailed(trial));
}

/** Which code a worker runs, and why, in words; undefined: there is nothing to choose. */
export function choiceInWords(job: OpenJob, worker: Worker, code?: number): string | undefined {
  if (job.spec.variants === undefined) return undefined;
  const { trials, best } = trialsOf(job, worker);
  const chosen = trials.find((trial) => trial.code === (code ?? best?.code)) ?? trials[0];
  if (chosen === undefined) return undefined;
  const called = (trial: Trial) => nameOf(job.spec, trial.code);
  if (trials.length === 1) return `${called(chosen)}, the only one of its variants that this worker can run`;
  const others = trials.filter((trial) => trial !== chosen).map((trial) => `${called(trial)} ${inWords(trial)}`);
  return [`${called(chosen)} ${inWords(chosen, ' a task there')}`, ...others].join(', ');
}

/** What people call a code: its runner, and its source where another has the same runner. */
export function nameOf(spec: JobSpec, code: number): string {
  const codes = codesOf(spec);
  const { runner, sourceName } = codes[code] as CodeRef;
  return codes.filter((other) => other.runner === runner).length === 1 ? runner : `${runner} (${sourceName})`;
}

function trialsOf(job: OpenJob, worker: Worker): Trials {
  let known = job.trials.get(worker);
  if (known === undefined) {
    const fitting = [...codesOf(job.spec).entries()].filter(([, code]) => canRun(worker.facts, code));
    known = { trials: fitting.map(([code]) => newTrial(code)), best: undefined };
    job.trials.set(worker, known);
  }
  return known;
}

function newTrial(code: number): Trial {
  const nothing = { given: 0, mean: undefined, measured: 0, micros: 0, succeeded: false, failures: 0, restsUntil: 0 };
  return { code, ...nothing };
}

/** Too little is known of it. */
function isOpen(trial: Trial): boolean {
  if (hasFailed(trial) || trial.micros >= TRIAL_LONG) return false;
  return trial.measured < TRIAL_TASKS || trial.micros < TRIAL_MICROS;
}

function hasFailed({ succeeded, failures }: Trial): boolean {
  return !succeeded && failures >= TRIAL_FAILURES;
}

/** By all that is known; nothing is known of either at the start. */
function mayBeFaster({ mean }: Trial, best: Trial | undefined): boolean {
  return best === undefined || (mean !== undefined && mean < best.mean!);
}

/** Tasks of it are there and have not ended: it may be far slower than what is known, so it gets no more until they have. */
function isOut(worker: Worker, job: OpenJob, { code }: Trial): boolean {
  for (const lease of worker.leases) if (lease.job === job && lease.code === code) return true;
  return false;
}

function mayRunAgain(trial: Trial, now: Millis): boolean {
  return !hasFailed(trial) && trial.restsUntil <= now;
}

/** So many tasks of it were slower than they had to be: not again before that is little of the worker's time. */
function rest(trial: Trial, tasks: number, now: Millis): void {
  const pause = Math.max(TRIAL_AGAIN, (TRIAL_REST * tasks * (trial.mean ?? 0)) / 1_000);
  trial.restsUntil = Math.max(trial.restsUntil, now + pause);
}

/** As many tasks as tell enough, and few while nobody knows how long they take. */
function tryOut({ code, mean }: Trial): Choice {
  return {
    code,
    mean,
    trial: mean === undefined ? TRIAL_TASKS : Math.max(TRIAL_TASKS, Math.ceil(TRIAL_MICROS / mean)),
  };
}

function noteTime(trial: Trial, done: number, micros: Micros): void {
  // The first tasks of a process are slower than all that follow, so they are counted only where they are long.
  const warmsUp = trial.mean === undefined && micros < TRIAL_LONG;
  const before = Math.min(trial.measured, TRIAL_MEMORY);
  trial.mean = ((trial.mean ?? 0) * before + micros) / (before + done);
  if (warmsUp) return;
  trial.measured += done;
  trial.micros += micros;
}

function chooseBest(known: Trials): void {
  const timed = known.trials.filter((trial) => !isOpen(trial) && trial.mean !== undefined);
  const fastest = timed.reduce<Trial | undefined>((a, b) => (a !== undefined && a.mean! <= b.mean! ? a : b), undefined);
  const { best } = known;
  if (fastest === undefined || fastest === best) return;
  if (best?.mean === undefined || fastest.mean! < best.mean * TRIAL_GAIN) known.best = fastest;
}

function inWords(trial: Trial, unit = ''): string {
  if (hasFailed(trial)) return 'fails there';
  return trial.mean === undefined ? 'not measured there yet' : `${duration(trial.mean)}${unit}`;
}

function duration(micros: Micros): string {
  if (micros < 100) return `${Math.max(0.1, micros).toFixed(1)} µs`;
  return micros < 1_000_000 ? `${(micros / 1_000).toFixed(1)} ms` : `${(micros / 1_000_000).toFixed(1)} s`;
}
