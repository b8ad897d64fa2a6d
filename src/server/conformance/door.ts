import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { FRAME_BYTES } from '../../model/limits.ts';
import { Seat } from './seat.ts';

const PROTOCOLS = ['manyhands.v1', 'manyhands.v1.json'];

/** Where the worker that is examined connects: its socket, and the code of jobs by hash. */
export class Door {
  readonly token = `mh_${randomBytes(16).toString('hex')}`;
  /** What was wrong with a request for the socket, in one sentence. */
  readonly complaints: string[] = [];
  readonly fetched: string[] = [];
  readonly #code = new Map<string, string>();
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  readonly #seats: Seat[] = [];
  #wake: () => void = () => {};

  private constructor() {
    this.#server = createServer((request, response) => {
      const name = /^\/v1\/blobs\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1];
      const code = name === undefined ? undefined : this.#code.get(name);
      if (!this.#isWelcome(request)) response.writeHead(401).end();
      else if (request.method !== 'GET' || name === undefined || code === undefined) response.writeHead(404).end();
      else {
        this.fetched.push(name);
        response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(code);
      }
    });
    this.#server.on('upgrade', (request, socket, head) => {
      const complaint = this.#complaint(request);
      if (complaint !== undefined) {
        this.complaints.push(complaint);
        socket.on('error', () => {});
        this.#wake();
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
        this.#seats.push(new Seat(accepted));
        this.#wake();
      });
    });
  }

  static async open(host: string, port: number): Promise<Door> {
    const door = new Door();
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', reject);
      door.#server.listen(port, host, resolve);
    });
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Its hash, by which it can be fetched. */
  keep(code: string): string {
    const sha256 = createHash('sha256').update(code).digest('hex');
    this.#code.set(sha256, code);
    return sha256;
  }

  /** The next connection; undefined: none came in time, or what came was no worker's. */
  async next(millis: number): Promise<Seat | undefined> {
    const end = performance.now() + millis;
    while (this.#seats.length === 0 && this.complaints.length === 0 && performance.now() < end) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, Math.max(1, end - performance.now())).unref();
      });
    }
    return this.#seats.shift();
  }

  close(): void {
    for (const client of this.#sockets.clients) client.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #isWelcome({ headers }: IncomingMessage): boolean {
    return headers.authorization === `Bearer ${this.token}`;
  }

  #complaint(request: IncomingMessage): string | undefined {
    if (request.url !== '/v1/worker') return `it asked for ${request.url}, not for /v1/worker`;
    if (!this.#isWelcome(request)) return 'it did not send "Authorization: Bearer TOKEN" with the token of the link';
    const offered = `${request.headers['sec-websocket-protocol'] ?? ''}`.split(',').map((name) => name.trim());
    if (offered.some((name) => PROTOCOLS.includes(name))) return undefined;
    return `it offers the subprotocol ${offered.join(', ') || '(none)'}, not ${PROTOCOLS.join(' or ')}`;
  }
}
