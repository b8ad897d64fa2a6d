import type { Logger } from 'pino';
import type { Millis } from '../model/ids.ts';
import { TROUBLE_TOLD_EVERY } from '../model/limits.ts';
import type { StoreError } from '../store/store.ts';
import type { Clock } from './clock.ts';

/**
 * Tells whoever reads the log that nothing can be saved, and later that it can again: once in a while, not once for each
 * of the thousands of commits that may fail while a disk is full.
 */
export class StoreTrouble {
  readonly #log: Logger;
  readonly #clock: Clock;
  #since: Millis | undefined;
  #toldAt: Millis = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  notSaved(error: StoreError): void {
    const now = this.#clock.now();
    this.#since ??= now;
    this.#failures += 1;
    if (now - this.#toldAt < TROUBLE_TOLD_EVERY) return;
    this.#toldAt = now;
    const then = error.code === 'full' ? 'make room on the disk of the data directory' : 'it is tried again';
    this.#log.warn(
      { code: error.code },
      `nothing can be saved, so new work is refused and results wait: ${error.message}; ${then}`,
    );
  }

  /** The data went back in time (D25). */
  rewound(): void {
    this.#log.error(
      'the database may have lost what it had written last (a failover to a copy that was behind): jobs and results of its last moments may be missing, and their tasks run again; submit anew what is not listed',
    );
  }

  saved(): void {
    if (this.#since === undefined) return;
    const seconds = Math.round((this.#clock.now() - this.#since) / 1_000);
    this.#log.info({ seconds, failures: this.#failures }, 'what comes is saved again');
    this.#since = undefined;
    this.#failures = 0;
  }
}
