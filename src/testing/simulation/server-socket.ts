import { EventEmitter } from 'node:events';
import type { Frame } from '../../protocol/frames.ts';
import type { Item } from './way.ts';

/** As the library numbers them. */
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** What the socket needs of its link. */
export interface ServerSide {
  /** Bytes that the network has not taken. */
  readonly waiting: number;
  frame(frame: Frame, gone: (() => void) | undefined): void;
  ping(): void;
  /** Says that it closes; the other side answers. */
  close(reason: string): void;
  /** Is gone at once. */
  cut(): void;
}

/**
 * The server's end of a link: it looks to the server like a WebSocket of the library `ws`, with as much of it as
 * `attachSocket` uses, so that pings, silence and backpressure are the server's own.
 */
export class ServerSocket extends EventEmitter {
  readyState = OPEN;
  isPaused = false;
  readonly #side: ServerSide;
  /** What came while it was not read. */
  #unread: Item[] = [];

  constructor(side: ServerSide) {
    super();
    this.#side = side;
  }

  get bufferedAmount(): number {
    return this.#side.waiting;
  }

  send(frame: Frame, gone?: () => void): void {
    if (this.readyState === OPEN) this.#side.frame(frame, gone);
  }

  ping(): void {
    if (this.readyState === OPEN) this.#side.ping();
  }

  close(_code: number, reason: string): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSING;
    this.#side.close(reason);
  }

  terminate(): void {
    if (this.readyState === CLOSED) return;
    this.#side.cut();
    this.end('terminated');
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const unread = this.#unread;
    this.#unread = [];
    for (const item of unread) this.take(item);
  }

  /** Something came from the node. */
  take(item: Item): void {
    if (this.readyState === CLOSED) return;
    if (this.isPaused) this.#unread.push(item);
    else if (item.kind === 'frame') this.emit('message', item.frame, typeof item.frame !== 'string');
    else if (item.kind === 'pong') this.emit('pong');
    else if (item.kind === 'close') this.end(item.reason);
  }

  end(reason: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.emit('close', 1006, Buffer.from(reason));
  }
}
