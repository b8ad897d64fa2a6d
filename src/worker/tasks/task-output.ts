import { LOG_MESSAGE_BYTES, SLOT_LOG_RATE, TASK_LOG_BYTES } from '../../model/limits.ts';
import type { Place } from './executor.ts';
import type { FromTask } from './task-channel.ts';

type Stream = 'stdout' | 'stderr' | 'log';

/** Sends on what tasks print, under the name of the task that runs, within bounds. */
export class TaskOutput {
  readonly #place: Place;
  readonly #send: (message: FromTask) => void;
  #chunk = 0;
  #position = 0;
  #ofTask = 0;
  /** What may still be sent in this second. */
  #left = SLOT_LOG_RATE;
  #second = 0;
  #dropped = 0;

  constructor(place: Place, send: (message: FromTask) => void) {
    this.#place = place;
    this.#send = send;
  }

  write(stream: Stream, text: string): void {
    const { chunk, position } = this.#place;
    if (chunk !== this.#chunk || position !== this.#position) {
      this.#chunk = chunk;
      this.#position = position;
      this.#ofTask = 0;
    }
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#left = SLOT_LOG_RATE;
      if (this.#dropped > 0) {
        const dropped = this.#dropped;
        this.#dropped = 0;
        this.#say('stderr', `(${dropped} characters of output were dropped: too much in a second)\n`);
      }
    }
    const room = TASK_LOG_BYTES - this.#ofTask;
    if (room <= 0) return;
    const cut = text.slice(0, room);
    if (cut.length > this.#left) {
      this.#dropped += cut.length;
      return;
    }
    this.#left -= cut.length;
    this.#ofTask += cut.length;
    this.#say(stream, cut);
    if (cut.length === room)
      this.#say('stderr', "(the rest of this task's output was dropped: too much for one task)\n");
  }

  #say(stream: Stream, text: string): void {
    const { chunk, position } = this.#place;
    for (let at = 0; at < text.length; at += LOG_MESSAGE_BYTES) {
      this.#send({ kind: 'log', chunk, position, stream, text: text.slice(at, at + LOG_MESSAGE_BYTES) });
    }
  }
}
