import type { Frame } from '../protocol/frames.ts';

/**
 * The one seam between the SDK and a platform's sockets: Node by `ws` with an Authorization header, browsers by their
 * WebSocket with a ticket.
 */
export interface Transport {
  /** Starts to connect to one of the farm's servers. Nothing is said to `listener` before this returns, and nothing after `closed`. */
  open(server: string, listener: TransportListener): TransportConnection;
}

export interface TransportListener {
  /** `others`: the name of the server stands for further ones. */
  opened(others?: boolean): void;
  frame(frame: Frame): void;
  /** The server is alive, without a message: a ping. */
  heard(): void;
  closed(closing: Closing): void;
}

export interface TransportConnection {
  send(frame: Frame): void;
  /** Nothing more is heard of it. */
  close(code: number, reason: string): void;
  /** Whether this connection alone keeps the process alive. */
  hold(alive: boolean): void;
  /** Only where the answer of the server is told as `heard`. */
  ping?(): void;
}

export interface Closing {
  /** One sentence. */
  readonly reason: string;
  /** Trying again is of no use: the token is refused, or there is no such server. */
  readonly fatal?: boolean;
  /** Milliseconds that the server asked for. */
  readonly retryAfter?: number;
  /** The name of this server has another address, which was not tried yet. */
  readonly another?: boolean;
}
