import type { Millis } from '../model/ids.ts';
import { RECONNECT_BASE, RECONNECT_CAP, SILENCE_DOUBT } from '../model/limits.ts';
import { MOVE_AIR, PROBE_SHARE } from '../model/move-limits.ts';

/** What a connection that is open goes by. */
interface Rhythm {
  /** Milliseconds of silence that mean that it is dead. */
  readonly silence: Millis;
  /** How often the server pings. */
  readonly pingEvery: Millis;
  /** It cannot see pings, so it says `beat` as often. */
  readonly beats: boolean;
  /** There is another server to go to, so it pings by itself where nothing is heard, and believes in silence sooner (P30). */
  readonly probes: boolean;
}

type LinkState = 'idle' | 'connecting' | 'greeting' | 'open' | 'waiting' | 'asleep' | 'ended';

/** When to connect, when to believe that a connection is dead, and when to try again (P7, P13, P30). */
export class Link {
  state: LinkState = 'idle';
  /** Whether the server has ever welcomed this worker. */
  joined = false;
  #failures = 0;
  #heardAt: Millis = 0;
  #silence: Millis = 0;
  /** When a silence that is too long will be believed. */
  #believeAt: Millis | undefined;
  #beatEvery: Millis | undefined;
  #beatAt: Millis = 0;
  #probeAfter: Millis = Infinity;
  /** Since something was heard. */
  #hasProbed = false;
  #retryAt: Millis = 0;

  connecting(now: Millis, patience: Millis): void {
    this.state = 'connecting';
    this.heard(now);
    this.#silence = patience;
  }

  heard(now: Millis): void {
    this.#heardAt = now;
    this.#believeAt = undefined;
    this.#hasProbed = false;
  }

  welcomed(now: Millis, { silence, pingEvery, beats, probes }: Rhythm): void {
    this.state = 'open';
    this.joined = true;
    this.#failures = 0;
    this.heard(now);
    this.#silence = probes ? Math.min(silence, pingEvery + MOVE_AIR) : silence;
    this.#probeAfter = probes ? pingEvery * PROBE_SHARE : Infinity;
    this.#beatEvery = beats ? pingEvery : undefined;
    this.#beatAt = now + pingEvery;
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

  /** Whether a ping is due; it is then taken as sent. */
  takeProbe(now: Millis): boolean {
    if (this.state !== 'open' || now < this.#probeAt) return false;
    this.#hasProbed = true;
    return true;
  }

  get wakeAt(): Millis | undefined {
    if (this.state === 'waiting') return this.#retryAt;
    if (!this.connected) return undefined;
    const silent = this.#believeAt ?? this.#heardAt + this.#silence;
    if (this.state !== 'open') return silent;
    return Math.min(silent, this.#probeAt, this.#beatEvery === undefined ? Infinity : this.#beatAt);
  }

  get #probeAt(): Millis {
    return this.#hasProbed ? Infinity : this.#heardAt + this.#probeAfter;
  }
}
