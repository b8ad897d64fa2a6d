import type { Millis } from '../model/ids.ts';
import { HELLO_TIME, LEASE_TIME, RECONNECT_BASE, RECONNECT_CAP } from '../model/limits.ts';

export type LinkState = 'idle' | 'connecting' | 'open' | 'waiting' | 'ended';

/** When a connection is believed dead, and when to try again: full jitter, so that a thousand clients do not come back at once (P13, F-29). */
export class Link {
  state: LinkState = 'idle';
  /** Whether the server has ever welcomed this client. */
  joined = false;
  #failures = 0;
  #heardAt: Millis = 0;
  #retryAt: Millis = 0;

  connecting(now: Millis): void {
    this.state = 'connecting';
    this.#heardAt = now;
  }

  heard(now: Millis): void {
    this.#heardAt = now;
  }

  welcomed(now: Millis): void {
    this.state = 'open';
    this.joined = true;
    this.#heardAt = now;
  }

  /** The connection is of use, which a welcome alone does not say: a server in trouble may greet everyone and fall again. */
  worked(): void {
    if (this.state === 'open') this.#failures = 0;
  }

  /** Returns the delay: evenly from zero up to a bound that doubles. */
  lost(now: Millis, chance: number, retryAfter: Millis): Millis {
    const bound = Math.min(RECONNECT_CAP, RECONNECT_BASE * 2 ** this.#failures);
    this.#failures += 1;
    this.state = 'waiting';
    const delay = Math.round(retryAfter + chance * bound);
    this.#retryAt = now + delay;
    return delay;
  }

  get connected(): boolean {
    return this.state === 'connecting' || this.state === 'open';
  }

  isSilent(now: Millis): boolean {
    return this.connected && now >= this.#silentAt;
  }

  mayRetry(now: Millis): boolean {
    return this.state === 'waiting' && now >= this.#retryAt;
  }

  get wakeAt(): Millis | undefined {
    if (this.state === 'waiting') return this.#retryAt;
    return this.connected ? this.#silentAt : undefined;
  }

  get #silentAt(): Millis {
    return this.#heardAt + (this.state === 'connecting' ? HELLO_TIME : LEASE_TIME);
  }
}
