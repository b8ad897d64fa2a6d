import type { Clock } from '../../src/server/clock.ts';

/** A clock that stands still until a test moves it. What a turn defers runs when the test lets it settle. */
export class ModelClock implements Clock {
  #now = 1_000;
  #deferred: (() => void)[] = [];
  #alarms: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  alarm(delay: number, run: () => void): () => void {
    const alarm = { at: this.#now + delay, run };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((each) => each !== alarm);
    };
  }

  /** Alarms that are set. */
  get alarms(): number {
    return this.#alarms.length;
  }

  /** Runs what is deferred and lets promises settle, until nothing more comes of it. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      const due = this.#deferred.splice(0);
      for (const run of due) run();
      if (due.length > 0) quiet = -1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What comes of it, once everything that it needs has run; it must need no time. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    await this.settle();
    return promise;
  }

  /** Time passes, and every alarm goes off when it is due. */
  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    await this.settle();
    for (;;) {
      const next = this.#alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#alarms = this.#alarms.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await this.settle();
    }
    this.#now = end;
  }
}
