import { randomBytes } from 'node:crypto';
import { extendHistory, type FarmHistory, slotsOf } from '../model/farm-history.ts';
import type { FeedMessage, JobDelta, JobView, ServerView, Tallies, WorkerView } from '../model/feed.ts';
import type { JobId, WorkerId } from '../model/ids.ts';
import { hasEnded, type Job, type JobSpec } from '../model/job.ts';
import { FEED_CHANGES, FEED_ENDED_JOBS, FEED_INTERVAL, FEED_KEPT_BYTES } from '../model/limits.ts';
import type { Change } from '../scheduler/commands.ts';
import type { Clock } from './clock.ts';

/** A message of the feed as JSON, written once for all readers. The message itself is not kept: it is thrice as large. */
export interface Published {
  readonly kind: FeedMessage['kind'];
  /** Where a reader that heard this goes on; a snapshot is whole only with its boundary. */
  readonly cursor: string | undefined;
  readonly json: string;
}

type Reader = (published: Published) => void;

/** Where the feed gets what it does not hear: the tallies, and the spec of a job of which only a change was told. */
export interface FeedSource {
  readonly farm: string;
  tallies(): Tallies;
  specOf(job: JobId): JobSpec | undefined;
}

/**
 * What the pages see: everything is on disk before it gets here. Changes of one job or worker between two deltas are
 * one change, so a million tasks a second cost as much as four.
 */
export class Feed {
  readonly #source: FeedSource;
  readonly #clock: Clock;
  /** Told apart from the cursors of the server's earlier lives. */
  readonly #life = randomBytes(4).toString('hex');
  readonly #jobs = new Map<JobId, JobView>();
  /** Ended ones, the oldest end first. */
  readonly #ended = new Set<JobId>();
  readonly #workers = new Map<WorkerId, WorkerView>();
  readonly #changedJobs = new Set<JobId>();
  readonly #changedWorkers = new Set<WorkerId>();
  readonly #goneJobs = new Set<JobId>();
  readonly #goneWorkers = new Set<WorkerId>();
  /** Jobs that readers may not know the spec of. */
  readonly #newJobs = new Set<JobId>();
  /** Each with what it wants done when there is nothing more to come. */
  readonly #readers = new Map<Reader, () => void>();
  readonly #kept: (Published & { sequence: number })[] = [];
  #keptBytes = 0;
  #servers: readonly ServerView[] = [];
  #newServers = false;
  /** Tasks that run with workers of other servers, by job. */
  #elsewhere: ReadonlyMap<JobId, number> = new Map();
  #history: FarmHistory = [];
  #sequence = 0;
  #cancelFlush: (() => void) | undefined;
  #closed = false;

  constructor(source: FeedSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Jobs that were there before, in any order. */
  remember(jobs: readonly Job[]): void {
    const known = [...jobs].sort((a, b) => (a.progress.endedAt ?? 0) - (b.progress.endedAt ?? 0));
    for (const { id, spec, progress } of known) this.#putJob({ id, spec, progress, waiting: 0, running: 0 });
    this.#newJobs.clear();
    this.#changedJobs.clear();
  }

  hear(change: Change): void {
    switch (change.kind) {
      case 'job': {
        const { job, progress, waiting, running } = change;
        const spec = change.spec ?? this.#jobs.get(job)?.spec ?? this.#source.specOf(job);
        if (spec !== undefined) this.#putJob({ id: job, spec, progress, waiting, running });
        break;
      }
      case 'worker': {
        const { worker, state, unable, busy, queued, done, failed, lastHeard } = change;
        const lastHeardAt = Math.round(this.#clock.wall() - this.#clock.now() + lastHeard);
        const why = unable === undefined ? {} : { unable };
        this.#workers.set(worker.id, { ...worker, state, ...why, busy, queued, done, failed, lastHeardAt });
        this.#changedWorkers.add(worker.id);
        this.#goneWorkers.delete(worker.id);
        break;
      }
      case 'workerGone':
        this.#dropWorker(change.worker);
        break;
      default:
        return;
    }
    this.#planFlush();
  }

  /** What other servers say of their workers and of what these run; replaces what they said before. */
  hearSiblings(
    servers: readonly ServerView[],
    workers: readonly (WorkerView & { readonly server: string })[],
    running: ReadonlyMap<JobId, number>,
  ): void {
    this.#servers = servers;
    this.#newServers = true;
    const told = new Set(workers.map(({ id }) => id));
    for (const { id, server } of this.#workers.values())
      if (server !== undefined && !told.has(id)) this.#dropWorker(id);
    for (const worker of workers) {
      const known = this.#workers.get(worker.id);
      // It has come here meanwhile.
      if (known !== undefined && known.server === undefined) continue;
      this.#workers.set(worker.id, worker);
      this.#changedWorkers.add(worker.id);
      this.#goneWorkers.delete(worker.id);
    }
    const changed = new Set([...this.#elsewhere.keys(), ...running.keys()]);
    this.#elsewhere = running;
    for (const job of changed) if (this.#jobs.has(job)) this.#changedJobs.add(job);
    this.#planFlush();
  }

  /** Workers of this server. */
  get ownWorkers(): WorkerView[] {
    return [...this.#workers.values()].filter(({ server }) => server === undefined);
  }

  /** Tasks of each job that run here. */
  get ownRunning(): [JobId, number][] {
    return [...this.#jobs.values()].filter(({ running }) => running > 0).map(({ id, running }) => [id, running]);
  }

  /** A job that was forgotten. */
  dropJob(job: JobId): void {
    if (!this.#jobs.delete(job)) return;
    this.#ended.delete(job);
    this.#changedJobs.delete(job);
    this.#newJobs.delete(job);
    this.#goneJobs.add(job);
    this.#planFlush();
  }

  /** The brain was read from disk again: workers will introduce themselves. */
  dropWorkers(): void {
    for (const { id } of this.ownWorkers) this.#dropWorker(id);
    this.#planFlush();
  }

  /** Newest first. */
  get jobs(): JobView[] {
    return [...this.#jobs.values()].map((job) => this.#whole(job)).sort((a, b) => b.id - a.id);
  }

  job(id: JobId): JobView | undefined {
    const job = this.#jobs.get(id);
    return job && this.#whole(job);
  }

  /** With what runs elsewhere, which waits as far as is known here. */
  #whole(job: JobView): JobView {
    const elsewhere = Math.min(job.waiting, this.#elsewhere.get(job.id) ?? 0);
    if (elsewhere === 0) return job;
    return { ...job, waiting: job.waiting - elsewhere, running: job.running + elsewhere };
  }

  get workers(): WorkerView[] {
    return [...this.#workers.values()];
  }

  worker(id: WorkerId): WorkerView | undefined {
    return this.#workers.get(id);
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * First what is there — the deltas after `from`, or a snapshot and its boundary — and then everything that happens, until
   * the returned function is called, or the feed closes, which `closed` hears.
   */
  subscribe(from: string | undefined, reader: Reader, closed: () => void = () => {}): () => void {
    this.#flushNow();
    const missed = this.#since(from);
    if (missed === undefined) {
      reader(publish(this.#snapshot()));
      reader(publish({ kind: 'boundary', cursor: this.#cursor(this.#sequence) }));
    } else {
      for (const published of missed) reader(published);
    }
    this.#readers.set(reader, closed);
    return () => this.#readers.delete(reader);
  }

  close(): void {
    this.#closed = true;
    this.#cancelFlush?.();
    for (const closed of this.#readers.values()) closed();
    this.#readers.clear();
  }

  #putJob(view: JobView): void {
    if (!this.#jobs.has(view.id)) this.#newJobs.add(view.id);
    this.#jobs.set(view.id, view);
    this.#changedJobs.add(view.id);
    this.#goneJobs.delete(view.id);
    if (!hasEnded(view.progress.state)) {
      this.#ended.delete(view.id);
      return;
    }
    this.#ended.add(view.id);
    // The oldest of the ended ones that every reader has been told of.
    while (this.#ended.size > FEED_ENDED_JOBS) {
      const [oldest] = this.#ended as Set<JobId>;
      if (oldest === undefined) return;
      this.dropJob(oldest);
    }
  }

  #dropWorker(worker: WorkerId): void {
    if (!this.#workers.delete(worker)) return;
    this.#changedWorkers.delete(worker);
    this.#goneWorkers.add(worker);
  }

  #planFlush(): void {
    if (this.#closed) return;
    this.#cancelFlush ??= this.#clock.alarm(FEED_INTERVAL, () => {
      this.#cancelFlush = undefined;
      this.#flush(FEED_CHANGES);
      if (this.#isDirty) this.#planFlush();
    });
  }

  /** A new reader's snapshot holds every change so far, so the others must have heard of them before. */
  #flushNow(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    while (this.#isDirty) this.#flush(FEED_CHANGES);
  }

  get #isDirty(): boolean {
    if (this.#newServers) return true;
    return this.#changedJobs.size + this.#changedWorkers.size + this.#goneJobs.size + this.#goneWorkers.size > 0;
  }

  #flush(limit: number): void {
    if (!this.#isDirty) return;
    const jobs = take(this.#changedJobs, limit).map((id) => this.#delta(id));
    const workers = take(this.#changedWorkers, limit).map((id) => this.#workers.get(id) as WorkerView);
    const goneJobs = take(this.#goneJobs, limit);
    const goneWorkers = take(this.#goneWorkers, limit);
    const at = this.#clock.wall();
    const sequence = ++this.#sequence;
    this.#sample(at);
    const published = publish({
      kind: 'delta',
      cursor: this.#cursor(sequence),
      at,
      ...(jobs.length === 0 ? {} : { jobs }),
      ...(workers.length === 0 ? {} : { workers }),
      ...(this.#newServers ? { servers: this.#servers } : {}),
      ...(goneJobs.length === 0 ? {} : { goneJobs }),
      ...(goneWorkers.length === 0 ? {} : { goneWorkers }),
      tallies: { ...this.#source.tallies() },
    });
    this.#newServers = false;
    this.#kept.push({ ...published, sequence });
    this.#keptBytes += published.json.length;
    while (this.#keptBytes > FEED_KEPT_BYTES) this.#keptBytes -= this.#kept.shift()?.json.length ?? 0;
    for (const reader of [...this.#readers.keys()]) reader(published);
  }

  #delta(id: JobId): JobDelta {
    const { spec, ...rest } = this.#whole(this.#jobs.get(id) as JobView);
    return this.#newJobs.delete(id) ? { ...rest, spec } : rest;
  }

  #sample(at: number): void {
    const { done, failed } = this.#source.tallies();
    const gained = done + failed - (this.#history.at(-1)?.ended ?? 0);
    const { busy, slots } = slotsOf(this.#workers.values());
    this.#history = extendHistory(this.#history, { at, gained, busy, slots }, true);
  }

  #snapshot(): FeedMessage {
    const at = this.#clock.wall();
    this.#sample(at);
    return {
      kind: 'snapshot',
      farm: this.#source.farm,
      at,
      jobs: this.jobs,
      workers: this.workers,
      ...(this.#servers.length === 0 ? {} : { servers: this.#servers }),
      tallies: { ...this.#source.tallies() },
      history: this.#history,
    };
  }

  /** Undefined: unknown, or too long ago. */
  #since(from: string | undefined): Published[] | undefined {
    const [life, text] = from?.split('-') ?? [];
    const sequence = Number(text);
    if (life !== this.#life || !Number.isSafeInteger(sequence) || sequence > this.#sequence) return undefined;
    if (sequence === this.#sequence) return [];
    const first = this.#kept[0]?.sequence;
    if (first === undefined || first > sequence + 1) return undefined;
    return this.#kept.filter((each) => each.sequence > sequence);
  }

  #cursor(sequence: number): string {
    return `${this.#life}-${sequence}`;
  }
}

function publish(message: FeedMessage): Published {
  const { kind } = message;
  return { kind, cursor: kind === 'snapshot' ? undefined : message.cursor, json: JSON.stringify(message) };
}

function take<T>(set: Set<T>, limit: number): T[] {
  const taken: T[] = [];
  for (const each of set) {
    if (taken.length >= limit) break;
    set.delete(each);
    taken.push(each);
  }
  return taken;
}
