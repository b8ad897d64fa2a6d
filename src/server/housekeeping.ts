import type { Logger } from 'pino';
import {
  BLOB_GRACE,
  BLOB_GRACE_RUNNING,
  HOUSEKEEPING_INTERVAL,
  OPEN_JOB_IDLE,
  PAGE_ROWS_MAX,
} from '../model/limits.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { collectBlobs } from './garbage.ts';

/** Now and then closes what nobody feeds any more, forgets ended jobs older than `keep`, and blobs that no job refers to once their grace has passed. */
export class Housekeeping {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #keep: number | undefined;
  #round: Promise<void> = Promise.resolve();
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(parts: { core: Core; clock: Clock; log: Pick<Logger, 'warn'>; keep: number | undefined }) {
    this.#core = parts.core;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#keep = parts.keep;
  }

  /** The next round begins a while after the last has ended. */
  start(): void {
    this.#cancel = this.#clock.alarm(HOUSEKEEPING_INTERVAL, () => {
      this.#round = this.#keepHouse()
        .catch((error: unknown) => this.#log.warn({ err: error }, 'housekeeping failed and will be tried again'))
        .then(() => {
          if (!this.#stopped) this.start();
        });
    });
  }

  /** Resolves when a round that has begun has come to a point where it can stop. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#round;
  }

  async #keepHouse(): Promise<void> {
    // Of several servers one does it for all.
    if (this.#core.siblings?.isFirst === false) return;
    await this.#closeAbandonedJobs();
    await this.#core.forgetting.resume();
    if (this.#keep !== undefined) await this.#forgetOldJobs(this.#clock.wall() - this.#keep);
    await collectBlobs(this.#core, this.#unusedSince(), () => this.#stopped);
  }

  /** What a task stores at its start and names in its result, days later, must be there until then (D9). */
  #unusedSince(): number {
    const now = this.#clock.wall();
    const oldest = Math.min(this.#core.loop.scheduler?.oldestGrant() ?? now, this.#core.elsewhere.oldestGrant() ?? now);
    return Math.max(now - BLOB_GRACE_RUNNING, Math.min(now - BLOB_GRACE, oldest));
  }

  /** A program that was killed while it fed its job never closes it. What it did feed is done. */
  async #closeAbandonedJobs(): Promise<void> {
    for (const job of this.#core.live.openSince(this.#clock.now() - OPEN_JOB_IDLE)) {
      const known = await this.#core.readJob(job);
      if (known !== undefined) await this.#core.closeJob(job, known.progress.total);
    }
  }

  async #forgetOldJobs(endedBefore: number): Promise<void> {
    const states = ['done', 'failed', 'cancelled'] as const;
    for (let before = Number.MAX_SAFE_INTEGER; !this.#stopped; ) {
      const jobs = await this.#core.store.listJobs({ before, limit: PAGE_ROWS_MAX, states });
      for (const { id, progress } of jobs) {
        if (this.#stopped) return;
        if (this.#core.feeds(id)) continue;
        if ((progress.endedAt ?? Number.MAX_SAFE_INTEGER) < endedBefore) await this.#core.act(id, 'forget');
      }
      const last = jobs.at(-1);
      if (last === undefined || jobs.length < PAGE_ROWS_MAX) return;
      before = last.id;
    }
  }
}
