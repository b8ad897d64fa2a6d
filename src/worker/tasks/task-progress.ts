import type { Place } from './executor.ts';
import type { FromTask } from './task-channel.ts';

/** Progress is for eyes: more often than this, in milliseconds, is not sent. */
const PROGRESS_EVERY = 100;

/** Sends on how far the running task says that it is. */
export class TaskProgress {
  readonly #place: () => Place;
  readonly #send: (message: FromTask) => void;
  #at = Number.NEGATIVE_INFINITY;

  constructor(place: () => Place, send: (message: FromTask) => void) {
    this.#place = place;
    this.#send = send;
  }

  readonly tell = (fraction: number, text?: string): void => {
    if (!Number.isFinite(fraction)) throw new TypeError('progress needs a number from 0 to 1');
    const now = performance.now();
    if (now - this.#at < PROGRESS_EVERY) return;
    this.#at = now;
    const words = text === undefined ? {} : { text: String(text).slice(0, 256) };
    this.#send({ kind: 'progress', ...this.#place(), fraction, ...words });
  };
}
