import type { Millis } from '../model/ids.ts';
import {
  HELLO_TIME,
  LEASE_TIME,
  PING_INTERVAL,
  RECONNECT_BASE,
  RECONNECT_CAP,
  SILENCE_DOUBT,
} from '../model/limits.ts';
import { MOVE_AIR, PROBE_SHARE } from '../model/move-limits.ts';

export type LinkState = 'idle' | 'connecting' | 'open' | 'waiting' | 'ended';

/** When a connection is believed dead, and when to try again: full jitter, so that a thousand clients do not come back at once (P13, P30, F-29). */
export class Link {
  state: LinkState = 'idle';
  /** Whether the server has ever welcomed this client. */
  joined = false;
  #failures = 0;
  #heardAt: Millis = 0;
  #retryAt: Millis = 0;
  #patience: Millis = HELLO_TIME;
  /** When a silence that is too long will be believed: this process may have stalled itself, with what came still unread. */
  #believeAt: Millis | undefined;
  /** There is another server to go to. */
  #probes = false;
  /** Since something was heard. */
  #hasProbed = false;

  connecting(now: Millis, patience: Millis): void {
    this.state = 'connecting';
    this.#patience = patience;
    this.heard(now);
  }

  heard(now: Millis): void {
    this.#heardAt = now;
    this.#believeAt = undefined;
    this.#hasProbed = false;
  }

  welcomed(now: Millis, probes: boolean): void {
    this.state = 'open';
    this.joined = true;
    this.#probes = probes;
    this.heard(now);
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
    if (!this.connected || now < this.#silentAt) return false;
    this.#believeAt ??= now + SILENCE_DOUBT;
    return now >= this.#believeAt;
  }

  mayRetry(now: Millis): boolean {
    return this.state === 'waiting' && now >= this.#retryAt;
  }

  /** Whether a ping is due; it is then taken as sent. */
  takeProbe(now: Millis): boolean {
    if (this.state !== 'open' || now < this.#probeAt) return false;
    this.#hasProbed = true;
    return true;
  }

  get wakeAt(): Millis | undefined {
    if (this.state === 'waiting') return this.#retryAt;
    return this.connected ? Math.min(this.#believeAt ?? this.#silentAt, this.#probeAt) : undefined;
  }

  get #silentAt(): Millis {
    if (this.state === 'connecting') return this.#heardAt + this.#patience;
    return this.#heardAt + (this.#probes ? PING_INTERVAL + MOVE_AIR : LEASE_TIME);
  }

  get #probeAt(): Millis {
    return this.state === 'open' && this.#probes && !this.#hasProbed
      ? this.#heardAt + PING_INTERVAL * PROBE_SHARE
      : Infinity;
  }
}
