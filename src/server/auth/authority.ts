import type { IncomingMessage } from 'node:http';
import type { Role } from '../../model/records.ts';
import {
  CLIENT_PROTOCOL,
  TICKET_PROTOCOL_PREFIX,
  WORKER_PROTOCOL,
  WORKER_PROTOCOL_JSON,
} from '../../protocol/version.ts';
import type { Identity } from '../peer.ts';
import { Problem } from '../problem.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import type { OriginGuard } from './origin-guard.ts';
import { notAllowed } from './refusal.ts';
import type { Tickets } from './tickets.ts';
import type { Tokens } from './tokens.ts';

/** A request that may become a socket. */
export interface Upgrade {
  readonly gateway: 'worker' | 'client';
  readonly protocol: string;
  readonly identity: Identity;
}

interface SocketPath {
  readonly gateway: Upgrade['gateway'];
  readonly roles: readonly Role[];
  readonly protocols: readonly string[];
  /** Also for pages of other origins that the server was told of. */
  readonly lends?: boolean;
  readonly summary: string;
}

/** Everything that can be opened as a socket. */
export const SOCKETS: Readonly<Record<string, SocketPath>> = {
  '/v1/worker': {
    gateway: 'worker',
    roles: ['admin', 'work'],
    protocols: [WORKER_PROTOCOL, WORKER_PROTOCOL_JSON],
    lends: true,
    summary: 'Where devices join and work.',
  },
  '/v1/client': {
    gateway: 'client',
    roles: ['admin', 'submit', 'read'],
    protocols: [CLIENT_PROTOCOL],
    summary: 'Where programs submit jobs and read results.',
  },
};

/** Says who sends a request, before anything of it is done. */
export class Authority {
  readonly tokens: Tokens;
  readonly tickets: Tickets;
  readonly guard: OriginGuard;
  readonly #attempts: FailedAttempts;

  constructor(parts: { tokens: Tokens; tickets: Tickets; guard: OriginGuard; attempts: FailedAttempts }) {
    this.tokens = parts.tokens;
    this.tickets = parts.tickets;
    this.guard = parts.guard;
    this.#attempts = parts.attempts;
  }

  /** By the Authorization header, or by the ticket that stands for it. Throws a {@link Problem}. */
  identify(request: IncomingMessage, ticket?: { text: string; path: string }): Identity {
    const address = request.socket.remoteAddress ?? '';
    const header = request.headers.authorization;
    if (header !== undefined) {
      const [, text] = /^Bearer +(\S+)$/i.exec(header) ?? [];
      const record = text === undefined ? undefined : this.tokens.find(text);
      if (record !== undefined) return { token: record.id, role: record.role };
      throw this.#wrong(address, 'this token is not known, was revoked or has expired');
    }
    if (ticket !== undefined) {
      const identity = this.tickets.redeem(ticket.text, ticket.path);
      if (identity !== undefined) return identity;
      throw this.#wrong(address, 'this ticket was used, has expired or is for something else');
    }
    throw new Problem('unauthorised', 'send a token: Authorization: Bearer mh_…', {
      headers: { 'www-authenticate': 'Bearer realm="manyhands"' },
    });
  }

  /** Everything that must be right before the 101, so that a stranger never owns a socket. (P1, T-4) */
  authorizeUpgrade(request: IncomingMessage): Upgrade {
    const path = (request.url ?? '').split('?', 1)[0] as string;
    const socket = Object.hasOwn(SOCKETS, path) ? SOCKETS[path] : undefined;
    const refusal = this.guard.refuse(request, 'socket', socket?.lends);
    if (refusal !== undefined) throw new Problem('forbidden', refusal);
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim());
    const ticket = offered
      .find((each) => each.startsWith(TICKET_PROTOCOL_PREFIX))
      ?.slice(TICKET_PROTOCOL_PREFIX.length);
    const identity = this.identify(request, ticket === undefined ? undefined : { text: ticket, path });
    if (socket === undefined) throw new Problem('unknown', `there is no socket at ${path.slice(0, 200)}`);
    if (request.method !== 'GET') {
      throw new Problem('method', 'a socket is opened with GET', { headers: { allow: 'GET' } });
    }
    if (!socket.roles.includes(identity.role)) {
      throw new Problem('forbidden', notAllowed(identity.role, socket.roles));
    }
    const protocol = socket.protocols.find((each) => offered.includes(each));
    if (protocol === undefined) {
      throw new Problem('invalid', `offer a subprotocol of this server: ${socket.protocols.join(' or ')}`);
    }
    const json = protocol === WORKER_PROTOCOL_JSON;
    return { gateway: socket.gateway, protocol, identity: json ? { ...identity, json } : identity };
  }

  #wrong(address: string, detail: string): Problem {
    const wait = this.#attempts.failed(address);
    if (wait === 0) {
      return new Problem('unauthorised', detail, { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
    }
    const seconds = Math.ceil(wait / 1000);
    return new Problem('attempts', `${detail}; too many wrong ones came from this address: wait ${seconds} s`, {
      headers: { 'retry-after': `${seconds}`, connection: 'close' },
    });
  }
}
