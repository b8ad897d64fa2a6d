import type { TaskIndex } from '../model/ids.ts';
import type { JobProgress, RangeInputs } from '../model/job.ts';
import { BLOCK_TASKS } from '../model/limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import { countRuns, type Run } from '../model/runs.ts';
import { type StoredSegment, StoreError } from './store.ts';

/** Which tasks of a segment failed. */
export function failedRuns(segment: SegmentRecord): readonly Run[] {
  if (segment.failed === 0) return [];
  return segment.failures ?? segment.runs;
}

/** A segment that cannot tell which of its tasks failed could never be opened again. */
export function checkSegment(segment: SegmentRecord): void {
  const told = countRuns(failedRuns(segment));
  if (told === segment.failed) return;
  throw new StoreError(
    'conflict',
    `segment ${segment.seq} of job ${segment.job} says that ${segment.failed} tasks failed but names ${told}`,
  );
}

/** The tasks that failed in a generation, by the block they belong to. */
export function failuresByBlock(
  segments: Iterable<Pick<StoredSegment, 'segment'>>,
  generation: number,
): Map<TaskIndex, Run[]> {
  const open = new Map<TaskIndex, Run[]>();
  for (const { segment } of segments) {
    if (segment.failed === 0 || segment.generation !== generation) continue;
    const runs = open.get(segment.block) ?? [];
    runs.push(...failedRuns(segment));
    open.set(segment.block, runs);
  }
  return open;
}

/** The progress of a job whose failed tasks are open again. Reason and end are gone with the end. */
export function reopened(progress: JobProgress): JobProgress {
  const { endedAt: _endedAt, reason: _reason, ...rest } = progress;
  return { ...rest, state: 'active', open: false, failed: 0, generation: progress.generation + 1 };
}

/** How many tasks the block of a range that starts at `first` holds. */
export function rangeBlockCount(range: RangeInputs, first: number): number {
  return Math.max(0, Math.min(BLOCK_TASKS, range.count - first));
}

/** The blocks of a range from an index on. */
export function rangeBlocks(range: RangeInputs, from: TaskIndex, limit: number): { first: TaskIndex; count: number }[] {
  const blocks: { first: TaskIndex; count: number }[] = [];
  for (let first = Math.ceil(from / BLOCK_TASKS) * BLOCK_TASKS; first < range.count; first += BLOCK_TASKS) {
    if (blocks.length >= limit) break;
    blocks.push({ first, count: rangeBlockCount(range, first) });
  }
  return blocks;
}
