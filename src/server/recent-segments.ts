import type { JobId } from '../model/ids.ts';
import { RECENT_SEGMENT_BYTES, SEGMENT_BYTES } from '../model/limits.ts';
import type { StoredSegment } from '../store/store.ts';

/** Entries before the first one worth a compaction of their list. */
const FEW = 64;

interface JobSegments {
  readonly job: JobId;
  readonly segments: Map<number, StoredSegment>;
  bytes: number;
}

/** The newest segments, so that a stream that keeps up never reads from the store. */
export class RecentSegments {
  readonly #jobs = new Map<JobId, JobSegments>();
  /** In the order of their arrival over all jobs, to push out the oldest. Those before `#oldest`, and of jobs that were forgotten, are gone. */
  #order: { readonly of: JobSegments; readonly seq: number }[] = [];
  #oldest = 0;
  /** Entries of `#order` that are not gone. */
  #count = 0;
  #bytes = 0;

  put(stored: StoredSegment): void {
    const { job, seq } = stored.segment;
    let of = this.#jobs.get(job);
    if (of === undefined) this.#jobs.set(job, (of = { job, segments: new Map(), bytes: 0 }));
    of.segments.set(seq, stored);
    of.bytes += costOf(stored);
    this.#bytes += costOf(stored);
    this.#order.push({ of, seq });
    this.#count++;
    while (this.#bytes > RECENT_SEGMENT_BYTES && this.#oldest < this.#order.length - 1) this.#dropOldest();
    this.#compact();
  }

  get(job: JobId, seq: number): StoredSegment | undefined {
    return this.#jobs.get(job)?.segments.get(seq);
  }

  /** The job has ended and nobody streams it: what is asked for later comes from the store. */
  forget(job: JobId): void {
    const of = this.#jobs.get(job);
    if (of === undefined) return;
    this.#jobs.delete(job);
    this.#bytes -= of.bytes;
    this.#count -= of.segments.size;
    of.segments.clear();
    this.#compact();
  }

  #dropOldest(): void {
    const { of, seq } = this.#order[this.#oldest++] as { of: JobSegments; seq: number };
    const stored = of.segments.get(seq);
    if (stored === undefined) return;
    of.segments.delete(seq);
    of.bytes -= costOf(stored);
    this.#bytes -= costOf(stored);
    this.#count--;
    if (of.segments.size === 0) this.#jobs.delete(of.job);
  }

  /** Once more than half of the list is gone: each entry is then moved about once. */
  #compact(): void {
    const length = this.#order.length;
    if (length <= 2 * this.#count || (length < FEW && this.#count > 0)) return;
    this.#order = this.#order.slice(this.#oldest).filter(({ of, seq }) => of.segments.has(seq));
    this.#oldest = 0;
  }
}

function costOf({ column }: StoredSegment): number {
  return column.length + SEGMENT_BYTES;
}
