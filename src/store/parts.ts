import { endedExcept, openTasks } from '../model/bitmaps.ts';
import type { BlockRecord, TaskException } from '../model/job.ts';
import { intersectRuns, type Run, subtractRuns } from '../model/runs.ts';

/** Divides a row in two (D20): what is open of these tasks, and what is open of the others; undefined: nothing is. */
export function splitBlock(
  block: BlockRecord,
  runs: readonly Run[],
): { taken: BlockRecord | undefined; rest: BlockRecord | undefined } {
  const open = openTasks(block);
  return { taken: only(block, intersectRuns(open, runs)), rest: only(block, subtractRuns(open, runs)) };
}

/** The row with no other open tasks than these. */
function only(block: BlockRecord, open: readonly Run[]): BlockRecord | undefined {
  if (open.length === 0) return undefined;
  const { part: _part, ...row } = block;
  const ended = endedExcept(block.first, block.count, open);
  return { ...row, ended, exceptions: exceptionsOf(block.exceptions, open) };
}

function exceptionsOf(exceptions: readonly TaskException[], open: readonly Run[]): TaskException[] {
  return exceptions.flatMap((exception) =>
    intersectRuns([{ start: exception.index, count: exception.count }], open).map(({ start, count }) => ({
      ...exception,
      index: start,
      count,
    })),
  );
}
