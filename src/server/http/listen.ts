import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  FRAME_BYTES,
  FRAME_FRAGMENTS,
  HEADERS_TIME,
  KEEP_ALIVE_TIME,
  RESERVED_DESCRIPTORS,
} from '../../model/limits.ts';
import type { Authority, Upgrade } from '../auth/authority.ts';
import { Problem } from '../problem.ts';
import { FarmSocket } from '../sockets.ts';
import { refuse, refuseGarbage } from './bare-refusal.ts';
import { problemOf } from './failure.ts';
import type { Router } from './router.ts';
import { Strangers } from './strangers.ts';

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
  const chosen = new WeakMap<IncomingMessage, Upgrade>();
  const sockets = createSockets((request) => chosen.get(request)?.protocol);
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

/** What of HTTP becomes a WebSocket, within its limits. (T-13) */
function createSockets(protocolOf: (request: IncomingMessage) => string | undefined): WebSocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    WebSocket: FarmSocket,
    clientTracking: false,
    maxPayload: FRAME_BYTES,
    maxFragments: FRAME_FRAGMENTS,
    maxBufferedChunks: 1_024,
    perMessageDeflate: false,
    handleProtocols: (_, request) => protocolOf(request) ?? false,
  });
  sockets.on('wsClientError', (error, socket) =>
    refuse(socket, new Problem('invalid', `no WebSocket: ${error.message}`)),
  );
  return sockets;
}

async function closeServer(server: Server, patience: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), patience);
  await closed;
  clearTimeout(timer);
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
