import type { Epoch, LeaseId, Millis, WorkerId } from '../model/ids.ts';
import { HANDOVER_RETRY, TAKEOVER_PATIENCE, TAKEOVER_RETRY } from '../model/server-limits.ts';
import type { HeldLease } from '../model/worker.ts';
import { type ClaimedBlock, type SharedStore, StoreError } from '../store/store.ts';
import type { Clock } from './clock.ts';
import { askFor, type Wanted } from './hand-overs.ts';
import type { Brain, Loop } from './loop.ts';

/** A worker that came here with leases of another server. */
interface Newcomer {
  readonly worker: WorkerId;
  /** Of which it is not known yet whose they are. */
  held: readonly HeldLease[];
  readonly until: Millis;
  /** When those that have its leases were asked for them last. */
  askedAt: Millis;
  settled(): void;
}

/**
 * What workers bring from other servers (R37): asked for together, again and again until it is known whose it is. Servers that live are
 * asked to hand it over (R39).
 */
export class Takeovers {
  readonly #shared: SharedStore;
  readonly #clock: Clock;
  readonly #loop: Loop;
  readonly #catchUp: (brain: Brain) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #newcomers = new Set<Newcomer>();
  readonly #unsettled = new Map<LeaseId, Promise<void>>();
  #isAsking = false;
  #stopped = false;

  /** `catchUp`: makes known here what others did. */
  constructor(parts: {
    shared: SharedStore;
    clock: Clock;
    loop: Loop;
    catchUp: (brain: Brain) => Promise<void>;
    failed: (error: unknown) => void;
  }) {
    this.#shared = parts.shared;
    this.#clock = parts.clock;
    this.#loop = parts.loop;
    this.#catchUp = parts.catchUp;
    this.#failed = parts.failed;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Undefined: it is known whose this lease is. Else what a worker says of it has to wait. */
  unsettled(lease: LeaseId): Promise<void> | undefined {
    return this.#unsettled.get(lease);
  }

  begin(worker: WorkerId, held: readonly HeldLease[]): void {
    let settled = (): void => {};
    const settling = new Promise<void>((resolve) => {
      settled = resolve;
    });
    for (const { lease } of held) this.#unsettled.set(lease, settling);
    this.#newcomers.add({
      worker,
      held,
      until: this.#clock.now() + TAKEOVER_PATIENCE,
      askedAt: Number.NEGATIVE_INFINITY,
      settled: () => {
        for (const { lease } of held) if (this.#unsettled.get(lease) === settling) this.#unsettled.delete(lease);
        settled();
      },
    });
    void this.#askAll();
  }

  async #askAll(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#newcomers.size > 0 && !this.#stopped) {
      await this.#loop.alone((brain) => this.#ask(brain)).catch((error: unknown) => this.#failed(error));
      if (this.#newcomers.size > 0) await new Promise<void>((resolve) => this.#clock.alarm(TAKEOVER_RETRY, resolve));
    }
    this.#isAsking = false;
  }

  async #ask(brain: Brain): Promise<void> {
    for (const newcomer of [...this.#newcomers]) if (!isHere(brain, newcomer)) this.#settle(newcomer);
    if (this.#newcomers.size === 0) return;
    const asked = [...this.#newcomers].map((newcomer) => ({ newcomer, held: newcomer.held }));
    const names = asked.flatMap(({ held }) => held.map(({ lease }) => lease));
    const taken = await this.#shared.takeOver(names, brain.epoch);
    if (!this.#loop.has(brain)) return;
    if (taken.blocks.length > 0) await this.#catchUp(brain);
    if (!this.#loop.has(brain)) return;
    // What this brain cannot take it would hold for ever.
    const known = ({ block }: ClaimedBlock) =>
      (brain.scheduler.job(block.job)?.progress.generation ?? block.generation) === block.generation;
    if (!taken.blocks.every(known))
      throw new StoreError('stale', 'what was taken over is of jobs that are not any more as this server knows them');
    const theirs = new Map(taken.held.map(({ lease, holder }) => [lease, holder]));
    const newcomers: { worker: WorkerId; held: readonly HeldLease[] }[] = [];
    for (const { newcomer, held } of asked) {
      const isOver = !isHere(brain, newcomer) || this.#clock.now() >= newcomer.until;
      const settled = isOver ? held : held.filter(({ lease }) => !theirs.has(lease));
      newcomer.held = isOver ? [] : held.filter(({ lease }) => theirs.has(lease));
      if (settled.length > 0) newcomers.push({ worker: newcomer.worker, held: settled });
    }
    // One event: what is taken over is not handed to others before all of its workers have it.
    const { leases } = taken;
    if (newcomers.length > 0)
      this.#loop.post({ kind: 'leasesTaken', newcomers, blocks: this.#loop.keepInputs(taken.blocks), leases });
    for (const { newcomer } of asked) if (newcomer.held.length === 0) this.#settle(newcomer);
    await askFor(this.#shared, this.#wanted(theirs));
  }

  #settle(newcomer: Newcomer): void {
    this.#newcomers.delete(newcomer);
    newcomer.settled();
  }

  /** By the servers that have them: what is to be asked of these now. */
  #wanted(holders: ReadonlyMap<LeaseId, Epoch>): Map<Epoch, Wanted[]> {
    const wanted = new Map<Epoch, Wanted[]>();
    const now = this.#clock.now();
    for (const newcomer of this.#newcomers) {
      if (now < newcomer.askedAt + HANDOVER_RETRY) continue;
      const { worker, held } = newcomer;
      for (const [holder, leases] of Map.groupBy(held, ({ lease }) => holders.get(lease))) {
        // It came while the others were asked about.
        if (holder === undefined) continue;
        newcomer.askedAt = now;
        wanted.set(holder, [...(wanted.get(holder) ?? []), { worker, leases: leases.map(({ lease }) => lease) }]);
      }
    }
    return wanted;
  }
}

/** One that went on to another server has to have its tasks there. */
function isHere({ scheduler }: Brain, { worker }: Newcomer): boolean {
  return scheduler.worker(worker) !== undefined;
}
