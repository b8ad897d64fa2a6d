import type { TaskIndex } from '../model/ids.ts';
import { REORDER_BYTES } from '../model/limits.ts';
import type { Run } from '../model/runs.ts';
import { readColumn, sliceColumn } from '../protocol/column.ts';
import type { Store, StoredSegment } from '../store/store.ts';

/** The tasks of one run of a segment. Its values may have been let go; they can be read again. */
interface Piece {
  readonly run: Run;
  readonly segment: StoredSegment['segment'];
  column: StoredSegment['column'] | undefined;
}

/**
 * Puts outcomes into the order of their tasks. What waits for an earlier task is kept up to a bound; of more only the
 * place is remembered, and the values are read from the store when their turn comes.
 */
export class InOrder {
  next: TaskIndex;
  readonly #store: Store;
  readonly #waiting = new Map<TaskIndex, Piece>();
  #bytes = 0;

  constructor(store: Store, from: TaskIndex) {
    this.#store = store;
    this.next = from;
  }

  add({ segment, column }: StoredSegment): void {
    const values = readColumn(column);
    let position = 0;
    for (const run of segment.runs) {
      const only = segment.runs.length === 1;
      const piece: Piece = {
        run,
        segment,
        column: only ? column : sliceColumn(values, position, position + run.count),
      };
      position += run.count;
      if (run.start < this.next) continue;
      if (this.#bytes > REORDER_BYTES && run.start > this.next) piece.column = undefined;
      else this.#bytes += piece.column?.length ?? 0;
      this.#waiting.set(run.start, piece);
    }
  }

  /** What follows without a gap. */
  async *ready(): AsyncGenerator<StoredSegment> {
    for (let piece = this.#take(this.next); piece !== undefined; piece = this.#take(this.next)) {
      yield await this.#whole(piece);
    }
  }

  /** Everything that waits below an index: what is missing there will not be told. */
  async *upTo(mark: TaskIndex): AsyncGenerator<StoredSegment> {
    const starts = [...this.#waiting.keys()].filter((start) => start < mark).sort((a, b) => a - b);
    for (const start of starts) {
      const piece = this.#take(start);
      if (piece !== undefined) yield await this.#whole(piece);
    }
    this.next = Math.max(this.next, mark);
  }

  #take(start: TaskIndex): Piece | undefined {
    const piece = this.#waiting.get(start);
    if (piece === undefined) return undefined;
    this.#waiting.delete(start);
    this.#bytes -= piece.column?.length ?? 0;
    this.next = piece.run.start + piece.run.count;
    return piece;
  }

  async #whole(piece: Piece): Promise<StoredSegment> {
    const column = piece.column ?? (await this.#readAgain(piece));
    return { segment: { ...piece.segment, runs: [piece.run] }, column };
  }

  async #readAgain(piece: Piece): Promise<StoredSegment['column']> {
    const { job, seq, block } = piece.segment;
    const [stored] = await this.#store.readSegments(job, { after: seq - 1, block }, 1);
    if (stored === undefined || stored.segment.seq !== seq) throw new Error(`segment ${seq} of job ${job} has gone`);
    let position = 0;
    for (const run of stored.segment.runs) {
      const within = piece.run.start - run.start;
      if (within >= 0 && within < run.count) {
        const from = position + within;
        return sliceColumn(readColumn(stored.column), from, from + piece.run.count);
      }
      position += run.count;
    }
    throw new Error(`segment ${seq} of job ${job} is not what it was`);
  }
}
