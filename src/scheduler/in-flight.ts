import type { JobId, LeaseId, Millis, WorkerId } from '../model/ids.ts';
import type { Run } from '../model/runs.ts';
import type { State } from './state.ts';

/** A batch that is with a worker. */
export interface InFlight {
  readonly lease: LeaseId;
  readonly worker: WorkerId;
  /** When its first unfinished task may have begun at the earliest. */
  readonly since: Millis;
  /** What of it has not ended. */
  readonly runs: readonly Run[];
}

/** The batches of an open job that workers have, the oldest first. */
export function batchesInFlight(state: State, id: JobId, limit: number): InFlight[] {
  const found: InFlight[] = [];
  for (const lease of state.jobs.get(id)?.live ?? []) {
    if (found.length === limit) break;
    const { id: number, workerId: worker, since, left: runs } = lease;
    found.push({ lease: number, worker, since: since + state.wall, runs });
  }
  return found;
}
