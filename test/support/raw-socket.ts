import { WebSocket } from 'ws';
import type { PackedColumn } from '../../src/model/envelope.ts';
import { encodeFrame, splitFrame } from '../../src/protocol/frames.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { waitFor } from './wait.ts';

/** One message, as it lay on the wire. */
export interface Heard {
  readonly kind: string;
  readonly [field: string]: unknown;
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Where a server listens, and the tokens that open it. */
export interface Listening {
  readonly url: string;
  readonly admin: string;
  readonly work: string;
}

/** A socket that says exactly what a test tells it to, and keeps what it hears. */
export class RawSocket {
  readonly socket: WebSocket;
  readonly heard: Heard[] = [];
  /** Of those that came with a column, by their place in `heard`. */
  readonly columns = new Map<Heard, PackedColumn>();
  bytes = 0;
  readonly closed: Promise<Closing>;
  closing: Closing | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.closing = { code, reason: reason.toString() };
        resolve(this.closing);
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data: Buffer, binary) => {
      this.bytes += data.length;
      const { json, column } = splitFrame(binary ? data : data.toString());
      this.heard.push(json as Heard);
      if (column !== undefined) this.columns.set(json as Heard, column);
    });
  }

  static async open(
    t: Cleanup,
    server: Listening,
    path: '/v1/worker' | '/v1/client',
    protocol: string | string[],
    token: string | undefined = path === '/v1/worker' ? server.work : server.admin,
  ): Promise<RawSocket> {
    const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, protocol, { headers });
    const raw = new RawSocket(socket);
    cleanUp(t, () => socket.terminate());
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_, response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () => reject(new RefusedUpgrade(response.statusCode ?? 0, text)));
      });
      socket.once('error', reject);
    });
    return raw;
  }

  say(message: { readonly kind: string; readonly [field: string]: unknown }, column?: PackedColumn): void {
    this.socket.send(encodeFrame(message, column));
  }

  raw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  of(kind: string): Heard[] {
    return this.heard.filter((message) => message.kind === kind);
  }

  /** Waits for so many messages of a kind; returns the last of them. */
  async hears(kind: string, count = 1, timeout = 60_000): Promise<Heard> {
    await waitFor(() => this.of(kind).length >= count, { what: `${count} ${kind}, of ${this.kinds()}`, timeout });
    return this.of(kind)[count - 1] as Heard;
  }

  async hearsThat(what: string, test: (message: Heard) => boolean): Promise<Heard> {
    return waitFor(() => this.heard.find(test), { what: `${what}, of ${this.kinds()}`, timeout: 60_000 });
  }

  kinds(): string {
    return this.heard.map(({ kind }) => kind).join(' ');
  }
}

/** The server answered something other than 101. */
export class RefusedUpgrade extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}
