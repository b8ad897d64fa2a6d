import type { JobId, LeaseId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import type { State } from './state.ts';

/** A batch that is with a worker, and what of it has not ended. */
export interface InFlight {
  readonly lease: LeaseId;
  readonly worker: WorkerId;
  /** When its first unfinished task may have begun at the earliest. */
  readonly since: Millis;
  readonly first: TaskIndex;
  readonly tasks: number;
}

/** The batches of an open job that workers have, the oldest first. */
export function batchesInFlight(state: State, id: JobId, limit: number): InFlight[] {
  const found: InFlight[] = [];
  for (const lease of state.jobs.get(id)?.live ?? []) {
    if (found.length === limit) break;
    const { id: number, workerId: worker, since, left, leftTasks: tasks } = lease;
    const [first] = left;
    if (first !== undefined)
      found.push({ lease: number, worker, since: since + state.wall, first: first.start, tasks });
  }
  return found;
}
