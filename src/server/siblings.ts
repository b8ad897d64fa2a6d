import type { Epoch, JobId, LeaseId, WorkerId } from '../model/ids.ts';
import { hasEnded, type Job, type JobProgress, type ProgressChange } from '../model/job.ts';
import { changedProgress, changeOf, isNoChange } from '../model/progress.ts';
import type { Write } from '../model/records.ts';
import { FACTS_INTERVAL, HINT_SPACING, PULSE_INTERVAL } from '../model/server-limits.ts';
import type { HeldLease } from '../model/worker.ts';
import {
  type FarmRecord,
  type Pulse,
  type ServerRecord,
  type SharedStore,
  type Store,
  StoreError,
} from '../store/store.ts';
import type { Clock } from './clock.ts';
import { obeyHandOver } from './hand-overs.ts';
import type { Brain, Loop } from './loop.ts';
import { notNow, RequestError } from './requests.ts';
import { Takeovers } from './takeovers.ts';

/** What the core does about what other servers did. */
export interface SiblingsActs {
  /** A job that this server did not know. */
  found(job: Job): void;
  /** The progress of one that it knows, as all servers together made it, and what others brought to it. */
  progressed(job: JobId, progress: JobProgress, change: ProgressChange): void;
  /** Open jobs that this server knows. */
  live(): readonly JobId[];
  /** The servers of the farm, or what they say of themselves, are others than before. */
  serversChanged(): void;
  /** A worker that seems to be connected here is at another server. */
  wentElsewhere(worker: WorkerId): void;
  /** What else there is to be told, or to be done since another server wants it. */
  readonly elsewhere: Pick<Elsewhere, 'tokensChanged' | 'ordered'>;
}

/** What the shell around the core does about other servers. */
export interface Elsewhere {
  /** They came, went or said something else of themselves. */
  serversChanged(): void;
  tokensChanged(): void;
  ordered(order: string): void;
  /** Has another server act on its worker; false: nobody has it. */
  act(worker: WorkerId, action: 'drain' | 'undrain' | 'stop'): Promise<boolean>;
  /** Wall clock since when the oldest batch is with a worker of another server; undefined: none is. */
  oldestGrant(): number | undefined;
  /** This server is about to stop: others shall send nobody here. */
  leave(): void;
  /** Where the farm has other servers (P29). */
  addresses(): readonly string[];
  /** Where a worker that comes with nothing should go instead; empty: it is welcome here (R38). */
  betterPlaces(worker: WorkerId): readonly string[];
}

export function noElsewhere(): Elsewhere {
  return {
    serversChanged: () => {},
    tokensChanged: () => {},
    ordered: () => {},
    act: async () => false,
    oldestGrant: () => undefined,
    leave: () => {},
    addresses: () => [],
    betterPlaces: () => [],
  };
}

/**
 * The other servers of a farm that share this one's store (R35 to R39). Between two events of the brain it learns what they did, by what a
 * commit returns and by a pulse, and tells the brain the difference to what this server knew.
 */
export class Siblings {
  readonly #shared: SharedStore;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #loop: Loop;
  readonly #acts: SiblingsActs;
  /** The progress of open jobs as this brain knows it to be stored. */
  readonly #known = new Map<JobId, JobProgress>();
  readonly #takeovers: Takeovers;
  #servers: readonly ServerRecord[] = [];
  #epoch: Epoch = 0;
  #tokens: number | undefined;
  #cancelAlarm: () => void = () => {};
  #lastPulse = Number.NEGATIVE_INFINITY;
  #pulsePlanned: (() => void) | undefined;
  #hungrySince = Number.NEGATIVE_INFINITY;
  /** When this server last said something of itself. */
  #toldAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** What this server says of itself. */
  facts: () => string = () => '';

  constructor(parts: { shared: SharedStore; store: Store; clock: Clock; loop: Loop; acts: SiblingsActs }) {
    this.#shared = parts.shared;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#loop = parts.loop;
    this.#acts = parts.acts;
    this.#loop.catchUp = () => this.#pulseAlone();
    this.#takeovers = new Takeovers({
      ...parts,
      catchUp: (brain) => this.#pulse(brain),
      failed: (error) => this.#failed(error),
    });
  }

  start(): void {
    this.#shared.onHint = () => this.#pulseSoon();
    this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    this.#shared.onHint = () => {};
    this.#takeovers.stop();
    this.#cancelAlarm();
    this.#pulsePlanned?.();
  }

  /** Servers that live, this one among them. */
  get servers(): readonly ServerRecord[] {
    return this.#servers;
  }

  get epoch(): Epoch {
    return this.#epoch;
  }

  /** What one server has to do for all is done by the one that came first. */
  get isFirst(): boolean {
    return this.#servers[0]?.epoch === this.#epoch;
  }

  /** The brain was read from the store. */
  rebuilt(jobs: readonly Job[], epoch: Epoch): void {
    this.#epoch = epoch;
    this.#known.clear();
    for (const { id, progress } of jobs) this.#known.set(id, progress);
  }

  /** A group is on disk; others may have brought something to the same jobs since the last one. */
  committed(stored: readonly Write[], asked: readonly Write[]): void {
    let urgent = false;
    for (const [at, write] of stored.entries()) {
      if (write.kind === 'job') {
        this.#known.set(write.job, write.progress);
        urgent = true;
      } else if (write.kind === 'progress') {
        const before = this.#known.get(write.job);
        const sent = asked[at];
        if (before === undefined || sent?.kind !== 'progress' || sent.change === undefined) continue;
        this.#learn(write.job, changedProgress(before, sent.change), write.progress);
        urgent ||= Object.keys(sent.change.set).length > 0 || sent.change.counted.total !== undefined;
      } else if (write.kind === 'blockFreed' || write.kind === 'token') urgent = true;
    }
    // Others wait for it: a new job, an end, a pause, more inputs, tasks that are to be had. Results can wait for their pulse.
    if (urgent) this.#shared.hint();
  }

  /** Which of these have ended in the store, although they are open here; from then on they are over here, too. */
  async endedOf(jobs: ReadonlySet<JobId>): Promise<ReadonlySet<JobId>> {
    const ended = new Set<JobId>();
    for (const id of jobs) {
      const stored = await this.#store.readJob(id);
      if (stored === undefined || !hasEnded(stored.progress.state)) continue;
      const before = this.#known.get(id);
      // Its failed tasks were opened again and ended again: the brain knows too little to leave that out.
      if (before !== undefined && stored.progress.generation !== before.generation) continue;
      ended.add(id);
      if (before !== undefined) this.#learn(id, before, stored.progress);
    }
    return ended;
  }

  /** A job of which this server found nothing to claim: who has it should look, but not at every claim of those who are all hungry. */
  hungry(): void {
    const now = this.#clock.now();
    if (now < this.#hungrySince + PULSE_INTERVAL) return;
    this.#hungrySince = now;
    this.#shared.hint();
  }

  knows(job: JobId): boolean {
    return this.#known.has(job);
  }

  /** A job is open again. */
  known(job: JobId, progress: JobProgress): void {
    this.#known.set(job, progress);
    this.#shared.hint();
  }

  /** A job that another server was given a moment ago is open here too before anything is done about it. */
  async mustKnow(job: JobId): Promise<void> {
    if (this.#known.has(job)) return;
    const stored = await this.#store.readJob(job);
    if (stored !== undefined && !hasEnded(stored.progress.state)) await this.refresh();
  }

  /** Another server may have the job, or what came to it before: where it does not fit, it is asked for that first. */
  async knowingAll(job: JobId, act: () => Promise<void>): Promise<void> {
    await this.mustKnow(job);
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof RequestError) || (error.code !== 'conflict' && error.code !== 'invalid')) throw error;
    }
    await this.refresh();
    await act();
  }

  /** Resolves once all that other servers had done when it was called is known here. Rejects with a {@link RequestError}. */
  refresh(): Promise<void> {
    return this.#pulseAlone().catch((error: unknown) => {
      this.#failed(error);
      throw notNow(error as StoreError);
    });
  }

  /** As `refresh`, and others hear at once what this server says of itself. */
  tell(): Promise<void> {
    this.#toldAt = Number.NEGATIVE_INFINITY;
    return this.refresh();
  }

  #pulseAlone(): Promise<void> {
    return this.#loop.alone((brain) => this.#pulse(brain));
  }

  /** Undefined: it is known whose a lease is. Else what a worker says of it has to wait. */
  unsettled(lease: LeaseId): Promise<void> | undefined {
    return this.#takeovers.unsettled(lease);
  }

  /** A worker came here with leases that nobody here knows: those of a server that is over are taken over, as soon as it is. */
  takeOver(worker: WorkerId, held: readonly HeldLease[]): void {
    this.#takeovers.begin(worker, held);
  }

  #beat(): void {
    this.#cancelAlarm = this.#clock.alarm(PULSE_INTERVAL, () => {
      if (this.#stopped) return;
      this.#pulseAlone()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => {
          if (!this.#stopped) this.#beat();
        });
    });
  }

  #pulseSoon(): void {
    if (this.#stopped || this.#pulsePlanned !== undefined) return;
    const wait = Math.max(0, this.#lastPulse + HINT_SPACING - this.#clock.now());
    this.#pulsePlanned = this.#clock.alarm(wait, () => {
      this.#pulsePlanned = undefined;
      this.#pulseAlone().catch((error: unknown) => this.#failed(error));
    });
  }

  /** Where the epoch is over, or the data is, the brain is read again; a store that cannot answer now is asked again. */
  #failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== 'busy' && error.code !== 'full') this.#loop.distrust(error);
  }

  async #pulse(brain: Brain): Promise<void> {
    this.#lastPulse = this.#clock.now();
    const tells = this.#lastPulse >= this.#toldAt + FACTS_INTERVAL;
    if (tells) this.#toldAt = this.#lastPulse;
    const pulse = await this.#shared.pulse(brain.epoch, tells ? this.facts() : undefined);
    if (!this.#loop.has(brain)) return;
    for (const { id, progress } of pulse.jobs) {
      const before = this.#known.get(id);
      if (before === undefined) await this.#find(id, brain);
      else await this.#compare(id, before, progress, brain);
    }
    await this.#noteEnded(pulse, brain);
    // Before what is here is given away, and before it is known of a worker that it is elsewhere: what it has would go to others.
    for (const order of pulse.orders) this.#obey(order);
    for (const { id, claimable, wanted } of pulse.jobs)
      this.#loop.post({ kind: 'jobPulsed', job: id, claimable, wanted });
    if (pulse.farm !== undefined) this.#note(pulse.farm);
  }

  #obey(order: string): void {
    const { elsewhere, wentElsewhere } = this.#acts;
    if (!obeyHandOver(order, this.#loop, wentElsewhere)) elsewhere.ordered(order);
  }

  /** Has another server do something; false: it is not there any more. */
  async order(to: Epoch, order: string): Promise<boolean> {
    const taken = await this.#shared.order(to, order);
    if (taken) this.#shared.hint();
    return taken;
  }

  #note({ servers, tokens }: FarmRecord): void {
    const before = JSON.stringify(this.#servers);
    this.#servers = servers;
    if (JSON.stringify(servers) !== before) this.#acts.serversChanged();
    if (this.#tokens !== undefined && this.#tokens !== tokens) this.#acts.elsewhere.tokensChanged();
    this.#tokens = tokens;
  }

  /** Those that are open here and not in the store were ended by others, or forgotten. */
  async #noteEnded({ jobs }: Pulse, brain: Brain): Promise<void> {
    const open = new Set(jobs.map(({ id }) => id));
    for (const id of this.#acts.live()) {
      const before = this.#known.get(id);
      if (open.has(id) || before === undefined) continue;
      const stored = await this.#store.readJob(id);
      if (!this.#loop.has(brain)) return;
      const gone = { ...before, state: 'cancelled', reason: 'forgotten' } as const;
      await this.#compare(id, before, stored?.progress ?? gone, brain);
    }
  }

  /** A job that was opened again since it was known here had ended: here it ends now, and is found anew. */
  async #compare(id: JobId, before: JobProgress, now: JobProgress, brain: Brain): Promise<void> {
    const { generation } = before;
    if (now.generation === generation) return this.#learn(id, before, now);
    this.#learn(id, before, { ...now, generation, state: 'failed', reason: 'its failed tasks were opened again' });
    await this.#find(id, brain);
  }

  /** Known from now on, if it has not ended. */
  async #find(id: JobId, brain: Brain): Promise<void> {
    if (this.#known.has(id)) return;
    const job = await this.#store.readJob(id);
    if (job === undefined || hasEnded(job.progress.state) || !this.#loop.has(brain) || this.#known.has(id)) return;
    this.#known.set(id, job.progress);
    this.#acts.found(job);
    this.#loop.post({ kind: 'jobFound', job, claimable: true });
  }

  /** What the store has beyond what this server knew was brought by others. */
  #learn(id: JobId, before: JobProgress, now: JobProgress): void {
    const change = changeOf(before, now);
    if (hasEnded(now.state)) this.#known.delete(id);
    else this.#known.set(id, now);
    if (isNoChange(change)) return;
    this.#loop.post({ kind: 'progressFound', job: id, change, progress: now });
    this.#acts.progressed(id, now, change);
  }
}
