import type { JobId } from '../model/ids.ts';
import { RECENT_SEGMENT_BYTES } from '../model/limits.ts';
import type { StoredSegment } from '../store/store.ts';

/** The newest segments, so that a stream that keeps up never reads from the store. */
export class RecentSegments {
  readonly #jobs = new Map<JobId, Map<number, StoredSegment>>();
  /** Order of arrival over all jobs, to push out the oldest. */
  readonly #order: { job: JobId; seq: number; bytes: number }[] = [];
  #oldest = 0;
  #bytes = 0;

  put(stored: StoredSegment): void {
    const { job, seq } = stored.segment;
    let segments = this.#jobs.get(job);
    if (segments === undefined) this.#jobs.set(job, (segments = new Map()));
    segments.set(seq, stored);
    this.#order.push({ job, seq, bytes: stored.column.length });
    this.#bytes += stored.column.length;
    while (this.#bytes > RECENT_SEGMENT_BYTES && this.#oldest < this.#order.length - 1) this.#dropOldest();
    if (this.#oldest > 1024 && this.#oldest * 2 > this.#order.length) {
      this.#order.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }

  get(job: JobId, seq: number): StoredSegment | undefined {
    return this.#jobs.get(job)?.get(seq);
  }

  /** The job has ended and nobody streams it: what is asked for later comes from the store. */
  forget(job: JobId): void {
    const segments = this.#jobs.get(job);
    if (segments === undefined) return;
    this.#jobs.delete(job);
    for (let i = this.#oldest; i < this.#order.length; i++) {
      const entry = this.#order[i] as { job: JobId; bytes: number };
      if (entry.job !== job) continue;
      this.#bytes -= entry.bytes;
      entry.bytes = 0;
    }
  }

  #dropOldest(): void {
    const entry = this.#order[this.#oldest++] as { job: JobId; seq: number; bytes: number };
    this.#bytes -= entry.bytes;
    const segments = this.#jobs.get(entry.job);
    segments?.delete(entry.seq);
    if (segments?.size === 0) this.#jobs.delete(entry.job);
  }
}
