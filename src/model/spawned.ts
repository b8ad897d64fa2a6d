import type { TaskIndex } from './ids.ts';
import { countRuns, pushRun, type Run } from './runs.ts';

/**
 * Which tasks gave their own job further inputs, and how many each, sorted by task. In the column that brings the tasks'
 * outcomes these inputs follow them, in the same order.
 */
export type Spawned = readonly (readonly [task: TaskIndex, inputs: number])[];

export function countSpawned(spawned: Spawned = []): number {
  return spawned.reduce((sum, [, inputs]) => sum + inputs, 0);
}

/** What the tasks of `part` gave, and where in a column of the outcomes of `all`, and then of all that was given, theirs stands. */
export function spawnedBy(
  part: readonly Run[],
  spawned: Spawned,
  all: readonly Run[],
): { readonly spawned: Spawned; readonly positions: readonly Run[] } {
  const mine: [TaskIndex, number][] = [];
  const positions: Run[] = [];
  let position = countRuns(all);
  let at = 0;
  for (const [task, inputs] of spawned) {
    while (at < part.length && endOf(part[at] as Run) <= task) at++;
    const run = part[at];
    if (run !== undefined && run.start <= task) {
      mine.push([task, inputs]);
      pushRun(positions, position, inputs);
    }
    position += inputs;
  }
  return { spawned: mine, positions };
}

/** Sorted, each of a task of `runs`, and of at least one input. */
export function isSpawnedBy(runs: readonly Run[], spawned: Spawned): boolean {
  const sorted = spawned.every(([task, inputs], i) => inputs > 0 && (i === 0 || (spawned[i - 1]?.[0] ?? 0) < task));
  return sorted && spawnedBy(runs, spawned, []).spawned.length === spawned.length;
}

function endOf({ start, count }: Run): number {
  return start + count;
}
