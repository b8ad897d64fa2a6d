import type { LeaseId, Millis, WorkerId } from '../model/ids.ts';
import { POISON_WORKERS, SUSPECT_BATCH } from '../model/limits.ts';

/**
 * The past of a task that is not like the others. Never changed in place: tasks that were lost together share one, so
 * that a lost batch costs one object.
 */
export interface Trouble {
  /** Charged failures so far. */
  readonly charged: number;
  /** Workers on which it failed. */
  readonly failedOn: readonly WorkerId[];
  /** The lease that failed last; 0: none. */
  readonly failedLease: LeaseId;
  readonly losses: number;
  /** The distinct ones. */
  readonly lostWorkers: readonly WorkerId[];
  /** Backoff: not before. 0: now. */
  readonly notBefore: Millis;
}

export const NO_TROUBLE: Trouble = {
  charged: 0,
  failedOn: [],
  failedLease: 0,
  losses: 0,
  lostWorkers: [],
  notBefore: 0,
};

export function afterLoss(past: Trouble | undefined, worker: WorkerId): Trouble {
  const before = past ?? NO_TROUBLE;
  return { ...before, losses: before.losses + 1, lostWorkers: withWorker(before.lostWorkers, worker), notBefore: 0 };
}

export function afterFailure(
  past: Trouble | undefined,
  by: { readonly id: LeaseId; readonly workerId: WorkerId },
  notBefore: Millis,
  charge: 0 | 1,
): Trouble {
  const before = past ?? NO_TROUBLE;
  const failedOn = withWorker(before.failedOn, by.workerId);
  return { ...before, charged: before.charged + charge, failedOn, failedLease: by.id, notBefore };
}

function withWorker(workers: readonly WorkerId[], worker: WorkerId): readonly WorkerId[] {
  return workers.includes(worker) ? workers : [...workers, worker];
}

/** One more loss would be blamed on it: it then runs as the only such task of its worker, so that the blame is just (R10). */
export function onLastChance(trouble: Trouble | undefined): boolean {
  return trouble !== undefined && trouble.losses >= POISON_WORKERS - 1;
}

/** How many tasks with this past may go in one batch: fewer each time, so that the last loss has one culprit (R10). */
export function suspectBatch(trouble: Trouble | undefined): number {
  if (trouble === undefined || trouble.losses === 0) return Number.MAX_SAFE_INTEGER;
  return onLastChance(trouble) ? 1 : SUSPECT_BATCH;
}
