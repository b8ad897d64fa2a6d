import type { Frame } from '../protocol/frames.ts';

/** One connected socket as the gateways see it: a WebSocket in a server, a modelled connection in the simulator. */
export interface Peer {
  send(frame: Frame): void;
  /** Codes of PROTOCOL.md; nothing is sent after it. */
  close(code: number, reason: string): void;
}

/** Who is behind a socket, settled before it opened. */
export interface Identity {
  /** Id of its token. */
  readonly token: string;
  readonly role: 'admin' | 'submit' | 'work' | 'read';
  /** The worker subprotocol in text frames alone. */
  readonly json?: boolean;
}

/** What a gateway wants to hear of one socket. */
export interface Connection {
  receive(frame: Frame): void;
  /** A pong, or anything else that shows life without being a message. */
  heard(): void;
  closed(reason: string): void;
}

export interface Gateway {
  accept(peer: Peer, identity: Identity): Connection;
}

export const CloseCode = {
  restart: 1012,
  tooBig: 1009,
  invalid: 4400,
  unauthorised: 4401,
  replaced: 4409,
  upgrade: 4426,
  going: 1001,
} as const;
