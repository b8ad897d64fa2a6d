import type { JobId, WorkerId } from '../model/ids.ts';
import { WORKER_HISTORIES, WORKER_HISTORY_JOBS } from '../model/limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import { countRuns } from '../model/runs.ts';

/** What a worker has done of one job. */
export interface DoneOfJob {
  readonly job: JobId;
  readonly done: number;
  readonly failed: number;
  /** Wall clock: when the first of them was given to it, and when the last had ended, as far as was measured. */
  readonly from: number;
  readonly until: number;
  /** The time that they took together. */
  readonly busyMicros: number;
}

/** What the workers have done since this server started, job by job; of each worker the jobs that it worked on last. */
export class WorkerHistories {
  /** Wall clock: when this began to count. What was before is on disk by job, and to be found there only by reading all of it. */
  readonly since: number;
  /** Who has ended something last comes last. */
  readonly #histories = new Map<WorkerId, Map<JobId, DoneOfJob>>();

  constructor(since: number) {
    this.since = since;
  }

  recorded({ worker, job, runs, failed, startedAt, elapsedMicros }: SegmentRecord): void {
    if (worker === '') return;
    const jobs = this.#histories.get(worker) ?? new Map<JobId, DoneOfJob>();
    const until = startedAt + elapsedMicros / 1_000;
    const known = jobs.get(job) ?? { done: 0, failed: 0, from: startedAt, until, busyMicros: 0 };
    renew(jobs, job, WORKER_HISTORY_JOBS, {
      job,
      done: known.done + countRuns(runs) - failed,
      failed: known.failed + failed,
      from: Math.min(known.from, startedAt),
      until: Math.max(known.until, until),
      busyMicros: known.busyMicros + elapsedMicros,
    });
    renew(this.#histories, worker, WORKER_HISTORIES, jobs);
  }

  /** The latest first. */
  of(worker: WorkerId): DoneOfJob[] {
    return [...(this.#histories.get(worker)?.values() ?? [])].reverse();
  }
}

/** Puts an entry at the end of a map that holds so many; the one that was not renewed for longest goes. */
function renew<Key, Value>(map: Map<Key, Value>, key: Key, most: number, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
