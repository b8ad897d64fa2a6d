import type { Run } from '../model/runs.ts';
import { pushRun } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';
import type { WireRuns, WireSpawned } from './shapes.ts';

export function toWireRuns(runs: readonly Run[]): WireRuns {
  return runs.map((run) => [run.start, run.count]);
}

export function toWireSpawned(spawned: Spawned): WireSpawned {
  return spawned.map(([task, inputs]) => [task, inputs]);
}

/** Undefined: not sorted, not disjoint. */
export function fromWireRuns(wire: WireRuns): Run[] | undefined {
  const runs: Run[] = [];
  let end = 0;
  for (const [start, count] of wire) {
    if (start < end) return undefined;
    pushRun(runs, start, count);
    end = start + count;
  }
  return runs;
}
