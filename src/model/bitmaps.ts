import type { BlockRecord } from './job.ts';
import { pushRun, type Run } from './runs.ts';

/** The bitmap of a block in which everything has ended but these tasks. */
export function endedExcept(first: number, count: number, open: readonly Run[]): Uint8Array {
  const ended = new Uint8Array(Math.ceil(count / 8));
  ended.fill(0xff);
  if (count % 8 !== 0) ended[ended.length - 1] = (1 << (count % 8)) - 1;
  for (const run of open) {
    for (let at = run.start - first; at < run.start - first + run.count; at++) {
      ended[at >> 3] = (ended[at >> 3] as number) & ~(1 << (at & 7));
    }
  }
  return ended;
}

/** The tasks of a block that have not ended, as its bitmap says. */
export function openTasks({ first, count, ended }: Pick<BlockRecord, 'first' | 'count' | 'ended'>): readonly Run[] {
  if (ended === undefined) return [{ start: first, count }];
  const open: Run[] = [];
  for (let at = 0; at < count; at++) {
    if (((ended[at >> 3] as number) & (1 << (at & 7))) === 0) pushRun(open, first + at, 1);
  }
  return open;
}
