import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, LeaseId } from '../model/ids.ts';
import type { Run } from '../model/runs.ts';
import { pushRun } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';
import type { Column } from '../protocol/column.ts';
import { sliceColumn } from '../protocol/column.ts';
import type { KnownJob } from './job-book.ts';

/** One `tasks` message as it came. Tasks in it are named by their position in the order of its runs. */
export interface Grant {
  readonly lease: LeaseId;
  readonly job: JobId;
  /** The job with the code that was told last when they came: they keep it (P27). */
  readonly known: KnownJob;
  readonly runs: readonly Run[];
  readonly count: number;
  readonly packed: PackedColumn | undefined;
  readonly column: Column | undefined;
  readonly alone: boolean;
}

/** Tasks of a grant that wait: the positions `from` up to and without `to`. */
export interface Piece {
  readonly grant: Grant;
  readonly from: number;
  readonly to: number;
  /** They were in a chunk whose process died: each is run by itself now, to find the guilty one. */
  readonly single: boolean;
}

/** The task indexes of the positions `from` up to and without `to`. */
export function cutRuns(runs: readonly Run[], from: number, to: number): Run[] {
  const cut: Run[] = [];
  let position = 0;
  for (const run of runs) {
    if (position >= to) break;
    const start = Math.max(from - position, 0);
    const end = Math.min(to - position, run.count);
    if (start < end) pushRun(cut, run.start + start, end - start);
    position += run.count;
  }
  return cut;
}

/** The positions, as runs, of those tasks of `runs` that are also in `subset`. */
export function positionsOf(runs: readonly Run[], subset: readonly Run[]): Run[] {
  const positions: Run[] = [];
  let position = 0;
  let k = 0;
  for (const run of runs) {
    const end = run.start + run.count;
    while (k < subset.length && (subset[k] as Run).start + (subset[k] as Run).count <= run.start) k++;
    for (let j = k; j < subset.length && (subset[j] as Run).start < end; j++) {
      const other = subset[j] as Run;
      const start = Math.max(run.start, other.start);
      pushRun(positions, position + start - run.start, Math.min(end, other.start + other.count) - start);
    }
    position += run.count;
  }
  return positions;
}

export function runsOfPiece(piece: Piece): Run[] {
  const { grant, from, to } = piece;
  return from === 0 && to === grant.count ? [...grant.runs] : cutRuns(grant.runs, from, to);
}

/** What is left of a piece without these tasks: none, itself, or several. */
export function withoutRuns(piece: Piece, left: readonly Run[]): Piece[] {
  return positionsOf(piece.grant.runs, left)
    .map((run) => ({ ...piece, from: Math.max(run.start, piece.from), to: Math.min(run.start + run.count, piece.to) }))
    .filter(({ from, to }) => from < to);
}

export function columnOfPiece({ grant, from, to }: Piece): PackedColumn | undefined {
  if (grant.column === undefined) return undefined;
  return from === 0 && to === grant.count ? grant.packed : sliceColumn(grant.column, from, to);
}

/** The same, where each task is named by its index and no longer by its place among these. */
export function byIndex(spawned: Spawned, runs: readonly Run[]): Spawned {
  return spawned.map(([position, inputs]) => [cutRuns(runs, position, position + 1)[0]?.start ?? -1, inputs]);
}

/** Sorted and joined; the runs are disjoint. */
export function joined(runs: Run[]): Run[] {
  if (runs.length < 2) return runs;
  const sorted: Run[] = [];
  for (const { start, count } of runs.sort((a, b) => a.start - b.start)) pushRun(sorted, start, count);
  return sorted;
}
