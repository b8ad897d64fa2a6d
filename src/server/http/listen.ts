import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
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
  server.on('connection', (socket: Socket) => strangers.arrived(socket));
  server.on('request', (request, response) => void router.handle(request, response));
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    void router.handle(request, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => refuseGarbage(error, socket));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    try {
      const upgrade = authority.authorizeUpgrade(request);
      strangers.known(request.socket);
      chosen.set(request, upgrade);
      sockets.handleUpgrade(request, socket, head, (webSocket) => open(webSocket, upgrade));
    } catch (error) {
      refuseUpgrade(socket, problemOf(error) ?? new Problem('internal', 'the server made a mistake'));
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

function refuseUpgrade(socket: Duplex, problem: Problem): void {
  const text = `${JSON.stringify(problem.body)}\n`;
  const headers = { ...problem.headers, connection: 'close', 'content-type': 'application/problem+json' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${problem.status} Refused\r\n${lines.join('')}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** What is not HTTP gets one line and is cut; a head that takes too long is told so. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
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
