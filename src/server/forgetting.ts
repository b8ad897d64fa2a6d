import type { JobId } from '../model/ids.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from './clock.ts';

/** Forgets ended jobs in short steps (D8). What a trouble of the store cut off goes on when it is asked for again, by housekeeping, or at the next start. */
export class Forgetting {
  readonly #store: Pick<Store, 'forget'>;
  readonly #clock: Pick<Clock, 'defer'>;
  /** Listed no more, and not gone yet. */
  readonly #begun = new Set<JobId>();

  constructor(store: Pick<Store, 'forget'>, clock: Pick<Clock, 'defer'>) {
    this.#store = store;
    this.#clock = clock;
  }

  async forget(job: JobId): Promise<void> {
    while (!(await this.#store.forget(job))) {
      this.#begun.add(job);
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
    this.#begun.delete(job);
  }

  /**
   * Leaves nothing of a job that is not listed. True: its forgetting was cut off here. It may have been cut off in a process that was
   * replaced, so that nobody here knew; then there is no such job any more.
   */
  async finish(job: JobId): Promise<boolean> {
    const known = this.#begun.has(job);
    await this.forget(job);
    return known;
  }

  /** As the store named them at its start. Does not wait, and a store that cannot now is asked again later. */
  recovered(jobs: readonly JobId[]): void {
    for (const job of jobs) {
      this.#begun.add(job);
      this.forget(job).catch(later);
    }
  }

  /** Goes on with all that was cut off. */
  async resume(): Promise<void> {
    for (const job of [...this.#begun]) await this.forget(job);
  }
}

function later(): void {}
