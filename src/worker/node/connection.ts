import net from 'node:net';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import type { PackedColumn } from '../../model/envelope.ts';
import { FRAME_BYTES, FRAME_FRAGMENTS } from '../../model/limits.ts';
import type { AddressWalk } from '../../protocol/address-walk.ts';
import { BEGINS_AGAIN } from '../../protocol/close.ts';
import { decodeServerToWorker, encodeFrame } from '../../protocol/frames.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import { WORKER_PROTOCOL } from '../../protocol/version.ts';
import type { WorkerMessage } from '../../protocol/worker-messages.ts';
import type { ConnectionEvents, WorkerSocket } from '../driver.ts';
import { lookupBy } from './lookup.ts';

/** A normal end. */
const GOODBYE = 1000;

export class Connection implements WorkerSocket {
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  readonly #walk: AddressWalk;
  #raw: net.Socket | undefined;
  #corked = false;
  #over = false;
  #refusal: { reason: string; retryAfter?: number } | undefined;

  constructor(base: URL, token: string, walk: AddressWalk, events: ConnectionEvents) {
    this.#events = events;
    this.#walk = walk;
    walk.connecting();
    const lookup = lookupBy(walk);
    const url = new URL('/v1/worker', base);
    const secure = base.protocol === 'https:';
    url.protocol = secure ? 'wss:' : 'ws:';
    this.#socket = new WebSocket(url, WORKER_PROTOCOL, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES,
      maxFragments: FRAME_FRAGMENTS,
      followRedirects: false,
      createConnection: ((options: tls.ConnectionOptions & net.NetConnectOpts) => {
        this.#raw = secure
          ? tls.connect({ ...options, lookup, servername: net.isIP(base.hostname) ? '' : base.hostname })
          : net.connect({ ...options, lookup });
        const raw = this.#raw;
        raw.once('connect', () => walk.connectedTo(raw.remoteAddress));
        raw.setNoDelay(true);
        return raw;
      }) as typeof net.createConnection,
    });
    this.#socket.on('open', () => this.#unlessOver(() => events.connected(walk.several)));
    this.#socket.on('ping', () => this.#unlessOver(() => this.#heard()));
    this.#socket.on('pong', () => this.#unlessOver(() => this.#heard()));
    this.#socket.on('message', (data, binary) => this.#unlessOver(() => this.#message(data as Buffer, binary)));
    this.#socket.on('unexpected-response', (_request, response) => this.#unexpected(response));
    this.#socket.on('error', (error) => {
      this.#refusal ??= { reason: describe(error, base) };
    });
    this.#socket.on('close', (code, reason) =>
      this.#unlessOver(() => {
        this.#over = true;
        const { reason: why, retryAfter } = this.#refusal ?? { reason: closing(code, reason.toString()) };
        if (code === BEGINS_AGAIN) return events.disconnected(why, { another: true });
        const { another, reason: said } = walk.failed(why);
        events.disconnected(said, { another, ...(retryAfter !== undefined && { retryAfter }) });
      }),
    );
  }

  send(message: WorkerMessage, column?: PackedColumn): void {
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#cork();
    this.#socket.send(encodeFrame(message, column));
  }

  /** Frames of one turn of the event loop leave in one write. */
  #cork(): void {
    const raw = this.#raw;
    if (this.#corked || raw === undefined) return;
    this.#corked = true;
    raw.cork();
    process.nextTick(() => {
      this.#corked = false;
      raw.uncork();
    });
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    if (code !== GOODBYE) this.#walk.failed(reason);
    // A control frame holds at most 123 bytes of reason.
    this.#socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString('utf8')
        .replace(/\uFFFD$/u, ''),
    );
    // A dead peer never answers the close; the socket must not linger for it.
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  ping(): void {
    if (!this.#over && this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #heard(): void {
    this.#walk.worked();
    this.#events.heard();
  }

  #unlessOver(tell: () => void): void {
    if (!this.#over) tell();
  }

  #message(data: Buffer, binary: boolean): void {
    try {
      const { message, column } = decodeServerToWorker(binary ? data : data.toString());
      this.#events.message(message, column);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#events.garbage(error.message);
    }
  }

  /** An answer other than 101: the token, the path or the version is wrong, or the server is busy. */
  #unexpected(response: import('node:http').IncomingMessage): void {
    const { statusCode = 0, headers } = response;
    const seconds = Number(headers['retry-after']);
    response.resume();
    this.#refusal = {
      reason: refusals[statusCode] ?? `the server answered ${statusCode} instead of opening a connection`,
      ...(seconds > 0 && { retryAfter: seconds * 1_000 }),
    };
    this.#socket.terminate();
  }
}

const refusals: Readonly<Record<number, string>> = {
  400: 'the server speaks none of the protocol versions that this worker speaks',
  401: 'the server does not know the token (401): get a new join link from its owner',
  403: 'the token does not allow to join as a worker (403): get a join link from its owner',
  404: 'there is something at this address, but no manyhands server (404)',
  429: 'the server is busy (429)',
  503: 'the server is busy (503)',
};

function describe(error: Error & { code?: string }, base: URL): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return `nothing listens at ${base.host}: is the server running?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${base.hostname} cannot be found`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${base.host} cannot be reached`;
    default:
      return error.message === '' ? String(error.code ?? 'the connection failed') : error.message;
  }
}

function closing(code: number, reason: string): string {
  if (reason !== '') return `the server closed the connection: ${reason} (${code})`;
  return code === 1006 ? 'the connection was cut' : `the server closed the connection (${code})`;
}
