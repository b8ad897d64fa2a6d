import { FAILED_ADDRESSES, FAILED_ATTEMPTS, FAILED_ATTEMPTS_TIME } from '../../model/limits.ts';
import type { Clock } from '../clock.ts';

/**
 * Counts wrong tokens by address. A right token is never refused for the sake of wrong ones: many workers may live behind
 * one address, and 256 bits are not guessed at any rate. The limit keeps a guesser from filling the log. (T-27)
 */
export class FailedAttempts {
  readonly #clock: Clock;
  readonly #counts = new Map<string, { count: number; since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one more and returns the milliseconds to wait, 0 while the address is within its limit. */
  failed(address: string): number {
    const name = networkOf(address);
    const now = this.#clock.now();
    let entry = this.#counts.get(name);
    if (entry === undefined || now - entry.since >= FAILED_ATTEMPTS_TIME) {
      this.#counts.delete(name);
      entry = { count: 0, since: now };
      this.#counts.set(name, entry);
      if (this.#counts.size > FAILED_ADDRESSES) this.#forgetOldest();
    }
    entry.count++;
    return entry.count <= FAILED_ATTEMPTS ? 0 : entry.since + FAILED_ATTEMPTS_TIME - now;
  }

  #forgetOldest(): void {
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined) this.#counts.delete(oldest);
  }
}

/** One owner has a whole /64 of IPv6 addresses; an IPv4 address in IPv6 clothes is itself. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (mapped !== null) return mapped[1] as string;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const ending = tail === undefined || tail === '' ? [] : tail.split(':');
  while (tail !== undefined && groups.length + ending.length < 8) groups.push('0');
  groups.push(...ending);
  return groups.slice(0, 4).join(':');
}
