import type { JobId, Millis, TaskIndex } from '../model/ids.ts';
import type { State } from './state.ts';

/** Why a task waits, in words (R27). */
export interface Explanation {
  readonly state: 'waiting' | 'running' | 'ended' | 'unknown';
  /** Sentences, the most important first. */
  readonly reasons: readonly string[];
}

export function explainTask(state: State, id: JobId, index: TaskIndex, now: Millis): Explanation {
  void now;
  const job = state.jobs.get(id);
  if (job === undefined) return { state: 'unknown', reasons: [`Job ${id} is not open: it has ended, or never was.`] };
  if (index >= job.total) return { state: 'unknown', reasons: [`Job ${id} has ${job.total} tasks so far.`] };
  return { state: 'waiting', reasons: [] };
}
