import type { TokenEnd } from './auth/tokens.ts';
import { ClientConnection } from './client-connection.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { CloseCode, type Connection, type Gateway, type Identity, type Peer } from './peer.ts';

/** All client sockets: what ends them together stands here, what each asks in its connection. */
export class ClientGateway implements Gateway {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #connections = new Set<ClientConnection>();

  constructor(core: Core, clock: Clock) {
    this.#core = core;
    this.#clock = clock;
    // They ask for all of it again, and hear what is there no more.
    core.onRewound.push(() => this.close(CloseCode.restart, 'the database may have lost what it had written last'));
  }

  get connected(): number {
    return this.#connections.size;
  }

  accept(peer: Peer, identity: Identity): Connection {
    const connection = new ClientConnection(this.#core, this.#clock, peer, identity, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    return connection;
  }

  close(code: number, reason: string): void {
    for (const connection of [...this.#connections]) connection.end(code, reason);
  }

  /** Cut what a token opened that was revoked or has expired (P19). */
  cut(token: string, why: TokenEnd): void {
    for (const connection of [...this.#connections]) {
      if (connection.identity.token === token) connection.end(CloseCode.unauthorised, `it ${why}`);
    }
  }
}
