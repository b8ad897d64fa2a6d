import type { Millis } from '../model/ids.ts';

/** Time as an argument: the shell around the brain reads no other clock, so that the simulator can be it. */
export interface Clock {
  /** Monotonic. */
  now(): Millis;
  /** Milliseconds since 1970, for people and for rows. */
  wall(): number;
  /** After what is being done now, before any waiting: gathers the events of one turn. */
  defer(run: () => void): void;
  /** Returns its cancel. */
  alarm(delay: Millis, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  defer: (run) => {
    setImmediate(run);
  },
  alarm: (delay, run) => {
    const timer = setTimeout(run, delay);
    return () => clearTimeout(timer);
  },
};
