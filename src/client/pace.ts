import { INPUTS_AHEAD, INPUTS_AHEAD_BYTES } from '../model/client-limits.ts';
import type { TaskIndex } from '../model/ids.ts';

/** The part of a bound below which a reader that was ahead is filled up again. */
const REFILL = 7 / 8;

/**
 * How far the inputs of a job may run ahead of whoever reads its results in the same program: an iterable without end is
 * then pulled as fast as its results are used, and neither the server's disk nor the program fills up. Where nobody reads,
 * inputs go as fast as the server takes them.
 */
export class Pace {
  #readers = 0;
  #read = 0;
  #wake: (() => void) | undefined;
  /** It was full, and is again only once there is room worth filling: bits of blocks would cost as much as whole ones. */
  #full = false;

  /** Someone begins to read; returns its end. */
  reading(): () => void {
    this.#readers += 1;
    return () => {
      this.#readers -= 1;
      if (this.#readers === 0) this.wake();
    };
  }

  /** The results of this many tasks have been taken. */
  read(tasks: number): void {
    if (tasks <= this.#read) return;
    this.#read = tasks;
    this.wake();
  }

  /** Undefined: the next input may be pulled. `bytes`: of all those that were sent. */
  room(sent: TaskIndex, bytes: number): Promise<void> | undefined {
    if (this.#readers === 0) return undefined;
    const ahead = sent - this.#read;
    // The bytes ahead, if all inputs are alike.
    const share = this.#full ? REFILL : 1;
    this.#full = ahead >= INPUTS_AHEAD * share || ahead * bytes > INPUTS_AHEAD_BYTES * sent * share;
    if (!this.#full) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Looks again. */
  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
