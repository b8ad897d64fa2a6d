import { randomBytes } from 'node:crypto';
import { TICKET_TIME, TICKETS } from '../../model/limits.ts';
import type { Clock } from '../clock.ts';
import type { Identity } from '../peer.ts';

/**
 * What a browser uses where it cannot send headers: a socket, a download. Good for one request of one path, for 30 s, with
 * the rights of who asked for it. (T-4, T-32)
 */
export class Tickets {
  readonly #clock: Clock;
  readonly #open = new Map<string, { identity: Identity; path: string; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: too many are open. */
  issue(identity: Identity, path: string): string | undefined {
    this.#sweep();
    if (this.#open.size >= TICKETS) return undefined;
    const ticket = randomBytes(24).toString('base64url');
    this.#open.set(ticket, { identity, path, until: this.#clock.now() + TICKET_TIME });
    return ticket;
  }

  /** Whatever comes of it, the ticket is used up. */
  redeem(ticket: string, path: string): Identity | undefined {
    const known = this.#open.get(ticket);
    this.#open.delete(ticket);
    if (known === undefined || known.until <= this.#clock.now() || known.path !== path) return undefined;
    return known.identity;
  }

  /** Tickets of a revoked token die with it. */
  cut(token: string): void {
    for (const [ticket, { identity }] of this.#open) if (identity.token === token) this.#open.delete(ticket);
  }

  /** All live equally long, so the oldest come first. */
  #sweep(): void {
    const now = this.#clock.now();
    for (const [ticket, { until }] of this.#open) {
      if (until > now) return;
      this.#open.delete(ticket);
    }
  }
}
