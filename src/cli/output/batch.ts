import type { Run } from '../../model/runs.ts';

/** Outcomes as they came over the wire: which tasks, and their values as bytes that nobody has decoded yet. */
export interface Batch {
  readonly runs: readonly Run[];
  readonly column: {
    readonly count: number;
    readonly lengths: Uint32Array;
    readonly statuses: Uint8Array | undefined;
    readonly allStatus: number;
    readonly bytes: Uint8Array;
  };
  /** [index, attempts] of tasks that took more than one, or failed. */
  readonly attempts?: readonly (readonly [number, number])[] | undefined;
}

/** One run of a batch: tasks `index`… are the values from `position` on, whose bytes start at `offset`. */
export interface Piece {
  readonly batch: Batch;
  readonly index: number;
  readonly count: number;
  readonly position: number;
  readonly offset: number;
}

export function piecesOf(batch: Batch): Piece[] {
  const { lengths } = batch.column;
  const pieces: Piece[] = [];
  let position = 0;
  let offset = 0;
  for (const run of batch.runs) {
    pieces.push({ batch, index: run.start, count: run.count, position, offset });
    for (const end = position + run.count; position < end; position++) offset += lengths[position] as number;
  }
  return pieces;
}
