import type { JobId, Millis } from '../model/ids.ts';
import type { Job, JobProgress, JobSpec } from '../model/job.ts';
import type { Clock } from './clock.ts';

interface LiveJob {
  readonly spec: JobSpec;
  progress: JobProgress;
  /** When inputs came last, or when this server first knew of the job. */
  fedAt: Millis;
  waiting: number;
  running: number;
}

/** What is durable of the jobs that have not ended, and how many of their tasks wait and run. */
export class LiveJobs {
  readonly #clock: Clock;
  readonly #jobs = new Map<JobId, LiveJob>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#jobs.size;
  }

  get ids(): JobId[] {
    return [...this.#jobs.keys()];
  }

  has(job: JobId): boolean {
    return this.#jobs.has(job);
  }

  get(job: JobId): Pick<Job, 'id' | 'spec' | 'progress'> | undefined {
    const live = this.#jobs.get(job);
    return live === undefined ? undefined : { id: job, spec: live.spec, progress: live.progress };
  }

  spec(job: JobId): JobSpec | undefined {
    return this.#jobs.get(job)?.spec;
  }

  counts(job: JobId): { waiting: number; running: number } {
    return this.#jobs.get(job) ?? { waiting: 0, running: 0 };
  }

  know(job: JobId, spec: JobSpec, progress: JobProgress): void {
    const fedAt = this.#jobs.get(job)?.fedAt ?? this.#clock.now();
    this.#jobs.set(job, { spec, progress, fedAt, waiting: 0, running: 0 });
  }

  /** What it was before; undefined: it is not live. */
  progressed(job: JobId, progress: JobProgress): JobProgress | undefined {
    const live = this.#jobs.get(job);
    if (live === undefined) return undefined;
    const before = live.progress;
    if (progress.total !== before.total) live.fedAt = this.#clock.now();
    live.progress = progress;
    return before;
  }

  counted(job: JobId, waiting: number, running: number): void {
    const live = this.#jobs.get(job);
    if (live === undefined) return;
    live.waiting = waiting;
    live.running = running;
  }

  forget(job: JobId): void {
    this.#jobs.delete(job);
  }

  clear(): void {
    this.#jobs.clear();
  }

  /** Jobs whose inputs have not all come, and of which none has come since; all that did have ended. */
  openSince(since: Millis): JobId[] {
    const open: JobId[] = [];
    for (const [job, { spec, progress, fedAt }] of this.#jobs) {
      if (spec.source !== undefined) continue;
      const ended = progress.done + progress.failed + progress.cancelled;
      if (progress.open && fedAt < since && ended === progress.total) open.push(job);
    }
    return open;
  }
}
