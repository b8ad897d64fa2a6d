import { BLOB_WINDOW_BYTES } from '../model/client-limits.ts';
import type { JobProgress } from '../model/job.ts';
import { BatchStream } from './batch-stream.ts';
import { type Cursor, cursorText } from './cursor.ts';
import { IndexOrder, type Piece, piecesOf } from './index-order.ts';
import {
  attemptsOf,
  type BlobValue,
  blobAt,
  failureAt,
  readOutcomes,
  type TaskRecord,
  valueOfBlob,
} from './outcomes.ts';
import type { Pace } from './pace.ts';
import type { BlobExchange } from './surroundings.ts';
import type { Wire } from './wire.ts';

/** Batches behind one that waits for its blobs which are read already: enough to keep the line busy. */
const READ_AHEAD_PIECES = 256;

type Check = (progress: JobProgress | undefined) => void;

/** A piece that was begun: `done` of its records have been given out. */
interface Open {
  readonly piece: Piece;
  done: number;
  /** Completion order: where the stream stands after the last record of this piece, if it is the last of its segment. */
  readonly after: number | undefined;
}

/** A blob that was asked for before its turn. */
interface Fetch {
  readonly open: Open;
  readonly offset: number;
  readonly blob: BlobValue;
  readonly value: Promise<unknown>;
}

/**
 * The results of a job, one record at a time: `for await (const record of stream)`. It reads ahead by a bounded number of
 * bytes, survives reconnects, and can be left and taken up later, in another process too, by its `cursor`.
 */
export class ResultStream<Out> implements AsyncIterableIterator<TaskRecord<Out>> {
  readonly #job: number;
  readonly #stream: BatchStream;
  readonly #blobs: BlobExchange;
  readonly #order: IndexOrder | undefined;
  readonly #check: Check;
  readonly #pieces: Open[] = [];
  readonly #fetches: Fetch[] = [];
  #fetchBytes = 0;
  readonly #defined: boolean;
  /** Where the stream stands, as its cursor will say. */
  #after: number;
  #done: number;
  /** Records at the start of the first segment that were read before. */
  #skip: number;
  #turn: Promise<unknown> | undefined;
  #closed = false;

  /** @internal `check`: throws if what the stream gave is not all that there should have been. */
  constructor(wire: Wire, blobs: BlobExchange, job: number, from: Cursor, check: Check, pace?: Pace) {
    this.#job = job;
    this.#blobs = blobs;
    this.#defined = from.defined;
    this.#after = from.after;
    this.#done = from.skip;
    this.#skip = from.skip;
    this.#check = check;
    this.#stream = new BatchStream(wire, job, from, pace);
    if (from.order === 'index') this.#order = new IndexOrder(from.after);
  }

  /** `results({ after: cursor })` goes on after the record that was given out last. */
  get cursor(): string {
    const order = this.#order === undefined ? 'completion' : 'index';
    return cursorText({ order, after: this.#after, skip: this.#done, defined: this.#defined });
  }

  /** Ends after the last outcome that there will be; tasks that were cancelled do not occur. Rejects with a FarmError. */
  next(): Promise<IteratorResult<TaskRecord<Out>, undefined>> {
    if (this.#turn === undefined) {
      try {
        const record = this.#takeNow();
        if (record !== undefined) return Promise.resolve({ done: false, value: record });
      } catch (error) {
        this.#close();
        return Promise.reject(error);
      }
    }
    const later = (): Promise<IteratorResult<TaskRecord<Out>, undefined>> => this.#takeLater();
    const turn = (this.#turn ?? Promise.resolve()).then(later, later);
    this.#turn = turn;
    const clear = (): void => {
      if (this.#turn === turn) this.#turn = undefined;
    };
    turn.then(clear, clear);
    return turn;
  }

  /** Stops the stream; the job goes on. */
  return(): Promise<IteratorResult<TaskRecord<Out>, undefined>> {
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #close(): void {
    this.#closed = true;
    this.#pieces.length = 0;
    this.#stream.close();
  }

  /** A stream that broke is over: it must not keep the program waiting for what nobody will take. */
  async #takeLater(): Promise<IteratorResult<TaskRecord<Out>, undefined>> {
    try {
      const value = await this.#takeNext();
      return value === undefined ? { done: true, value } : { done: false, value };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  async #takeNext(): Promise<TaskRecord<Out> | undefined> {
    while (!this.#closed) {
      const fetched = this.#fetches[0];
      const open = this.#pieces[0];
      if (fetched !== undefined && fetched.open === open && fetched.offset === open.done) {
        this.#fetchAhead();
        const value = await fetched.value;
        if (this.#closed) break;
        this.#fetches.shift();
        this.#fetchBytes -= fetched.blob.ref.size;
        return this.#give(open, value);
      }
      const record = this.#takeNow();
      if (record !== undefined) return record;
      if (this.#pieces.length > 0) continue;
      if (this.#stream.end !== undefined) {
        this.#check(this.#stream.end.progress);
        break;
      }
      await this.#stream.arrival();
    }
    return undefined;
  }

  /** The next record, if nothing has to be waited for. */
  #takeNow(): TaskRecord<Out> | undefined {
    for (;;) {
      const open = this.#pieces[0] ?? this.#open();
      if (open === undefined) return undefined;
      const { outcomes, position, index } = open.piece;
      if (outcomes.statuses !== undefined) {
        if (blobAt(outcomes, position + open.done) !== undefined) {
          this.#fetchAhead();
          return undefined;
        }
        const error = failureAt(outcomes, position + open.done, index + open.done);
        if (error !== undefined) {
          this.#advance(open);
          return { index: error.index, status: 'failed', error, attempts: error.attempts };
        }
      }
      return this.#give(open, outcomes.values[position + open.done]);
    }
  }

  #give(open: Open, value: unknown): TaskRecord<Out> {
    const { outcomes, index } = open.piece;
    const task = index + open.done;
    this.#advance(open);
    return { index: task, status: 'done', value: value as Out, attempts: attemptsOf(outcomes, task) };
  }

  #advance(open: Open): void {
    open.done += 1;
    const over = open.done === open.piece.count;
    if (over) this.#pieces.shift();
    if (this.#order !== undefined) this.#after = open.piece.index + open.done;
    else if (over && open.after !== undefined) {
      this.#after = open.after;
      this.#done = 0;
    } else this.#done += 1;
  }

  /** Reads arrived batches until there is a record. */
  #open(): Open | undefined {
    while (this.#pieces.length === 0 && this.#read()) {
      // A mark, or a batch whose turn has not come, opens nothing.
    }
    if (this.#order !== undefined && this.#pieces.length === 0 && this.#isOver()) {
      this.#push(this.#order.mark(Number.POSITIVE_INFINITY), undefined);
    }
    return this.#pieces[0];
  }

  /** False: nothing has arrived that was not read. */
  #read(): boolean {
    const item = this.#stream.take();
    if (item === undefined) return false;
    if (item.kind === 'mark') {
      this.#push(this.#order?.mark(item.next) ?? [], undefined);
      return true;
    }
    const outcomes = readOutcomes(this.#job, item.batch);
    if (this.#order === undefined) this.#pushSegment(piecesOf(outcomes), item.batch.cursor);
    else this.#push(this.#order.add(outcomes), undefined);
    return true;
  }

  #isOver(): boolean {
    try {
      return this.#stream.end !== undefined;
    } catch {
      return false; // Told by the caller, who waits.
    }
  }

  /** The cursor may have stood within a segment, which is then sent again from its start. */
  #pushSegment(pieces: Piece[], cursor: number): void {
    pieces.forEach((piece, i) => {
      const done = Math.min(this.#skip, piece.count);
      this.#skip -= done;
      if (done < piece.count) this.#pieces.push({ piece, done, after: i === pieces.length - 1 ? cursor : undefined });
    });
    this.#skip = 0;
  }

  #push(pieces: Piece[], after: number | undefined): void {
    for (const piece of pieces) this.#pieces.push({ piece, done: 0, after });
  }

  /** Asks for the blobs of the coming records: for the first in any case, for others as the window allows. */
  #fetchAhead(): void {
    const last = this.#fetches.at(-1);
    let passed = last === undefined;
    for (let i = 0; this.#fetchBytes < BLOB_WINDOW_BYTES; i++) {
      while (i >= this.#pieces.length && i <= READ_AHEAD_PIECES && this.#read()) {
        // Batches behind those that wait for their blobs.
      }
      const open = this.#pieces[i];
      if (open === undefined) return;
      if (!passed && last?.open !== open) continue;
      const from = passed ? open.done : (last as Fetch).offset + 1;
      passed = true;
      this.#fetchIn(open, from);
    }
  }

  #fetchIn(open: Open, from: number): void {
    const { outcomes, position, count } = open.piece;
    for (let offset = from; offset < count && this.#fetchBytes < BLOB_WINDOW_BYTES; offset++) {
      const blob = blobAt(outcomes, position + offset);
      if (blob === undefined) continue;
      const value = this.#blobs.get(blob.ref).then((bytes) => valueOfBlob(blob, bytes));
      value.catch(() => {});
      this.#fetchBytes += blob.ref.size;
      this.#fetches.push({ open, offset, blob, value });
    }
  }
}
