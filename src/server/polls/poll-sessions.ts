import { POLL_SESSIONS } from '../../model/limits.ts';
import type { Identity } from '../peer.ts';
import { Problem } from '../problem.ts';
import { type Poll, PollSession, type Surroundings } from './poll-session.ts';

/** Those workers that speak by polls (P26), by the names that they gave their sessions. */
export class PollSessions {
  readonly #around: Surroundings;
  /** A name is good for the token that it came with, and for no other. */
  readonly #sessions = new Map<string, PollSession>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get open(): number {
    return this.#sessions.size;
  }

  /** Throws a {@link Problem}. */
  async poll(identity: Identity, name: string, poll: Poll): Promise<readonly string[]> {
    const key = `${identity.token} ${name}`;
    let session = this.#sessions.get(key);
    if (session === undefined) {
      // A worker that has been heard before is one that the server has forgotten, or that it never knew.
      if (poll.sent > 0 || poll.seen > 0)
        throw new Problem('unknown', 'this session is over, or of another server: say hello in another');
      if (this.#sessions.size >= POLL_SESSIONS) {
        throw new Problem(
          'busy',
          `${POLL_SESSIONS} workers are here by polls already: use a socket, or come back later`,
          {
            headers: { 'retry-after': '30' },
          },
        );
      }
      session = new PollSession(this.#around, identity, () => this.#sessions.delete(key));
      this.#sessions.set(key, session);
    }
    return session.poll(poll);
  }

  close(): void {
    for (const session of this.#sessions.values()) session.stop();
    this.#sessions.clear();
  }
}
