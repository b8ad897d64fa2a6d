import { LOST_ATTEMPTS } from '../model/limits.ts';
import { countRuns, indexesOf, type Run } from '../model/runs.ts';
import type { Lease } from './leases.ts';
import type { State } from './state.ts';

/** Writes down what came to nothing of a lease: of a few tasks each by itself, of many all of them in one row (R30). */
export function noteAttempts(
  state: State,
  lease: Lease,
  runs: readonly Run[],
  outcome: 'lost' | 'superseded',
  message: string,
): void {
  const tasks = countRuns(runs);
  const [first] = runs;
  if (first === undefined) return;
  // What was lost is taken from its lease bit by bit, which makes its tasks seem to begin anew.
  const since = outcome === 'lost' ? lease.grantedAt : lease.since;
  const times = { startedAt: Math.round(since + state.wall), endedAt: Math.round(state.now + state.wall) };
  const common = { job: lease.job.id, lease: lease.id, worker: lease.workerId, outcome, ...times, message };
  if (tasks > LOST_ATTEMPTS) {
    state.write({ kind: 'attempt', attempt: { ...common, index: first.start, tasks } });
    return;
  }
  for (const index of indexesOf(runs)) state.write({ kind: 'attempt', attempt: { ...common, index } });
}
