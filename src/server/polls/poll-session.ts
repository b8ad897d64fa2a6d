import {
  FRAME_BYTES,
  LATE_TICK,
  LEASE_TIME,
  OUTGOING_BYTES_MOST,
  PING_INTERVAL,
  POLL_CUT_TIME,
  POLL_LAST_WORDS_TIME,
} from '../../model/limits.ts';
import type { Frame } from '../../protocol/frames.ts';
import type { Clock } from '../clock.ts';
import type { Loop } from '../loop.ts';
import type { Connection, Gateway, Identity, Peer } from '../peer.ts';
import { Problem } from '../problem.ts';

/** What one request brings: the worker's lines, and where both sides are. */
export interface Poll {
  /** Lines that the worker has sent before these. */
  readonly sent: number;
  /** Lines of the server that it has. */
  readonly seen: number;
  readonly lines: readonly string[];
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

/** What a session needs of the server. */
export interface Surroundings {
  readonly gateway: Gateway;
  readonly loop: Pick<Loop, 'pressed' | 'calm'>;
  readonly clock: Clock;
}

/**
 * A worker that speaks by HTTP (P26): what a socket is to others. Lines have numbers in both directions, so that what was
 * cut is said again, and what is said again is taken once.
 */
export class PollSession implements Peer {
  readonly #clock: Clock;
  readonly #loop: Surroundings['loop'];
  readonly #connection: Connection;
  readonly #forget: () => void;
  /** Said and not yet seen; the first has this number. */
  #lines: string[] = [];
  #first = 0;
  #bytes = 0;
  /** Lines of the worker that were taken. */
  #taken = 0;
  /** Requests are taken one after the other. */
  #turn: Promise<void> = Promise.resolve();
  /** Ends the waiting of the request that waits. */
  #wake: (() => void) | undefined;
  /** Requests that have no answer yet. */
  #asking = 0;
  #over: string | undefined;
  #cancelWatch: () => void = () => {};

  constructor({ gateway, loop, clock }: Surroundings, identity: Identity, forget: () => void) {
    this.#clock = clock;
    this.#loop = loop;
    this.#forget = forget;
    this.#connection = gateway.accept(this, { ...identity, json: true });
    this.#watch(LEASE_TIME);
  }

  send(frame: Frame): void {
    if (this.#over !== undefined) return;
    const line = frame as string;
    this.#bytes += line.length;
    // Who takes nothing asks for nothing either, but what is said to him has an end all the same. (F-11)
    if (this.#bytes > OUTGOING_BYTES_MOST) return this.lose('takes nothing of what it is told');
    this.#lines.push(line);
    // What is decided together leaves together.
    this.#clock.defer(() => this.#wake?.());
  }

  close(_code: number, reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#clock.defer(() => {
      this.#wake?.();
      this.#connection.closed(reason);
    });
    this.#watch(POLL_LAST_WORDS_TIME);
  }

  /** The worker has all that was said. */
  get isCaughtUp(): boolean {
    return this.#lines.length === 0;
  }

  /** Answers the poll that waits, also with nothing. */
  hurry(): void {
    this.#wake?.();
  }

  /** Ends without a word. */
  lose(reason: string): void {
    this.#lines = [];
    this.#bytes = 0;
    this.close(0, reason);
  }

  /** Takes what the worker says, and gives what there is to say to it, once there is something. Throws a {@link Problem}. */
  async poll(poll: Poll): Promise<readonly string[]> {
    // There is one worker: if it asks again it does not wait for the last answer.
    this.#wake?.();
    this.#asking += 1;
    try {
      const before = this.#turn;
      const taking = before.then(() => this.#take(poll));
      this.#turn = taking.catch(() => {});
      await taking;
      if (this.#lines.length === 0 && this.#over === undefined) await this.#news(poll.gone);
      return this.#answer();
    } finally {
      this.#asking -= 1;
      this.#watch(this.#patience(poll.gone.aborted));
    }
  }

  #patience(wasCut: boolean): number {
    if (this.#over !== undefined) return POLL_LAST_WORDS_TIME;
    return wasCut ? POLL_CUT_TIME : (this.#connection.silence ?? LEASE_TIME);
  }

  async #take({ sent, seen, lines }: Poll): Promise<void> {
    const said = this.#first + this.#lines.length;
    if (seen > said) throw new Problem('conflict', `"seen" is ${seen}, and ${said} lines were said`);
    if (sent > this.#taken)
      throw new Problem('conflict', `"sent" is ${sent}, and ${this.#taken} lines came: repeat them`);
    this.#seen(seen);
    if (this.#over !== undefined && this.#lines.length === 0)
      throw new Problem('unknown', `this session is over (${this.#over}): say hello in another`);
    this.#connection.heard();
    for (const line of lines.slice(this.#taken - sent)) {
      this.#taken += 1;
      if (Buffer.byteLength(line) > FRAME_BYTES) this.#connection.tooLarge();
      else await this.#connection.receive(line);
      if (this.#loop.pressed) await new Promise<void>((resolve) => this.#loop.calm(resolve));
    }
  }

  #seen(count: number): void {
    if (count <= this.#first) return;
    for (const line of this.#lines.splice(0, count - this.#first)) this.#bytes -= line.length;
    this.#first = count;
  }

  /** Waits until there is something to say, but not longer than a ping waits for the next. */
  #news(gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        cancel();
        gone.removeEventListener('abort', settle);
        if (this.#wake === settle) this.#wake = undefined;
        resolve();
      };
      const cancel = this.#clock.alarm(PING_INTERVAL, settle);
      gone.addEventListener('abort', settle);
      this.#wake?.();
      this.#wake = settle;
      if (gone.aborted) settle();
    });
  }

  #answer(): readonly string[] {
    let bytes = 0;
    const rest = this.#lines.findIndex((line) => (bytes += line.length) > FRAME_BYTES);
    return rest === -1 ? this.#lines.slice() : this.#lines.slice(0, Math.max(1, rest));
  }

  /** As with a socket, silence ends it (P13); what is over is kept for whoever has not heard the end. */
  #watch(patience: number): void {
    const due = this.#clock.now() + patience;
    this.#cancelWatch();
    this.#cancelWatch = this.#clock.alarm(patience, () => {
      // Who waits is there; and when this machine slept, silence proves nothing.
      if (this.#asking > 0 || this.#clock.now() > due + LATE_TICK) this.#watch(patience);
      else if (this.#over !== undefined) this.#forget();
      else this.lose('was silent for too long');
    });
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.#cancelWatch();
    this.#wake?.();
  }
}
