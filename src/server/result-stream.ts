import { ValueStatus } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { hasEnded, type Job, type JobProgress, type JobSpec } from '../model/job.ts';
import { BLOCK_TASKS } from '../model/limits.ts';
import { countRuns, indexesOf, pushRun, type Run, subtractRuns } from '../model/runs.ts';
import { readColumn, selectColumn, statusOf } from '../protocol/column.ts';
import type { Store, StoredSegment } from '../store/store.ts';
import type { RecentSegments } from './recent-segments.ts';
import { RequestError } from './requests.ts';
import { positionsOf } from './segment-column.ts';

/** Where a stream goes: a client's socket or an HTTP answer. */
export interface ResultSink {
  /** `cursor`: resume after this. Returns the bytes it cost. */
  batch(stored: StoredSegment, cursor: number): number;
  /** Index order: everything below `next` has been sent. */
  mark(next: TaskIndex): void;
  end(progress: JobProgress): void;
  failed(error: unknown): void;
  /** Everything there is now has been sent. */
  idle?(): void;
  /** It takes nothing more now; whoever says so pumps the stream when it does. */
  full?(): boolean;
}

export interface ResultQuery {
  readonly order: 'index' | 'completion';
  readonly after: number;
  readonly credit: number;
  readonly defined: boolean;
}

/** What the streams of a server read. */
export interface ResultSource {
  readonly store: Pick<Store, 'readJob' | 'listBlocks' | 'readSegments'>;
  readonly recent: RecentSegments;
  /** How often the data had gone back in time when the stream began: what it reads next is to be of the same history (D25). */
  readonly history: number;
}

/** Bytes asked of the store at a time. */
const READ_BYTES = 1 << 20;

/**
 * One reader of one job's results (P18): from its cursor on, then live. It sends while it has credit; what it cannot send
 * now it reads from the store later, so a slow reader costs no memory.
 */
export class ResultStream {
  readonly job: JobId;
  readonly #spec: JobSpec;
  readonly #source: ResultSource;
  readonly #sink: ResultSink;
  readonly #query: ResultQuery;
  /** What is durable of the job; told by its owner. */
  #progress: JobProgress;
  #credit: number;
  #cursor: number;
  #reading = false;
  #done = false;
  /** Index order only. */
  #block: BlockCursor | undefined;
  #blocks: { first: TaskIndex; count: number }[] = [];
  /** Of an ended job: there is nothing beyond. A cancelled range of a billion would else be walked block by block. */
  #claimedTo: number | undefined;

  constructor(job: Pick<Job, 'id' | 'spec' | 'progress'>, query: ResultQuery, source: ResultSource, sink: ResultSink) {
    this.job = job.id;
    this.#spec = job.spec;
    this.#progress = job.progress;
    this.#query = query;
    this.#credit = query.credit;
    this.#cursor = query.after;
    this.#source = source;
    this.#sink = sink;
  }

  addCredit(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, Number.MAX_SAFE_INTEGER);
    this.pump();
  }

  stop(): void {
    this.#done = true;
  }

  /** Something of the job was recorded, or it ended. */
  progressed(progress: JobProgress): void {
    this.#progress = progress;
    this.pump();
  }

  pump(): void {
    if (this.#done || this.#reading) return;
    if (this.#query.order === 'completion') this.#pumpCompletion();
    else this.#pumpBlocks();
  }

  /** It sends while anything is left of the credit, so it may exceed it by one batch (P18). */
  get #mayMore(): boolean {
    return this.#credit > 0 && this.#sink.full?.() !== true;
  }

  #pumpCompletion(): void {
    while (this.#mayMore && !this.#done) {
      const progress = this.#progress;
      if (this.#cursor >= progress.segments) {
        if (hasEnded(progress.state)) this.#end(progress);
        else this.#sink.idle?.();
        return;
      }
      const next = this.#source.recent.get(this.job, this.#cursor + 1);
      if (next === undefined) {
        this.#read({ after: this.#cursor }, (segments) => {
          // There is a next segment, unless the job was forgotten under its reader.
          if (segments.length === 0) return this.fail(forgotten(this.job));
          for (const stored of segments) {
            if (!this.#mayMore) return;
            this.#cursor = stored.segment.seq;
            this.#send(stored, this.#cursor);
          }
        });
        return;
      }
      this.#cursor = next.segment.seq;
      this.#send(next, this.#cursor);
    }
  }

  #pumpBlocks(): void {
    while (this.#mayMore && !this.#done && !this.#reading && this.#step()) {
      // Each step sends something or comes closer to it.
    }
  }

  /** False: nothing more can be done until something is recorded or read. */
  #step(): boolean {
    const progress = this.#progress;
    const block = this.#block;
    if (block === undefined) return this.#nextBlock(progress);
    if (block.isWhole || (hasEnded(progress.state) && block.readTo >= progress.segments)) {
      this.#block = undefined;
      this.#cursor = block.first + block.count;
      this.#sink.mark(this.#cursor);
      return true;
    }
    if (block.readTo >= progress.segments) {
      this.#sink.idle?.();
      return false;
    }
    // Newer segments may or may not be this block's; whatever they are, they will have been looked at after this read.
    const upTo = progress.segments;
    const live = this.#liveSince(block.readTo, upTo);
    if (live !== undefined) this.#sendBlockSegments(block, live, upTo);
    else this.#readBlock(block, upTo);
    return true;
  }

  #readBlock(block: BlockCursor, upTo: number): void {
    this.#read({ after: block.readTo, block: block.first }, (segments) => {
      this.#sendBlockSegments(block, segments, segments.length > 0 ? lastSeq(segments) : upTo);
    });
  }

  /** The segments after `from` from memory, if all of them are still there. */
  #liveSince(from: number, to: number): StoredSegment[] | undefined {
    if (to - from > 64) return undefined;
    const segments: StoredSegment[] = [];
    for (let seq = from + 1; seq <= to; seq++) {
      const stored = this.#source.recent.get(this.job, seq);
      if (stored === undefined) return undefined;
      segments.push(stored);
    }
    return segments;
  }

  #sendBlockSegments(block: BlockCursor, segments: readonly StoredSegment[], readTo: number): void {
    const { generation } = this.#progress;
    for (const stored of segments) {
      if (!this.#mayMore) return;
      block.readTo = stored.segment.seq;
      if (stored.segment.block !== block.first) continue;
      const current = withoutReopened(stored, generation);
      if (current === undefined) continue;
      block.see(current.segment.runs);
      this.#send(fromIndex(current, this.#query.after), block.first);
    }
    block.readTo = readTo;
  }

  #nextBlock(progress: JobProgress): boolean {
    const at = this.#cursor;
    if (at >= progress.total || (hasEnded(progress.state) && progress.segments === 0)) {
      if (hasEnded(progress.state)) this.#end(progress);
      else this.#sink.idle?.();
      return false;
    }
    if (hasEnded(progress.state) && at >= (this.#claimedTo ?? 0)) {
      if (this.#claimedTo === undefined) this.#readClaimedTo();
      else this.#end(progress);
      return false;
    }
    if (this.#spec.range !== undefined) {
      const first = Math.floor(at / BLOCK_TASKS) * BLOCK_TASKS;
      this.#block = new BlockCursor(first, Math.min(BLOCK_TASKS, progress.total - first));
      return true;
    }
    const known = this.#blocks.find((block) => block.first <= at && at < block.first + block.count);
    if (known === undefined) {
      this.#listBlocks(at);
      return false;
    }
    this.#blocks = this.#blocks.filter((block) => block.first > known.first);
    this.#block = new BlockCursor(known.first, known.count);
    return true;
  }

  #readClaimedTo(): void {
    this.#reading = true;
    this.#source.store.readJob(this.job).then(
      (job) => {
        this.#reading = false;
        this.#claimedTo = job?.claimedTo ?? 0;
        this.pump();
      },
      (error: unknown) => this.fail(error),
    );
  }

  #listBlocks(from: TaskIndex): void {
    this.#reading = true;
    this.#blocksFrom(from).then(
      (blocks) => {
        this.#reading = false;
        this.#blocks = blocks;
        // Nothing stored there yet: inputs of an open job, or a job that ended before they were.
        if (blocks.length > 0) this.pump();
        else if (hasEnded(this.#progress.state)) this.#end(this.#progress);
        else this.#sink.idle?.();
      },
      (error: unknown) => this.fail(error),
    );
  }

  /** The store lists blocks by their first task; a reader may come back in the middle of one. */
  async #blocksFrom(at: TaskIndex): Promise<{ first: TaskIndex; count: number }[]> {
    const blocks = await this.#source.store.listBlocks(this.job, at, 256);
    if (at === 0 || blocks[0]?.first === at) return blocks;
    const before = await this.#source.store.listBlocks(this.job, Math.max(0, at - BLOCK_TASKS + 1), BLOCK_TASKS);
    return before.filter(({ first, count }) => first + count > at);
  }

  #read(query: { after: number; block?: TaskIndex }, use: (segments: StoredSegment[]) => void): void {
    this.#reading = true;
    this.#source.store
      .readSegments(
        this.job,
        { ...query, history: this.#source.history },
        Math.min(READ_BYTES, Math.max(1, this.#credit)),
      )
      .then(
        (segments) => {
          this.#reading = false;
          if (this.#done) return;
          use(segments);
          this.pump();
        },
        (error: unknown) => this.fail(error),
      );
  }

  #send(stored: StoredSegment, cursor: number): void {
    const wanted = this.#query.defined ? onlyDefined(stored) : stored;
    if (countRuns(wanted.segment.runs) > 0) this.#credit -= this.#sink.batch(wanted, cursor);
  }

  #end(progress: JobProgress): void {
    this.#done = true;
    this.#sink.end(progress);
  }

  /** Nothing more can be read. */
  fail(error: unknown): void {
    if (this.#done) return;
    this.#reading = false;
    this.#done = true;
    this.#sink.failed(error);
  }
}

/** Which tasks of the block at hand have been seen. */
class BlockCursor {
  readonly first: TaskIndex;
  readonly count: number;
  readTo = 0;
  readonly #seen: Uint8Array;
  #missing: number;

  constructor(first: TaskIndex, count: number) {
    this.first = first;
    this.count = count;
    this.#seen = new Uint8Array(count);
    this.#missing = count;
  }

  see(runs: readonly Run[]): void {
    for (const index of indexesOf(runs)) {
      if (this.#seen[index - this.first] !== 0) continue;
      this.#seen[index - this.first] = 1;
      this.#missing--;
    }
  }

  get isWhole(): boolean {
    return this.#missing === 0;
  }
}

function forgotten(job: JobId): RequestError {
  return new RequestError('unknown', `job ${job} was forgotten while its results were read`);
}

function lastSeq(segments: readonly StoredSegment[]): number {
  return (segments[segments.length - 1] as StoredSegment).segment.seq;
}

/** A failure of an older generation has been opened again: its task will be told by a newer segment. */
function withoutReopened(stored: StoredSegment, generation: number): StoredSegment | undefined {
  const { segment } = stored;
  if (segment.generation >= generation || segment.failed === 0) return stored;
  const failures = segment.failures ?? segment.runs;
  return part(stored, subtractRuns(segment.runs, failures));
}

function fromIndex(stored: StoredSegment, index: TaskIndex): StoredSegment {
  const first = stored.segment.runs[0];
  if (first === undefined || first.start >= index) return stored;
  return (
    part(stored, subtractRuns(stored.segment.runs, [{ start: 0, count: index }])) ?? {
      ...stored,
      segment: { ...stored.segment, runs: [] },
    }
  );
}

function part(stored: StoredSegment, runs: readonly Run[]): StoredSegment | undefined {
  if (runs.length === 0) return undefined;
  const column = selectColumn(readColumn(stored.column), positionsOf(runs, stored.segment.runs));
  return { segment: { ...stored.segment, runs }, column };
}

function onlyDefined(stored: StoredSegment): StoredSegment {
  const column = readColumn(stored.column);
  const runs: Run[] = [];
  const positions: Run[] = [];
  let position = 0;
  for (const index of indexesOf(stored.segment.runs)) {
    if ((column.lengths[position] as number) > 0 || statusOf(column, position) !== ValueStatus.json) {
      pushRun(runs, index, 1);
      pushRun(positions, position, 1);
    }
    position++;
  }
  if (positions.length === 0) return { ...stored, segment: { ...stored.segment, runs } };
  return { segment: { ...stored.segment, runs }, column: selectColumn(column, positions) };
}
