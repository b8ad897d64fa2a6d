import { type PackedColumn, type TaskFailure, ValueStatus } from '../model/envelope.ts';
import type { MadeOutcome, SegmentRecord } from '../model/records.ts';
import { countRuns, type Run, sameRuns } from '../model/runs.ts';
import { packColumn, readColumn, selectColumn } from '../protocol/column.ts';
import type { Event } from '../scheduler/events.ts';

/** The bytes of what is recorded: the event's own column where all of it is, else the part that is. */
export function segmentColumn(
  segment: SegmentRecord,
  made: MadeOutcome | undefined,
  event: Event,
  column: PackedColumn | undefined,
): PackedColumn {
  if (made !== undefined) return madeColumn(made, countRuns(segment.runs));
  if (event.kind !== 'outcomes' || column === undefined) throw new Error('a segment without bytes');
  if (sameRuns(segment.runs, event.runs) && event.spawned === undefined) return column;
  return selectColumn(readColumn(column), positionsOf(segment.runs, event.runs));
}

/** Where in a column that follows `all` the tasks of `part` stand. */
export function positionsOf(part: readonly Run[], all: readonly Run[]): Run[] {
  const positions: Run[] = [];
  let at = 0;
  let offset = 0;
  for (const run of part) {
    let start = run.start;
    let left = run.count;
    while (left > 0) {
      const within = all[at];
      if (within === undefined) throw new Error('tasks that are not in their message');
      const skip = start - within.start;
      if (skip >= within.count) {
        offset += within.count;
        at++;
        continue;
      }
      const take = Math.min(left, within.count - skip);
      positions.push({ start: offset + skip, count: take });
      start += take;
      left -= take;
    }
  }
  return positions;
}

function madeColumn(made: MadeOutcome, count: number): PackedColumn {
  const kind = made.status === ValueStatus.poison ? 'poison' : 'crash';
  return failureColumn({ kind, name: made.name, message: made.message }, made.status, count);
}

/** The same failure for so many tasks, which no worker sent. */
export function failureColumn(failure: TaskFailure, status: ValueStatus, count: number): PackedColumn {
  const text = new TextEncoder().encode(`${JSON.stringify(failure)},`);
  const bytes = new Uint8Array(text.length * count);
  for (let i = 0; i < count; i++) bytes.set(text, i * text.length);
  return packColumn(new Uint32Array(count).fill(text.length), status, bytes);
}
