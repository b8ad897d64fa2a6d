import type { OpenJob } from './job-state.ts';
import type { Shape } from './shapes.ts';
import type { State } from './state.ts';
import type { Worker } from './worker-state.ts';

/** Workers that are looked at to find one that is free soonest. */
const WORKERS_LOOKED_AT = 64;

/** It may be waiting for slots that others take; looked into once in each pass. */
export function mayReserve(state: State, shape: Shape): boolean {
  return shape.spec.cpus > 1 && shape.reserved === undefined && shape.lookedAt !== state.pass;
}

/**
 * The job's turn has come, but its tasks take several slots at once, and single-slot tasks fill every slot as it gets
 * free. One worker is then kept from everybody else until such a task fits in (L5).
 */
export function reserve(state: State, job: OpenJob): void {
  const { shape } = job;
  shape.lookedAt = state.pass;
  let best: Worker | undefined;
  let looked = 0;
  for (const worker of shape.fits) {
    if (++looked > WORKERS_LOOKED_AT) break;
    if (!worker.open || worker.suspended || worker.reservedFor !== undefined || !crowdedOut(shape, worker)) continue;
    if (best === undefined || worker.used < best.used) best = worker;
  }
  if (best === undefined) return;
  shape.reserved = best;
  best.reservedFor = shape;
  state.reserved.add(shape);
  state.refreshWorker(best);
}

/** It is the tasks of others that take the room, not those of the same kind. */
function crowdedOut(shape: Shape, worker: Worker): boolean {
  let own = 0;
  for (const lease of worker.leases) if (lease.job.shape === shape) own += shape.spec.cpus;
  return own + shape.spec.cpus <= worker.facts.slots;
}

export function unreserve(state: State, shape: Shape): void {
  const worker = shape.reserved;
  state.reserved.delete(shape);
  shape.reserved = undefined;
  if (worker === undefined) return;
  worker.reservedFor = undefined;
  state.refreshWorker(worker);
}

/** Nobody waits for it any more, or the worker takes nothing now. */
export function checkReservations(state: State): void {
  for (const shape of [...state.reserved]) {
    const worker = shape.reserved;
    if (worker === undefined || !worker.open || (shape.short.empty && shape.long.empty)) unreserve(state, shape);
  }
}
