import { NEARBY_LOOKED_AT } from '../model/blob-limits.ts';
import type { TaskIndex } from '../model/ids.ts';
import { pushRun, type Run } from '../model/runs.ts';
import type { BlockState } from './block-state.ts';
import type { LargeInput } from './events.ts';
import type { OpenJob } from './job-state.ts';
import type { Worker } from './worker-state.ts';

/** The tasks of a block that need each of its large blobs. */
export type Needs = Map<string, Run[]>;

/** `large` in the order of the tasks. */
export function needsOf(large: readonly LargeInput[]): Needs {
  const needs: Needs = new Map();
  for (const { index, blob } of large) {
    const runs = needs.get(blob);
    if (runs === undefined) needs.set(blob, [{ start: index, count: 1 }]);
    else if (endOf(runs) <= index) pushRun(runs, index, 1);
  }
  return needs;
}

/**
 * Up to `most` ready tasks of one block that need a blob which the worker has (R32). Whoever has none gets what is next:
 * it is a preference, and nobody waits for it.
 */
export function nearby(job: OpenJob, worker: Worker, most: number): { block: BlockState; runs: Run[] } | undefined {
  if (worker.blobs.size === 0 || job.needs.size === 0) return undefined;
  let looked = 0;
  for (const block of job.readyBlocks) {
    const needs = job.needs.get(block.first);
    if (++looked > NEARBY_LOOKED_AT) return undefined;
    if (needs === undefined) continue;
    for (const blob of worker.blobs.size < needs.size ? worker.blobs : needs.keys()) {
      if (++looked > NEARBY_LOOKED_AT) return undefined;
      const runs = needs.get(blob);
      if (runs === undefined || !worker.blobs.has(blob)) continue;
      const ready = block.select(runs, 'ready');
      if (ready.length > 0) return { block, runs: firstTasks(ready, most) };
      // They were handed out. Those that come back go wherever there is room.
      needs.delete(blob);
    }
  }
  return undefined;
}

function firstTasks(runs: readonly Run[], most: number): Run[] {
  const first: Run[] = [];
  let left = most;
  for (const { start, count } of runs) {
    if (left === 0) break;
    pushRun(first, start, Math.min(count, left));
    left -= Math.min(count, left);
  }
  return first;
}

function endOf(runs: readonly Run[]): TaskIndex {
  const last = runs[runs.length - 1];
  return last === undefined ? 0 : last.start + last.count;
}
