import type { Role } from '../model/records.ts';
import { BEGINS_AGAIN } from '../protocol/close.ts';
import type { Frame } from '../protocol/frames.ts';

/** One connected socket as the gateways see it: a WebSocket in a server, a modelled connection in the simulator. */
export interface Peer {
  send(frame: Frame): void;
  /** So much waits for the network that what can wait should; the connection hears `drained` when there is room. */
  readonly full?: boolean;
  /** Codes of PROTOCOL.md; nothing is sent after it. */
  close(code: number, reason: string): void;
}

/** Who is behind a socket, settled before it opened. */
export interface Identity {
  /** Id of its token. */
  readonly token: string;
  readonly role: Role;
  /** The worker subprotocol in text frames alone. */
  readonly json?: boolean;
}

/** What a gateway wants to hear of one socket. */
export interface Connection {
  /** Milliseconds of silence after which it is dead (P13); absent: as long as a worker's lease lives. */
  readonly silence?: number;
  /** A promise: too much of what came is still being dealt with, and the socket should not be read until it settles. */
  receive(frame: Frame): Promise<void> | undefined;
  /** A pong, or anything else that shows life without being a message. `roundTrip`: of a pong, in ms. */
  heard(roundTrip?: number): void;
  /** A frame came that is larger than any may be (P20); it was not read. */
  tooLarge(): void;
  /** There is room for what waited. Absent: nothing waits, and a peer that takes nothing is cut. */
  drained?(): void;
  closed(reason: string): void;
}

export interface Gateway {
  accept(peer: Peer, identity: Identity): Connection;
}

export const CloseCode = {
  restart: 1012,
  again: BEGINS_AGAIN,
  tooBig: 1009,
  invalid: 4400,
  unauthorised: 4401,
  replaced: 4409,
  upgrade: 4426,
  going: 1001,
} as const;

/** What is said where a frame was too large to be read at all. */
export const TOO_LARGE = 'a message is larger than a frame may be: larger values are blobs (PUT /v1/blobs/SHA256)';
