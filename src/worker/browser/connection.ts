import type { PackedColumn } from '../../model/envelope.ts';
import { encodeFrame, splitFrame } from '../../protocol/binary-frames.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import { TICKET_PROTOCOL_PREFIX, WORKER_PROTOCOL } from '../../protocol/version.ts';
import type { ServerToWorker, WorkerMessage } from '../../protocol/worker-messages.ts';
import type { ConnectionEvents, WorkerSocket } from '../driver.ts';
import type { FarmHttp } from './farm-http.ts';
import { HttpError } from './farm-http.ts';

const PATH = '/v1/worker';

/** Codes that a page may close with; others are the browser's own. */
const mayBeSaid = (code: number): boolean => code === 1000 || (code >= 3000 && code <= 4999);

/**
 * A connection of a page. The browser answers the server's pings by itself and does not show them. Shapes of messages are
 * not checked here, which would take a library and `eval`: the server that sends them is the one that this code trusts
 * with the device.
 */
export class Connection implements WorkerSocket {
  readonly #events: ConnectionEvents;
  #socket: WebSocket | undefined;
  #over = false;

  constructor(base: URL, http: FarmHttp, events: ConnectionEvents) {
    this.#events = events;
    void http.ticket(PATH).then(
      (ticket) => this.#open(base, ticket),
      (error: Error) => this.#end(reasonOf(error), error instanceof HttpError ? error.retryAfter : undefined),
    );
  }

  send(message: WorkerMessage, column?: PackedColumn): void {
    if (this.#over || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(encodeFrame(message, column) as string | Uint8Array<ArrayBuffer>);
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    // A reason has at most 123 bytes.
    this.#socket?.close(mayBeSaid(code) ? code : 1000, reason.slice(0, 40));
  }

  #open(base: URL, ticket: string): void {
    if (this.#over) return;
    const url = new URL(PATH, base);
    url.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, [WORKER_PROTOCOL, `${TICKET_PROTOCOL_PREFIX}${ticket}`]);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => this.#unlessOver(() => this.#events.connected()));
    socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) =>
      this.#unlessOver(() => this.#message(typeof data === 'string' ? data : new Uint8Array(data))),
    );
    socket.addEventListener('close', ({ code, reason }) => this.#end(closing(code, reason)));
    this.#socket = socket;
  }

  #unlessOver(tell: () => void): void {
    if (!this.#over) tell();
  }

  #end(reason: string, retryAfter?: number): void {
    this.#unlessOver(() => {
      this.#over = true;
      this.#events.disconnected(reason, retryAfter === undefined ? {} : { retryAfter });
    });
  }

  #message(frame: string | Uint8Array): void {
    try {
      const { json, column } = splitFrame(frame);
      const kind = (json as { kind?: unknown } | null)?.kind;
      if (typeof kind !== 'string') throw new ProtocolError('invalid', 'a message has no kind');
      this.#events.message(json as ServerToWorker, column);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#events.garbage(error.message);
    }
  }
}

function reasonOf(error: Error): string {
  if (/ 401/.test(error.message)) return 'the server does not know the token: get a new join link from its owner';
  if (/ 403/.test(error.message)) return `the server refuses this page: ${error.message}`;
  return error.message;
}

function closing(code: number, reason: string): string {
  if (reason !== '') return `the server closed the connection: ${reason} (${code})`;
  return code === 1006 ? 'the connection was cut' : `the server closed the connection (${code})`;
}
