import type { BlockRecord, JobProgress, ProgressChange, TaskException } from '../model/job.ts';
import { intersectRuns, pushRun, type Run, subtractRuns } from '../model/runs.ts';
import { endedExcept } from './reopen.ts';

/** The tasks of a row that have not ended. */
export function openTasks({ first, count, ended }: Pick<BlockRecord, 'first' | 'count' | 'ended'>): readonly Run[] {
  if (ended === undefined) return [{ start: first, count }];
  const open: Run[] = [];
  for (let at = 0; at < count; at++) {
    if (((ended[at >> 3] as number) & (1 << (at & 7))) === 0) pushRun(open, first + at, 1);
  }
  return open;
}

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

/** What is stored of a job's progress, and what one server brought to it (D19). */
export function changedProgress(stored: JobProgress, { counted, set }: ProgressChange): JobProgress {
  const sums: Partial<Record<keyof typeof counted, number>> = {};
  for (const [name, by] of Object.entries(counted) as [keyof typeof counted, number][]) {
    sums[name] = (stored[name] ?? 0) + by;
  }
  const startedAt = stored.startedAt ?? set.startedAt;
  return { ...stored, ...set, ...sums, ...(startedAt === undefined ? {} : { startedAt }) };
}
