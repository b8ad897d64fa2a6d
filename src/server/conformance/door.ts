import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { FRAME_BYTES } from '../../model/limits.ts';
import { systemClock } from '../clock.ts';
import { answerPoll } from '../http/polls.ts';
import type { Peer } from '../peer.ts';
import type { PollSession } from '../polls/poll-session.ts';
import { PollSessions } from '../polls/poll-sessions.ts';
import { Problem, sendProblem } from '../problem.ts';
import type { Seat } from './seat.ts';
import { seatAtPolls, seatAtSocket } from './wires.ts';

const PROTOCOLS = ['manyhands.v1', 'manyhands.v1.json'];

const POLLS = /^\/v1\/worker\/polls\/([0-9a-f]{32})(?:\?|$)/;
const EXAMINED = { token: 'examined', role: 'work' } as const;

/** Where the worker that is examined connects: its socket, and the code of jobs by hash. */
export class Door {
  readonly token = `mh_${randomBytes(16).toString('hex')}`;
  /** What was wrong with a request for the socket, in one sentence. */
  readonly complaints: string[] = [];
  readonly fetched: string[] = [];
  /** What was wrong with the numbers of a poll, in one sentence each. */
  readonly gaps: string[] = [];
  /** What becomes of the next poll that brings something, or is told something: it is dropped unread, or its answer is cut. */
  accident: 'poll' | 'answer' | undefined;
  readonly #code = new Map<string, string>();
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  readonly #polls = new PollSessions({
    gateway: { accept: (peer) => this.#seatAtPolls(peer) },
    loop: { pressed: false, calm: (run) => run() },
    clock: systemClock,
  });
  readonly #seats: Seat[] = [];
  #wake: () => void = () => {};

  private constructor() {
    this.#server = createServer((request, response) => {
      const name = /^\/v1\/blobs\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1];
      const code = name === undefined ? undefined : this.#code.get(name);
      const session = POLLS.exec(request.url ?? '')?.[1];
      if (session !== undefined) void this.#answerPoll(request, response, session);
      else if (!this.#isWelcome(request)) response.writeHead(401).end();
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
        this.#seats.push(seatAtSocket(accepted));
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
    this.#polls.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #seatAtPolls(peer: Peer) {
    const { seat, connection } = seatAtPolls(peer as PollSession);
    this.#seats.push(seat);
    this.#wake();
    return connection;
  }

  async #answerPoll(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    if (!this.#isWelcome(request) || request.method !== 'POST') {
      this.#complain('its poll is no POST with "Authorization: Bearer TOKEN" and the token of the link');
      response.writeHead(401).end();
      return;
    }
    if (request.headers['content-type'] !== 'application/x-ndjson')
      this.#complain('its poll does not say "Content-Type: application/x-ndjson"');
    if (this.accident === 'poll' && request.headers['content-length'] !== '0') {
      this.accident = undefined;
      response.destroy();
      return;
    }
    const numbers = new URL(request.url as string, 'http://door').searchParams;
    const [sent, seen] = [Number(numbers.get('sent')), Number(numbers.get('seen'))];
    const transmit = (text: string) => this.#transmit(response, text);
    try {
      await answerPoll(this.#polls, { request, response, identity: EXAMINED, name, sent, seen, transmit });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'conflict') this.gaps.push(error.message);
      if (!response.destroyed) sendProblem(response, error);
    }
  }

  /** Of an answer that is to be cut one line and a half arrive. */
  #transmit(response: ServerResponse, text: string): void {
    const first = text.indexOf('\n') + 1;
    if (this.accident !== 'answer' || first === text.length) {
      response.end(text);
      return;
    }
    this.accident = undefined;
    const rest = text.indexOf('\n', first) - first;
    response.write(text.slice(0, first + rest / 2), () => response.destroy());
  }

  #complain(complaint: string): void {
    this.complaints.push(complaint);
    this.#wake();
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
