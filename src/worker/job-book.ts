import { COMMANDS_TIME } from '../model/exec-limits.ts';
import type { JobId, Millis } from '../model/ids.ts';
import type { CodeRef } from '../model/job.ts';
import { CHUNK_TIME } from '../model/limits.ts';
import type { JobNotice } from '../protocol/worker-messages.ts';
import type { JobFacts } from './runner.ts';

/** A job with one of its codes, as the worker knows it: its facts, its code, and how long its tasks take. */
export interface KnownJob {
  readonly facts: JobFacts;
  code: 'fetching' | 'ready' | { readonly failed: string };
  /** Microseconds of one task, lately; undefined until one has ended. */
  mean: number | undefined;
  /** Chunks in a row that took about as long as was foreseen. */
  calm: number;
  /** The server said it is over: forgotten once nothing of it is left here. */
  over: boolean;
}

/** Chunks in a row that must have gone as foreseen, before a slot gets a second one behind the first. */
const CALM = 4;

export class JobBook {
  /** The code that was told last is the last one: what comes now is for that (P27). */
  readonly #jobs = new Map<JobId, KnownJob[]>();

  get(job: JobId): KnownJob | undefined {
    return this.#jobs.get(job)?.at(-1);
  }

  /** The new job, or undefined where it was known already with this code, as after a reconnect. */
  note(notice: JobNotice): KnownJob | undefined {
    const all = this.#jobs.get(notice.job) ?? [];
    const known = all.find(({ facts }) => facts.code.sha256 === notice.code.sha256);
    const others = all.filter((each) => each !== known);
    if (known !== undefined && typeof known.code !== 'object') {
      known.over = false;
      this.#jobs.set(notice.job, [...others, known]);
      return undefined;
    }
    const { job, name, code, range, timeout, memory, cpus = 1, resources = {}, spawns } = notice;
    const facts: JobFacts = {
      job,
      name,
      code,
      cpus,
      resources,
      ...(range && { range }),
      ...(timeout !== undefined && { timeout }),
      ...(memory !== undefined && { memory }),
      ...(spawns === true && { spawns }),
    };
    const noted: KnownJob = { facts, code: 'fetching', mean: undefined, calm: 0, over: false };
    this.#jobs.set(job, [...others, noted]);
    return noted;
  }

  forget(job: JobId): void {
    this.#jobs.delete(job);
  }

  codeSettled(sha256: string, code: KnownJob['code']): void {
    for (const job of [...this.#jobs.values()].flat()) {
      if (job.facts.code.sha256 === sha256 && job.code === 'fetching') job.code = code;
    }
  }

  /** Code that could not be had is wanted once more. */
  again(known: KnownJob): CodeRef {
    known.code = 'fetching';
    return known.facts.code;
  }

  ids(): JobId[] {
    return [...this.#jobs.keys()];
  }
}

export function noteTime(job: KnownJob, tasks: number, micros: number): void {
  const each = micros / tasks;
  job.mean = job.mean === undefined ? each : job.mean * 0.4 + each * 0.6;
  job.calm = micros > 4_000 * chunkTime(job.facts) ? 0 : job.calm + 1;
}

/** How long a chunk of it should take. */
export function chunkTime({ code }: Pick<JobFacts, 'code'>): Millis {
  return code.runner === 'exec' ? COMMANDS_TIME : CHUNK_TIME;
}

/** How many tasks fill a chunk; one where nothing is known, because it may take an hour. */
export function chunkSize(job: KnownJob): number {
  if (job.mean === undefined) return 1;
  return Math.max(1, Math.floor((chunkTime(job.facts) * 1_000) / Math.max(job.mean, 0.01)));
}

/**
 * Whether a second chunk may wait in the process behind the first. It hides the hand-over, but nobody can take it back,
 * so it is for tasks that have been short and even. Commands are begun by the worker itself: there is nothing to hide.
 */
export function mayRunAhead(job: KnownJob): boolean {
  return (
    job.facts.code.runner !== 'exec' && job.calm >= CALM && job.mean !== undefined && job.mean <= CHUNK_TIME * 1_500
  );
}
