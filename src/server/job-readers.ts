import type { JobId } from '../model/ids.ts';
import type { Job, JobProgress } from '../model/job.ts';
import { type Store, type StoredSegment, StoreError } from '../store/store.ts';
import { RecentSegments } from './recent-segments.ts';
import { RequestError } from './requests.ts';
import { type ResultQuery, type ResultSink, ResultStream } from './result-stream.ts';

/** In a cursor of completion order the number of the segment stands below, and above it how often the data went back in time. */
const HISTORY = 2 ** 32;

/** Who reads of which job: the streams of results, and those who watch its progress. */
export class JobReaders {
  readonly #store: Store;
  readonly #recent = new RecentSegments();
  readonly #streams = new Map<JobId, Set<ResultStream>>();
  readonly #watchers = new Map<JobId, Set<(progress: JobProgress) => void>>();
  #history: number | undefined;

  /** How often the data had gone back in time when they were read last. */
  get history(): number {
    return this.#history ?? 0;
  }

  constructor(store: Store) {
    this.#store = store;
  }

  /** Hears each durable change of a job's progress; returns its stop. */
  watch(job: JobId, hear: (progress: JobProgress) => void): () => void {
    let watchers = this.#watchers.get(job);
    if (watchers === undefined) this.#watchers.set(job, (watchers = new Set()));
    watchers.add(hear);
    return () => {
      watchers.delete(hear);
      if (watchers.size === 0 && this.#watchers.get(job) === watchers) this.#watchers.delete(job);
    };
  }

  /** The caller pumps it once when it is ready to receive. */
  open(job: Pick<Job, 'id' | 'spec' | 'progress'>, query: ResultQuery, sink: ResultSink): ResultStream {
    const inOrder = query.order === 'completion';
    const base = inOrder ? HISTORY * this.history : 0;
    const source = { store: this.#store, recent: this.#recent, history: this.history };
    const from = inOrder ? { ...query, after: this.#segmentAt(query.after) } : query;
    const stream: ResultStream = new ResultStream(job, from, source, {
      batch: (stored, cursor) => sink.batch(stored, base + cursor),
      mark: (next) => sink.mark(next),
      end: (last) => {
        this.close(stream);
        sink.end(last);
      },
      failed: (error) => {
        this.close(stream);
        sink.failed(error instanceof StoreError && error.code === 'rewound' ? mayBeOthers() : error);
      },
      idle: () => sink.idle?.(),
      full: () => sink.full?.() === true,
    });
    let streams = this.#streams.get(job.id);
    if (streams === undefined) this.#streams.set(job.id, (streams = new Set()));
    streams.add(stream);
    return stream;
  }

  /** Segments that a cursor counts may be others since the data went back in time: who goes on there would miss some (D25). */
  #segmentAt(cursor: number): number {
    if (cursor === 0 || Math.floor(cursor / HISTORY) === this.#history) return cursor % HISTORY;
    throw mayBeOthers();
  }

  /**
   * The store was read. If its data went back in time since the last time, `first` hears of it, and then nobody can read on: what was
   * read may not be there any more.
   */
  began(history: number, first: readonly (() => void)[]): void {
    const isOther = this.#history !== undefined && this.#history !== history;
    this.#history = history;
    if (!isOther) return;
    for (const hear of first) hear();
    for (const [job, streams] of [...this.#streams]) {
      for (const stream of [...streams]) stream.fail(mayBeOthers());
      this.#recent.forget(job);
    }
  }

  close(stream: ResultStream): void {
    stream.stop();
    const streams = this.#streams.get(stream.job);
    streams?.delete(stream);
    if (streams?.size !== 0) return;
    this.#streams.delete(stream.job);
    this.#recent.forget(stream.job);
  }

  /** A segment is on disk: kept for the streams of its job, if there are any. */
  recorded(stored: StoredSegment): void {
    if (this.#streams.has(stored.segment.job)) this.#recent.put(stored);
  }

  progressed(job: JobId, progress: JobProgress): void {
    for (const hear of [...(this.#watchers.get(job) ?? [])]) hear(progress);
  }

  /** All segments up to this progress have been told. */
  pump(job: JobId, progress: JobProgress): void {
    for (const stream of [...(this.#streams.get(job) ?? [])]) stream.progressed(progress);
  }
}

function mayBeOthers(): RequestError {
  return new RequestError(
    'conflict',
    'the database may have lost what it had written last, and with it results that were told: read them again from the start',
  );
}
