import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  FRAME_BYTES,
  FRAME_FRAGMENTS,
  HEADERS_TIME,
  KEEP_ALIVE_TIME,
  RESERVED_DESCRIPTORS,
  STRANGERS_PER_ADDRESS,
} from '../../model/limits.ts';
import type { Authority, Upgrade } from '../auth/authority.ts';
import { networkOf } from '../auth/failed-attempts.ts';
import { Problem } from '../problem.ts';
import { FarmSocket } from '../sockets.ts';
import { problemOf } from './failure.ts';
import type { Router } from './router.ts';

export interface Listener {
  readonly server: Server;
  /** Connections that are open, HTTP and sockets. */
  connections(): Promise<number>;
  /** Stops accepting; resolves when every connection has gone or was cut after `patience` milliseconds. */
  close(patience: number): Promise<void>;
}

/** The one port: HTTP requests go to the router, authorised upgrades to `open`. */
export function createListener(parts: {
  router: Router;
  authority: Authority;
  open: (socket: WebSocket, upgrade: Upgrade) => void;
}): Listener {
  const { router, authority, open } = parts;
  const server = createServer({
    headersTimeout: HEADERS_TIME,
    // Bodies have their own clocks: a JSON body its deadline, an upload its least rate.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIME,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 16 * 1024,
    // The guard looks at Host itself, so that every refusal reads the same.
    requireHostHeader: false,
    highWaterMark: 256 * 1024,
    // Who offers another protocol, such as HTTP/2, is answered in this one.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.maxConnections = mostConnections();
  const strangers = new Strangers();
  router.onKnown = (request) => strangers.known(request.socket);
  const sockets = new WebSocketServer({
    noServer: true,
    WebSocket: FarmSocket,
    clientTracking: false,
    maxPayload: FRAME_BYTES,
    maxFragments: FRAME_FRAGMENTS,
    maxBufferedChunks: 1_024,
    perMessageDeflate: false,
    handleProtocols: (_, request) => chosen.get(request)?.protocol ?? false,
  });
  const chosen = new WeakMap<IncomingMessage, Upgrade>();
  /** The newest answer of each connection. */
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('connection', (socket: Socket) => strangers.arrived(socket));
  const handle = (waits: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    answers.set(request.socket, response);
    void router.handle(request, response, waits);
  };
  server.on('request', handle(false));
  server.on('checkContinue', handle(true));
  // What else may be expected we do not know, and need not heed.
  server.on('checkExpectation', handle(false));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const answer = answers.get(socket);
    // Nothing may be written into an answer that has begun.
    if (answer?.headersSent && !answer.writableFinished) socket.destroy();
    else refuseGarbage(error, socket);
  });
  sockets.on('wsClientError', (error, socket) =>
    refuse(socket, new Problem('invalid', `no WebSocket: ${error.message}`)),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    // Sent behind a request whose answer is still under way: nothing may be written into that.
    if (answers.get(socket)?.writableFinished === false) {
      socket.destroy();
      return;
    }
    try {
      const upgrade = authority.authorizeUpgrade(request);
      strangers.known(request.socket);
      chosen.set(request, upgrade);
      sockets.handleUpgrade(request, socket, head, (webSocket) => open(webSocket, upgrade));
    } catch (error) {
      refuse(socket, problemOf(error) ?? new Problem('internal', 'the server made a mistake'));
    }
  });
  return {
    server,
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count ?? 0))),
    close: (patience) => closeServer(server, patience),
  };
}

async function closeServer(server: Server, patience: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), patience);
  await closed;
  clearTimeout(timer);
}

/** Connections of each address that have not shown a valid token yet. (T-28) */
class Strangers {
  readonly #counts = new Map<string, number>();
  readonly #strange = new WeakMap<Socket, string>();

  arrived(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const count = (this.#counts.get(network) ?? 0) + 1;
    if (count > STRANGERS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    this.#counts.set(network, count);
    this.#strange.set(socket, network);
    socket.once('close', () => this.known(socket));
  }

  known(socket: Socket): void {
    const network = this.#strange.get(socket);
    if (network === undefined) return;
    this.#strange.delete(socket);
    const left = (this.#counts.get(network) ?? 1) - 1;
    if (left === 0) this.#counts.delete(network);
    else this.#counts.set(network, left);
  }
}

/** An answer on a connection that has no request any more, or none yet, and its end. */
function refuse(socket: Duplex, problem: Problem): void {
  const text = `${JSON.stringify(problem.body)}\n`;
  const headers = {
    ...problem.headers,
    connection: 'close',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  );
}

/** What is not HTTP is told so and cut; so is a head that takes too long, or is too long. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuse(socket, new Problem('timeout', 'the request took too long'));
  else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, new Problem('headers', 'the headers are too large'));
  else refuse(socket, new Problem('invalid', 'this is not HTTP/1.1'));
}

/** As many as the process may open, less some for the store. Above that new ones are refused and the others served. (F-35) */
function mostConnections(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    if (soft !== undefined) return Math.max(16, Number(soft) - RESERVED_DESCRIPTORS);
  } catch {
    // Not Linux.
  }
  return 50_000;
}
