import type { Millis } from '../model/ids.ts';
import { HELLO_TIME, RECONNECT_BASE, RECONNECT_CAP, SILENCE_DOUBT } from '../model/limits.ts';

type LinkState = 'idle' | 'connecting' | 'greeting' | 'open' | 'waiting' | 'asleep' | 'ended';

/** When to connect, when to believe that a connection is dead, and when to try again (P7, P13). */
export class Link {
  state: LinkState = 'idle';
  /** All attempts so far. */
  attempts = 0;
  /** Whether the server has ever welcomed this worker. */
  joined = false;
  #failures = 0;
  #heardAt: Millis = 0;
  #silence: Millis = 0;
  /** When a silence that is too long will be believed. */
  #believeAt: Millis | undefined;
  #beatEvery: Millis | undefined;
  #beatAt: Millis = 0;
  #retryAt: Millis = 0;

  connecting(now: Millis): void {
    this.state = 'connecting';
    this.attempts += 1;
    this.heard(now);
    this.#silence = HELLO_TIME;
  }

  heard(now: Millis): void {
    this.#heardAt = now;
    this.#believeAt = undefined;
  }

  welcomed(now: Millis, silence: Millis, beatEvery: Millis | undefined): void {
    this.state = 'open';
    this.joined = true;
    this.#failures = 0;
    this.heard(now);
    this.#silence = silence;
    this.#beatEvery = beatEvery;
    this.#beatAt = now + (beatEvery ?? 0);
  }

  /** Full jitter: evenly from zero up to a bound that doubles, so that a thousand workers do not come back at once. */
  lost(now: Millis, chance: number, retryAfter: Millis): Millis {
    const bound = Math.min(RECONNECT_CAP, RECONNECT_BASE * 2 ** this.#failures);
    this.#failures += 1;
    this.state = 'waiting';
    const delay = Math.round(retryAfter + chance * bound);
    this.#retryAt = now + delay;
    return delay;
  }

  /** For so long, and then it connects again. */
  pause(now: Millis, millis: Millis): void {
    this.state = 'waiting';
    this.#retryAt = now + millis;
  }

  get connected(): boolean {
    return this.state === 'connecting' || this.state === 'greeting' || this.state === 'open';
  }

  /**
   * Whether the connection is dead. A silence that is too long is looked at twice: this process may have stalled itself,
   * with what came meanwhile still unread.
   */
  isSilent(now: Millis): boolean {
    if (!this.connected || now - this.#heardAt < this.#silence) return false;
    this.#believeAt ??= now + SILENCE_DOUBT;
    return now >= this.#believeAt;
  }

  mayRetry(now: Millis): boolean {
    return this.state === 'waiting' && now >= this.#retryAt;
  }

  /** Whether a beat is due; it is then taken as sent. */
  takeBeat(now: Millis): boolean {
    if (this.state !== 'open' || this.#beatEvery === undefined || now < this.#beatAt) return false;
    this.#beatAt = now + this.#beatEvery;
    return true;
  }

  get wakeAt(): Millis | undefined {
    if (this.state === 'waiting') return this.#retryAt;
    if (!this.connected) return undefined;
    const silent = this.#believeAt ?? this.#heardAt + this.#silence;
    return this.state === 'open' && this.#beatEvery !== undefined ? Math.min(silent, this.#beatAt) : silent;
  }
}
