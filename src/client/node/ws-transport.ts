import type { LookupFunction, Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import { FRAME_BYTES, FRAME_FRAGMENTS, HELLO_TIME } from '../../model/limits.ts';
import type { AddressWalk } from '../../protocol/address-walk.ts';
import type { FarmServers } from '../../protocol/farm-servers.ts';
import { CLIENT_PROTOCOL } from '../../protocol/version.ts';
import type { Closing, Transport, TransportConnection, TransportListener } from '../transport.ts';
import { lookupBy } from './lookup.ts';

const GOODBYE = 1000;
const INVALID = 4400;
const UNAUTHORISED = 4401;
const UPGRADE = 4426;
const TOO_BIG = 1009;

/** WebSockets for Node. */
export class WsTransport implements Transport {
  readonly #servers: FarmServers;

  constructor(servers: FarmServers) {
    this.#servers = servers;
  }

  open(server: string, listener: TransportListener): TransportConnection {
    const url = new URL(server);
    const address = new URL('v1/client', url);
    address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const token = this.#servers.tokenOf(server);
    const walk = this.#servers.walkOf(server);
    walk.connecting();
    const options: ClientOptions & { lookup: LookupFunction } = {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES,
      maxFragments: FRAME_FRAGMENTS,
      handshakeTimeout: HELLO_TIME,
      // Frames of the protocol are checked as UTF-8 where they are read.
      skipUTF8Validation: true,
      lookup: lookupBy(walk),
      finishRequest: (request) => {
        request.once('socket', (tcp) => tcp.once('connect', () => walk.connectedTo(tcp.remoteAddress)));
        request.end();
      },
    };
    return new WsConnection(new WebSocket(address, CLIENT_PROTOCOL, options), url, walk, listener);
  }
}

class WsConnection implements TransportConnection {
  readonly #socket: WebSocket;
  readonly #walk: AddressWalk;
  #listener: TransportListener | undefined;
  #failure: Closing | undefined;
  #tcp: Socket | undefined;
  #alive = true;

  constructor(socket: WebSocket, url: URL, walk: AddressWalk, listener: TransportListener) {
    this.#socket = socket;
    this.#walk = walk;
    this.#listener = listener;
    socket.on('upgrade', (response) => {
      this.#tcp = response.socket;
      this.hold(this.#alive);
    });
    socket.on('open', () => this.#listener?.opened(walk.several));
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      // As plain bytes: values are cut out of them, and a Buffer's parts are Buffers.
      this.#listener?.frame(
        isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data.toString('utf8'),
      );
    });
    socket.on('ping', () => this.#heard());
    socket.on('pong', () => this.#heard());
    socket.on('unexpected-response', (request, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < 4096) text += chunk;
      });
      const done = (): void => {
        this.#failure ??= refusal(url, response.statusCode ?? 0, text, response.headers['retry-after']);
        request.destroy();
        socket.terminate();
      };
      response.on('end', done);
      response.on('error', done);
    });
    socket.on('error', (error: Error & { code?: string }) => {
      this.#failure ??= { reason: unreachable(url, error) };
    });
    socket.on('close', (code, reason) => {
      const listener = this.#listener;
      this.#listener = undefined;
      const why = this.#failure ?? closing(code, reason.toString('utf8'), url);
      // A refusal for good is that of the farm, whichever of its servers says so.
      listener?.closed(why.fatal === true ? why : { ...why, ...walk.failed(why.reason) });
    });
  }

  #heard(): void {
    this.#walk.worked();
    this.#listener?.heard();
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  send(frame: string | Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  close(code: number, reason: string): void {
    if (this.#listener !== undefined && code !== GOODBYE) this.#walk.failed(reason);
    this.#listener = undefined;
    if (this.#socket.readyState === WebSocket.CONNECTING) return this.#socket.terminate();
    this.#socket.close(code, reason.slice(0, 100));
    // The closing handshake is polite; a peer that does not answer it must not keep the process for 30 s.
    this.hold(false);
  }

  hold(alive: boolean): void {
    this.#alive = alive;
    if (alive) this.#tcp?.ref();
    else this.#tcp?.unref();
  }
}

function closing(code: number, reason: string, url: URL): Closing {
  const said = reason === '' ? '' : `: ${reason}`;
  if (code === UNAUTHORISED)
    return { reason: `the server at ${url.origin} no longer accepts the token${said}`, fatal: true };
  if (code === UPGRADE) return { reason: `the server at ${url.origin} speaks another version${said}`, fatal: true };
  // It would be sent again, and refused again, for ever.
  if (code === INVALID || code === TOO_BIG)
    return { reason: `the server at ${url.origin} could not read a message of this program${said}`, fatal: true };
  return { reason: `the connection to ${url.origin} ended (${code})${said}` };
}

function refusal(url: URL, status: number, body: string, retryAfter: string | undefined): Closing {
  const said = detailOf(body);
  if (status === 401) {
    return {
      reason: `the server at ${url.origin} does not accept the token${said}; make one with: manyhands token create --role submit`,
      fatal: true,
    };
  }
  if (status === 403) return { reason: `the server at ${url.origin} refused this client${said}`, fatal: true };
  const seconds = Number(retryAfter);
  if (status === 429 || status >= 500) {
    return {
      reason: `the server at ${url.origin} is not ready (HTTP ${status})${said}`,
      ...(seconds > 0 ? { retryAfter: seconds * 1000 } : {}),
    };
  }
  return {
    reason: `${url.href} does not answer like a manyhands server (HTTP ${status})${said}; check the address`,
    fatal: true,
  };
}

/** What a problem+json body says to people. */
function detailOf(body: string): string {
  try {
    const problem = JSON.parse(body) as { detail?: unknown; title?: unknown };
    const text = problem.detail ?? problem.title;
    return typeof text === 'string' ? `: ${text}` : '';
  } catch {
    return '';
  }
}

function unreachable(url: URL, error: Error & { code?: string }): string {
  if (error.code === 'ECONNREFUSED') {
    return `no server answers at ${url.origin}: start one there with "manyhands serve", or check the address`;
  }
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN')
    return `the name ${url.hostname} is not known: check the address`;
  return `the server at ${url.origin} can't be reached: ${error.message || error.code || 'unknown reason'}`;
}
