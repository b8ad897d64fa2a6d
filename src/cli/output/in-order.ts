import type { Batch, Piece } from './batch.ts';
import { piecesOf } from './batch.ts';

/**
 * Puts the runs of batches in the order of their tasks. What continues where the last run ended goes on at once; the rest
 * waits for its turn, or until `mark` says that nothing more will come below an index.
 */
export class InOrder {
  #next: number;
  readonly #waiting = new Map<number, Piece>();

  constructor(from = 0) {
    this.#next = from;
  }

  add(batch: Batch): Piece[] {
    const ready: Piece[] = [];
    for (const piece of piecesOf(batch)) {
      if (piece.index === this.#next) this.#take(piece, ready);
      else this.#waiting.set(piece.index, piece);
    }
    return ready;
  }

  /** Everything below `next` has come; what is missing there was cancelled or left out. */
  mark(next: number): Piece[] {
    const ready: Piece[] = [];
    const due = [...this.#waiting.values()].filter((piece) => piece.index < next).sort((a, b) => a.index - b.index);
    for (const piece of due) {
      // The one before may have taken it along.
      if (this.#waiting.get(piece.index) === piece) this.#take(piece, ready);
    }
    if (next > this.#next) {
      this.#next = next;
      this.#follow(ready);
    }
    return ready;
  }

  end(): Piece[] {
    return this.mark(Number.POSITIVE_INFINITY);
  }

  #take(piece: Piece, ready: Piece[]): void {
    this.#waiting.delete(piece.index);
    ready.push(piece);
    this.#next = piece.index + piece.count;
    this.#follow(ready);
  }

  #follow(ready: Piece[]): void {
    for (let piece = this.#waiting.get(this.#next); piece !== undefined; piece = this.#waiting.get(this.#next)) {
      this.#waiting.delete(piece.index);
      ready.push(piece);
      this.#next = piece.index + piece.count;
    }
  }
}
