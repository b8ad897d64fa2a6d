import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { WORKER_HTTP_CONNECTIONS } from '../../model/limits.ts';

/** An exchange that failed. `final`: asking again will not help. */
export class HttpError extends Error {
  readonly final: boolean;

  constructor(message: string, final: boolean) {
    super(message);
    this.name = 'HttpError';
    this.final = final;
  }
}

/** The server's HTTP side as a worker uses it: few connections that are kept alive, and bodies that stream. */
export class FarmHttp {
  readonly #base: () => URL;
  readonly #token: string;
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

  /** `base`: the server that the worker is connected to, or was last. */
  constructor(base: () => URL, token: string) {
    this.#base = base;
    this.#token = token;
  }

  close(): void {
    this.#agents['http:'].destroy();
    this.#agents['https:'].destroy();
  }

  async get(path: string): Promise<Readable> {
    const request = this.#request('GET', path, {});
    const answer = this.#answer(request);
    request.end();
    const response = await answer;
    if (response.statusCode === 200) return response;
    throw await refusal(response, `GET ${path}`);
  }

  async put(path: string, size: number, body: Readable | Buffer): Promise<void> {
    const request = this.#request('PUT', path, { 'content-length': size, 'content-type': 'application/octet-stream' });
    const answer = this.#answer(request);
    if (Buffer.isBuffer(body)) request.end(body);
    else {
      body.on('error', ({ message }) => request.destroy(new HttpError(`its file can't be read: ${message}`, true)));
      answer.catch(() => body.destroy());
      body.pipe(request);
    }
    const response = await answer;
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300) {
      response.resume();
      return;
    }
    throw await refusal(response, `PUT ${path}`);
  }

  #request(method: string, path: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    const base = this.#base();
    const secure = base.protocol === 'https:';
    const agent = this.#agents[secure ? 'https:' : 'http:'];
    const authorization = { authorization: `Bearer ${this.#token}` };
    const options = { method, agent, headers: { ...headers, ...authorization }, timeout: QUIET };
    const request = (secure ? https : http).request(new URL(path, base), options);
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

/** Milliseconds without a byte after which an exchange is given up and tried again. */
const QUIET = 30_000;

/** Refusals that pass: too early, too much, full, restarting, and a token that is being renewed. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504, 507]);

async function refusal(response: http.IncomingMessage, what: string): Promise<HttpError> {
  const { statusCode = 0 } = response;
  let detail = '';
  for await (const bytes of response) if (detail.length < 4_096) detail += bytes;
  return new HttpError(`${what} was answered ${statusCode}${problemOf(detail)}`, !passing.has(statusCode));
}

function problemOf(body: string): string {
  try {
    const { detail, title } = JSON.parse(body) as { detail?: unknown; title?: unknown };
    return typeof (detail ?? title) === 'string' ? `: ${detail ?? title}` : '';
  } catch {
    return '';
  }
}
