import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_HTTP_CONNECTIONS } from '../../model/client-limits.ts';
import { TRANSFER_RETRY, TRANSFER_RETRY_MAX } from '../../model/limits.ts';
import type { FarmServers } from '../../protocol/farm-servers.ts';
import { FarmError } from '../farm-error.ts';
import { LentReadsAgent } from './lent-reads.ts';
import { lookupBy } from './lookup.ts';

/** Milliseconds without a byte after which a transfer is given up and tried again. */
const QUIET = 30_000;

/** Refusals that pass. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Something that may go better the next time. */
export class Transient extends Error {}

/** A fault of a file here, which is told as it is: the farm has nothing to do with it. */
export class LocalFault extends Error {
  constructor(cause: unknown) {
    super('a file here', { cause });
  }
}

/** A request that was begun, and the answer that it will get. */
export interface Exchange {
  readonly request: http.ClientRequest;
  readonly answered: Promise<http.IncomingMessage>;
}

/** The server's blobs over a few HTTP connections that are kept alive: whole transfers take turns, and are tried again. */
export class BlobHttp {
  readonly #servers: FarmServers;
  readonly #agents = new Map<string, http.Agent>();
  readonly #open = new Set<http.ClientRequest>();
  readonly #closed = new AbortController();
  readonly #queue: (() => void)[] = [];
  #free = CLIENT_HTTP_CONNECTIONS;

  constructor(servers: FarmServers) {
    this.#servers = servers;
  }

  close(): void {
    this.#closed.abort();
    for (const agent of this.#agents.values()) agent.destroy();
  }

  /** The program is with another server now: what waits for the one before would wait for long. */
  moved(): void {
    for (const request of this.#open) request.destroy(new Transient('the program has gone to another server'));
  }

  /** The caller ends the request. An error of it is that of its answer. */
  begin(method: string, sha256: string, headers: http.OutgoingHttpHeaders = {}): Exchange {
    const { current } = this.#servers;
    const base = new URL(current);
    const token = this.#servers.tokenOf(current);
    const { request: open } = base.protocol === 'https:' ? https : http;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options: http.RequestOptions = {
      method,
      agent: this.#agentOf(base.protocol),
      headers: { ...headers, ...authorization },
      timeout: QUIET,
      lookup: lookupBy(this.#servers.walkOf(current)),
    };
    const request = open(new URL(`v1/blobs/${sha256}`, base), options);
    this.#open.add(request);
    request.on('close', () => this.#open.delete(request));
    request.on('timeout', () => request.destroy(new Transient('the server fell silent')));
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', reject);
    });
    answered.catch(() => {});
    return { request, answered };
  }

  #agentOf(protocol: string): http.Agent {
    let agent = this.#agents.get(protocol);
    if (agent === undefined) {
      const options = { keepAlive: true, maxSockets: CLIENT_HTTP_CONNECTIONS };
      agent = protocol === 'https:' ? new https.Agent(options) : new LentReadsAgent(options);
      this.#agents.set(protocol, agent);
    }
    return agent;
  }

  /** Whether the server has it whole, and else how much of a cut upload it has kept. */
  async look(sha256: string): Promise<{ size: number } | { kept: number }> {
    const { request, answered } = this.begin('HEAD', sha256);
    request.end();
    const response = await answered;
    response.resume();
    const { statusCode, headers } = response;
    if (statusCode === 200) return { size: Number(headers['content-length']) };
    if (statusCode === 404) return { kept: Number(headers['upload-offset'] ?? 0) };
    throw await refusal(response);
  }

  /**
   * Takes its turn, and tries again while the server can't be reached, later and later; soon again once `attempt` calls
   * what it is given, since then something was won.
   */
  async transfer<T>(what: string, attempt: (advanced: () => void) => Promise<T>): Promise<T> {
    await this.#enter();
    let delay = TRANSFER_RETRY;
    const advanced = (): void => {
      delay = TRANSFER_RETRY;
    };
    try {
      for (;;) {
        try {
          return await attempt(advanced);
        } catch (error) {
          if (this.#closed.signal.aborted)
            throw new FarmError('closed', `${what} was cut off: the farm was closed by this program`);
          if (error instanceof LocalFault) throw error.cause;
          if (error instanceof FarmError) throw new FarmError(error.code, `${what}: ${error.message}`);
          if (!(error instanceof Transient) && !isNetworkError(error)) throw error;
        }
        await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal: this.#closed.signal }).catch(() => {});
        delay = Math.min(TRANSFER_RETRY_MAX, delay * 2);
      }
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^(E[A-Z]+|UND_|HPE_)/.test(error.code)
  );
}

export async function refusal(response: http.IncomingMessage): Promise<Error> {
  const { statusCode = 0 } = response;
  let body = '';
  for await (const chunk of response) if (body.length < 4096) body += chunk;
  const said = `the server answered ${statusCode}${detailOf(body)}`;
  if (PASSING.has(statusCode)) return new Transient(said);
  const code = (
    { 401: 'forbidden', 403: 'forbidden', 404: 'unknown', 413: 'tooLarge', 507: 'full' } as Record<number, string>
  )[statusCode];
  return new FarmError(code ?? 'invalid', said);
}

/** What a problem+json body says to people. */
function detailOf(body: string): string {
  try {
    const { detail, title } = JSON.parse(body) as { detail?: unknown; title?: unknown };
    const text = detail ?? title;
    return typeof text === 'string' ? `: ${text}` : '';
  } catch {
    return '';
  }
}
