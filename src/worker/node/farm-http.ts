import http from 'node:http';
import https from 'node:https';
import type { Readable, Writable } from 'node:stream';
import { WORKER_HTTP_CONNECTIONS } from '../../model/limits.ts';
import type { FarmServers } from '../../protocol/farm-servers.ts';
import { lookupBy } from './lookup.ts';

/** An exchange that failed. `final`: asking again will not help. `status`: what it was answered, if it was. */
export class HttpError extends Error {
  readonly final: boolean;
  readonly status: number | undefined;

  constructor(message: string, final: boolean, status?: number) {
    super(message);
    this.name = 'HttpError';
    this.final = final;
    this.status = status;
  }
}

/** Writes a body; false: the answer came before its end. */
export type BodyWriter = (to: Writable, answer: Promise<unknown>) => Promise<boolean>;

/** The server's HTTP side as a worker uses it: few connections that are kept alive, and bodies that stream. */
export class FarmHttp {
  readonly #servers: FarmServers;
  readonly #open = new Set<http.ClientRequest>();
  /** The worker has no server now, so that nobody could answer. */
  isAway = false;
  readonly #agents = {
    'http:': new http.Agent({
      keepAlive: true,
      maxSockets: WORKER_HTTP_CONNECTIONS,
      maxFreeSockets: WORKER_HTTP_CONNECTIONS,
    }),
    'https:': new https.Agent({
      keepAlive: true,
      maxSockets: WORKER_HTTP_CONNECTIONS,
      maxFreeSockets: WORKER_HTTP_CONNECTIONS,
    }),
  };

  constructor(servers: FarmServers) {
    this.#servers = servers;
  }

  /** The worker is with another server now: what waits for the one before would wait for long. */
  moved(): void {
    for (const request of this.#open) request.destroy(new HttpError('the worker has gone to another server', false));
  }

  close(): void {
    this.#agents['http:'].destroy();
    this.#agents['https:'].destroy();
  }

  async get(path: string): Promise<Readable> {
    return (await this.getFrom(path, 0)).body;
  }

  /** The bytes from `start` on, or from an earlier place, which is told. `size`: of the whole, where it is known. */
  async getFrom(path: string, start: number): Promise<{ body: Readable; start: number; size: number | undefined }> {
    const request = this.#request('GET', path, start > 0 ? { range: `bytes=${start}-` } : {});
    const answer = this.#answer(request);
    request.end();
    const response = await answer;
    const { statusCode, headers } = response;
    if (statusCode === 200) return { body: response, start: 0, size: lengthIn(headers['content-length']) };
    const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
    if (statusCode === 206 && from !== undefined) return { body: response, start: Number(from), size: lengthIn(size) };
    throw await refusal(response, `GET ${path}`);
  }

  /** Whether the server has the blob whole, and else how much of a cut upload it has kept. */
  async look(path: string): Promise<{ whole: boolean; kept: number }> {
    const request = this.#request('HEAD', path, {});
    const answer = this.#answer(request);
    request.end();
    const response = await answer;
    const { statusCode, headers } = response;
    if (statusCode !== 200 && statusCode !== 404) throw await refusal(response, `HEAD ${path}`);
    response.resume();
    return { whole: statusCode === 200, kept: Number(headers['upload-offset'] ?? 0) };
  }

  /** `body`: the bytes, or what writes them; it must end early where its signal says so. */
  async put(path: string, size: number, body: Buffer | BodyWriter, range?: string): Promise<void> {
    const request = this.#request('PUT', path, {
      'content-length': size,
      'content-type': 'application/octet-stream',
      ...(range !== undefined && { 'content-range': range }),
    });
    const answer = this.#answer(request);
    answer.catch(() => {});
    try {
      if (Buffer.isBuffer(body)) request.end(body);
      else if (await body(request, answer)) request.end();
      const response = await answer;
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) throw await refusal(response, `PUT ${path}`);
      response.resume();
    } finally {
      // After an answer that came before the end, nobody wants the rest: the connection is of no more use.
      if (!request.writableEnded) request.destroy();
    }
  }

  #request(method: string, path: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    const { current } = this.#servers;
    const base = new URL(current);
    const secure = base.protocol === 'https:';
    const agent = this.#agents[secure ? 'https:' : 'http:'];
    const authorization = { authorization: `Bearer ${this.#servers.tokenOf(current)}` };
    const lookup = lookupBy(this.#servers.walkOf(current));
    const options = { method, agent, headers: { ...headers, ...authorization }, timeout: QUIET, lookup };
    const request = (secure ? https : http).request(new URL(path, base), options);
    this.#open.add(request);
    request.on('close', () => this.#open.delete(request));
    request.on('timeout', () => request.destroy(new HttpError('the server fell silent', false)));
    return request;
  }

  #answer(request: http.ClientRequest): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', (error) => reject(error instanceof HttpError ? error : new HttpError(error.message, false)));
    });
  }
}

function lengthIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Milliseconds without a byte after which an exchange is given up and tried again. */
const QUIET = 30_000;

/** Refusals that pass: too early, too much, full, restarting, and a token that is being renewed. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504, 507]);

async function refusal(response: http.IncomingMessage, what: string): Promise<HttpError> {
  const { statusCode = 0 } = response;
  let detail = '';
  for await (const bytes of response) if (detail.length < 4_096) detail += bytes;
  return new HttpError(`${what} was answered ${statusCode}${problemOf(detail)}`, !passing.has(statusCode), statusCode);
}

function problemOf(body: string): string {
  try {
    const { detail, title } = JSON.parse(body) as { detail?: unknown; title?: unknown };
    return typeof (detail ?? title) === 'string' ? `: ${detail ?? title}` : '';
  } catch {
    return '';
  }
}
