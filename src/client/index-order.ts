import type { TaskIndex } from '../model/ids.ts';
import type { Outcomes } from './outcomes.ts';

/** Consecutive tasks of one batch: task `index` is value `position`, and so on, `count` of them. */
export interface Piece {
  readonly outcomes: Outcomes;
  readonly index: TaskIndex;
  readonly count: number;
  readonly position: number;
}

export function piecesOf(outcomes: Outcomes): Piece[] {
  let position = 0;
  return outcomes.batch.runs.map(({ start, count }) => {
    const piece = { outcomes, index: start, count, position };
    position += count;
    return piece;
  });
}

/**
 * Puts outcomes into the order of their tasks. The server sends block by block, so at most one block waits here: for the
 * task that is next, or for the mark that says that nothing below an index will come any more.
 */
export class IndexOrder {
  #next: TaskIndex;
  readonly #waiting = new Map<TaskIndex, Piece>();

  constructor(from: TaskIndex) {
    this.#next = from;
  }

  add(outcomes: Outcomes): Piece[] {
    for (const piece of piecesOf(outcomes)) this.#waiting.set(piece.index, piece);
    const ready: Piece[] = [];
    this.#follow(ready);
    return ready;
  }

  /** What is missing below `next` was cancelled, or is undefined and was not asked for. */
  mark(next: TaskIndex): Piece[] {
    const ready: Piece[] = [];
    const due = [...this.#waiting.keys()].filter((index) => index < next).sort((a, b) => a - b);
    for (const index of due) {
      // The piece before may have taken it along.
      if (!this.#waiting.has(index)) continue;
      this.#next = index;
      this.#follow(ready);
    }
    if (next > this.#next && next !== Number.POSITIVE_INFINITY) {
      this.#next = next;
      this.#follow(ready);
    }
    return ready;
  }

  #follow(ready: Piece[]): void {
    for (let piece = this.#waiting.get(this.#next); piece !== undefined; piece = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next);
      ready.push(piece);
      this.#next += piece.count;
    }
  }
}
