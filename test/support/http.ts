import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { within } from './wait.ts';

/** A request as it goes over the wire: nothing is added to it but Host and what frames the body. */
export interface Asked {
  method?: string;
  path: string;
  token?: string;
  /** A list is sent as it is: name, value, name, value; so that a header may be there twice, or Host not at all. */
  headers?: Record<string, string> | readonly string[];
  /** An iterable goes out part by part, without a length. */
  body?: string | Uint8Array | AsyncIterable<Uint8Array | string>;
  /** A loopback address to come from: to the server another machine. */
  from?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body's JSON; fails where it is none. */
  readonly json: unknown;
  /** The answer's socket stayed a socket: 101. */
  readonly upgraded: Duplex | undefined;
}

const TIMEOUT = 20_000;
const agents = new Map<string, Agent>();

function agentFrom(from: string): Agent {
  let agent = agents.get(from);
  if (agent === undefined)
    agents.set(from, (agent = new Agent({ keepAlive: true, maxSockets: 8, localAddress: from })));
  return agent;
}

/** One request and its whole answer. */
export async function ask(port: number, asked: Asked): Promise<Answer> {
  const begun = await begin(port, asked);
  const parts: Buffer[] = [];
  const what = `the answer to ${asked.method ?? 'GET'} ${asked.path}`;
  if (begun.upgraded === undefined) {
    const reading = (async () => {
      for await (const part of begun.message) parts.push(part as Buffer);
    })();
    await within(reading, TIMEOUT, what);
  }
  const body = Buffer.concat(parts);
  return {
    status: begun.message.statusCode ?? 0,
    headers: begun.message.headers,
    body,
    upgraded: begun.upgraded,
    get text() {
      return body.toString('utf8');
    },
    get json() {
      return JSON.parse(body.toString('utf8')) as unknown;
    },
  };
}

/** One request and the beginning of its answer: for streams. Destroy the message to leave early. */
export async function begin(port: number, asked: Asked): Promise<{ message: IncomingMessage; upgraded?: Duplex }> {
  const { method = 'GET', path, token, headers = {}, body, from = '127.0.0.1' } = asked;
  const answered = Promise.withResolvers<{ message: IncomingMessage; upgraded?: Duplex }>();
  const listed = Array.isArray(headers);
  const own = token === undefined ? [] : ['authorization', `Bearer ${token}`];
  const framed =
    typeof body === 'string' || body instanceof Uint8Array ? ['content-length', `${Buffer.byteLength(body)}`] : [];
  const chunked = body !== undefined && framed.length === 0 ? ['transfer-encoding', 'chunked'] : [];
  const given = listed ? headers : Object.entries(headers).flat();
  const host = listed ? [] : ['host', `127.0.0.1:${port}`];
  const outgoing = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: agentFrom(from),
    setHost: false,
    headers: [...host, ...own, ...framed, ...chunked, ...given],
  });
  outgoing.on('response', (message) => answered.resolve({ message }));
  outgoing.on('upgrade', (message, upgraded) => answered.resolve({ message, upgraded }));
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    // A connection that was kept may be closed by the server just as it is used again: that is no answer to this request.
    if (outgoing.reusedSocket && error.code === 'ECONNRESET' && chunked.length === 0)
      begin(port, asked).then(answered.resolve, answered.reject);
    else answered.reject(error);
  });
  void send(outgoing, body);
  return await within(answered.promise, TIMEOUT, `an answer to ${method} ${path}`);
}

async function send(outgoing: ReturnType<typeof request>, body: Asked['body']): Promise<void> {
  try {
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      outgoing.end(body);
      return;
    }
    for await (const part of body) if (outgoing.writable) outgoing.write(part);
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error as Error);
  }
}

/** A bare connection: writes bytes as they are, and has all that came back. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #text = '';
  #over = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => (this.#text += text));
    // Being cut is an answer like any other.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#over = true;
        resolve();
      }),
    );
  }

  static async open(port: number, options: { from?: string; allowHalfOpen?: boolean } = {}): Promise<Wire> {
    const { from = '127.0.0.1', allowHalfOpen = false } = options;
    const wire = new Wire(connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen }));
    await within(
      new Promise<void>((resolve, reject) => {
        wire.socket.once('connect', resolve);
        wire.socket.once('error', reject);
      }),
      TIMEOUT,
      'a connection',
    );
    return wire;
  }

  get text(): string {
    return this.#text;
  }

  get isOpen(): boolean {
    return !this.#over;
  }

  /** The status of the first answer so far; 0: none. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#text)?.[1] ?? 0);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Waits until the server has closed, and gives all that it said. */
  async end(timeout = TIMEOUT): Promise<string> {
    await within(this.closed, timeout, 'the end of a connection');
    return this.#text;
  }

  close(): void {
    this.socket.destroy();
  }
}
