import type { Millis, WorkerId } from '../model/ids.ts';
import {
  BATCH_TIME,
  BATCHES_PER_SLOT,
  BROWSER_LEASE_TIME,
  LEASE_TIME,
  PREFETCH_TIME,
  PREFETCH_WAY,
} from '../model/limits.ts';
import type { WorkerFacts, WorkerState } from '../model/worker.ts';
import type { Lease } from './leases.ts';
import type { Shape } from './shapes.ts';

/** A worker that is connected, or was until its silence grew too long. */
export class Worker {
  readonly id: WorkerId;
  readonly facts: WorkerFacts;
  lastHeard: Millis;
  draining = false;
  /** Silent for too long, though its connection is not known to be gone. */
  lost = false;
  /** Set aside because everything failed there (R26); once the time has come it gets single tasks as probes. */
  suspended = false;
  suspendedUntil: Millis = 0;
  suspensions = 0;
  /** It gave tasks back that nobody asked for; for a while it gets none. */
  resting = false;
  refusals = 0;
  /** Until then it is given time to answer a recall. */
  recallUntil: Millis = 0;
  /** From its messages to what they bring it, as measured: through the network and the disk. */
  way: Millis = 0;
  /** Failed outcomes since the last success. */
  streak = 0;
  done = 0;
  failed = 0;

  /** Its leases with tasks that have not ended, in the order of their grants: the worker's queue. */
  readonly leases = new Set<Lease>();
  /** Slots that these take, or would take one after the other. */
  used = 0;
  /** How many of them take more than a slot. */
  heavy = 0;
  memory = 0;
  readonly resources = new Map<string, number>();
  /** Tasks of these leases, and the estimate of their time. */
  tasks = 0;
  queuedMicros = 0;
  /** Leases of tasks that would be blamed for the next loss: one at a time (R10). */
  lastChances = 0;
  /** What it could run. */
  readonly shapes = new Set<Shape>();
  reservedFor: Shape | undefined;

  constructor(facts: WorkerFacts, now: Millis) {
    this.id = facts.id;
    this.facts = facts;
    this.lastHeard = now;
  }

  /** Phones sleep, and timers of browsers are throttled: it is given more time everywhere. */
  get patient(): boolean {
    return this.facts.kind === 'browser';
  }

  get leaseTime(): Millis {
    return this.patient ? BROWSER_LEASE_TIME : LEASE_TIME;
  }

  /** It may be given something. */
  get open(): boolean {
    return !this.draining && !this.lost && !this.resting && (!this.suspended || this.suspendedUntil === 0);
  }

  /** A probe runs: nothing else until its outcome is known. */
  get probing(): boolean {
    return this.suspended && this.leases.size > 0;
  }

  get state(): WorkerState {
    if (this.lost) return 'lost';
    if (this.draining) return 'draining';
    return this.suspended ? 'suspended' : 'ready';
  }

  /** Batches and microseconds of work that it may have for each slot: what runs out before more arrives, and a margin (R21). */
  get prefetch(): { readonly batches: number; readonly micros: number } {
    const millis = PREFETCH_TIME + Math.min(this.way, PREFETCH_WAY);
    return { batches: Math.max(BATCHES_PER_SLOT, millis / BATCH_TIME), micros: millis * 1_000 };
  }

  /** A new measurement. One long way is often a hiccup, one short way never is. */
  noteWay(way: Millis): void {
    this.way = this.way === 0 ? way : Math.min(way, 0.7 * this.way + 0.3 * way);
  }

  /** Slots at work. */
  get busy(): number {
    return Math.min(this.used, this.facts.slots);
  }

  /** Tasks that wait in its queue: all but the first of each batch that runs. */
  get unstarted(): number {
    return Math.max(0, this.tasks - Math.min(this.leases.size, this.facts.slots));
  }

  /** A lease begins (1) or ends (-1) to take room. */
  occupy(lease: Lease, sign: 1 | -1): void {
    const { spec, shape } = lease.job;
    this.used += sign * spec.cpus;
    if (lease.lastChance) this.lastChances += sign;
    if (!shape.heavy) return;
    this.heavy += sign;
    this.memory += sign * (spec.memory ?? 0);
    for (const [name, amount] of Object.entries(spec.resources)) {
      this.resources.set(name, (this.resources.get(name) ?? 0) + sign * amount);
    }
  }
}
