import type { LeaseId, Millis, WorkerId } from '../model/ids.ts';
import { RETRY_BACKOFF, RETRY_BACKOFF_MAX } from '../model/limits.ts';
import { intersectRuns, type Run, subtractRuns } from '../model/runs.ts';
import type { HeldLease } from '../model/worker.ts';
import type { Event } from './events.ts';
import {
  closeLease,
  expire,
  giveBack,
  joinRuns,
  type Lease,
  orphan,
  reclaim,
  resumeStrays,
  setAway,
  setStanding,
} from './leases.ts';
import { awaitWorker } from './recovery.ts';
import type { State } from './state.ts';
import { recallAll } from './takeback.ts';
import { Worker } from './worker-state.ts';

type Of<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;

/** A hello: of what it had, it keeps exactly what it names (R4, R5). */
export function join(state: State, event: Of<'workerJoined'>): void {
  const worker = new Worker(event.worker, state.now);
  const before = state.workers.get(worker.id);
  if (before !== undefined) replace(state, before, worker);
  state.workers.set(worker.id, worker);
  state.shapes.add(worker);
  state.workerChanged(worker);
  watchSilence(state, worker);
  const held = new Map<LeaseId, readonly Run[]>();
  for (const { lease, runs } of event.held) held.set(lease, joinRuns(held.get(lease) ?? [], runs));
  for (const lease of [...(state.held.get(worker.id) ?? [])]) keepHeld(state, lease, held.get(lease.id) ?? []);
  revokeUnknown(state, worker.id, event.held);
}

/** A second connection of the same process: what was known of it stays true. */
function replace(state: State, before: Worker, worker: Worker): void {
  for (const lease of [...before.leases]) setStanding(state, lease, 'adopting');
  worker.draining = before.draining;
  worker.suspended = before.suspended;
  worker.suspendedUntil = before.suspendedUntil;
  worker.suspensions = before.suspensions;
  worker.streak = before.streak;
  worker.way = before.way;
  worker.done = before.done;
  worker.failed = before.failed;
  worker.unable = before.unable;
  state.shapes.remove(before);
  state.deep.delete(before);
}

export function keepHeld(state: State, lease: Lease, held: readonly Run[]): void {
  const { away } = lease;
  const strange = subtractRuns(held, lease.runs);
  if (strange.length > 0) state.send({ kind: 'revoke', worker: lease.workerId, lease: lease.id, runs: strange });
  const omitted = subtractRuns(lease.left, held);
  if (omitted.length > 0) giveBack(state, lease, omitted);
  lease.runs = intersectRuns(lease.runs, held);
  setAway(lease, intersectRuns(away, held));
  if (lease.leftTasks > 0) giveAgain(state, lease);
  if (lease.away.length > 0) keepStrays(state, lease, lease.away);
  if (lease.leftTasks === 0 && state.leases.has(lease.id)) closeLease(state, lease);
}

/** Nobody else has them yet: it keeps them, unless its job does not want that. */
function giveAgain(state: State, lease: Lease): void {
  if (!lease.barred) return reclaim(state, lease);
  state.send({ kind: 'revoke', worker: lease.workerId, lease: lease.id, runs: lease.left });
}

/** It still runs what others were given meanwhile: both go on, unless the job does not want that (R4, R6). */
function keepStrays(state: State, lease: Lease, runs: readonly Run[]): void {
  const again = lease.job.spec.fenced ? [] : resumeStrays(state, lease, runs);
  const unwanted = subtractRuns(runs, again);
  if (unwanted.length > 0) state.send({ kind: 'revoke', worker: lease.workerId, lease: lease.id, runs: unwanted });
}

export function revokeUnknown(state: State, worker: WorkerId, held: readonly HeldLease[]): void {
  for (const { lease, runs } of held) {
    if (state.leases.get(lease)?.workerId === worker || runs.length === 0) continue;
    state.send({ kind: 'revoke', worker, lease, runs });
  }
}

/** It will be looked at when its silence may have grown too long; being heard costs nothing but a note (R3). */
function watchSilence(state: State, worker: Worker): void {
  const deadline = Math.max(worker.lastHeard, state.resumedAt) + worker.leaseTime;
  state.timers.set(deadline, () => {
    if (state.workers.get(worker.id) !== worker || worker.lost) return;
    const silentSince = Math.max(worker.lastHeard, state.resumedAt);
    if (silentSince + worker.leaseTime > state.now) return watchSilence(state, worker);
    lose(state, worker);
  });
}

function lose(state: State, worker: Worker): void {
  worker.lost = true;
  for (const lease of [...worker.leases]) {
    lease.barred = lease.job.spec.fenced;
    orphan(state, lease);
  }
  state.workerChanged(worker);
}

/** How far away it is decides how much it has queued (R21). */
export function noteWay(state: State, id: WorkerId, way: Millis): void {
  const worker = state.workers.get(id);
  if (worker === undefined) return;
  worker.noteWay(way);
  state.refreshWorker(worker);
}

/** Whatever it had before: this is what it has. */
export function holdsBlobs(state: State, event: Of<'blobsHeld'>): void {
  const worker = state.workers.get(event.worker);
  if (worker !== undefined) worker.blobs = new Set(event.blobs);
}

/** Anything came from it. Returns false if it is not connected. */
export function heard(state: State, id: WorkerId): boolean {
  const worker = state.workers.get(id);
  if (worker === undefined) return false;
  worker.lastHeard = state.now;
  if (!worker.lost) return true;
  worker.lost = false;
  for (const lease of [...(state.held.get(id) ?? [])]) {
    if (lease.standing === 'orphaned') giveAgain(state, lease);
    if (lease.away.length > 0) keepStrays(state, lease, lease.away);
  }
  state.workerChanged(worker);
  watchSilence(state, worker);
  return true;
}

export function left(state: State, event: Of<'workerLeft'>): void {
  const { worker: id, final } = event;
  for (const lease of [...(state.held.get(id) ?? [])]) {
    if (final) expire(state, lease);
    else if (lease.standing === 'live' || lease.standing === 'adopting') {
      if (state.shared) awaitWorker(state, lease);
      else orphan(state, lease);
    }
  }
  const worker = state.workers.get(id);
  if (worker === undefined) return;
  state.shapes.remove(worker);
  state.workers.delete(id);
  state.deep.delete(worker);
  state.send({ kind: 'publish', change: { kind: 'workerGone', worker: id, reason: event.reason } });
}

export function drain(state: State, event: Of<'workerDrained'>): void {
  const worker = find(state, event.worker, event.request);
  if (worker === undefined) return;
  worker.draining = event.drain;
  for (const lease of worker.leases) {
    if (event.drain) recallAll(state, lease);
    else lease.recalled = [];
  }
  state.send({ kind: 'dismiss', worker: worker.id, how: event.drain ? 'drain' : 'undrain' });
  state.reply(event.request, { ok: true });
  state.workerChanged(worker);
}

export function stop(state: State, event: Of<'workerStopped'>): void {
  const worker = find(state, event.worker, event.request);
  if (worker === undefined) return;
  state.send({ kind: 'dismiss', worker: worker.id, how: 'stop' });
  state.reply(event.request, { ok: true });
  left(state, { kind: 'workerLeft', worker: worker.id, final: true, reason: 'stopped' });
}

function find(state: State, id: WorkerId, request: number): Worker | undefined {
  const worker = state.workers.get(id);
  if (worker === undefined) {
    state.reply(request, { ok: false, code: 'unknown', message: `no worker ${id} is connected` });
  }
  return worker;
}

/** It gives back what nobody asked for: it cannot run it now, and would do so again at once (R24). */
export function restAfterRefusal(state: State, worker: Worker, reason: string | undefined): void {
  if (worker.resting) return;
  worker.unable = reason;
  worker.resting = true;
  const pause = Math.min(RETRY_BACKOFF * 2 ** worker.refusals++, RETRY_BACKOFF_MAX);
  state.workerChanged(worker);
  state.timers.set(state.now + pause, () => {
    if (state.workers.get(worker.id) !== worker) return;
    worker.resting = false;
    state.workerChanged(worker);
  });
}
