import http, { type IncomingMessage } from 'node:http';
import type { FoundServer, ServerAt } from '../client/node/find-server.ts';
import { CommandError, ExitCode, NoServerError, UsageError } from './errors.ts';

/** Where a farm is, and what lets us in. */
export interface ServerAddress {
  /** At least one; they are tried in turn. */
  readonly servers: readonly ServerAt[];
  /** How it was found, for people: `--url`, `MANYHANDS_URL`, the data directory. */
  readonly foundBy: string;
  readonly source?: FoundServer['source'];
}

/** Milliseconds until an answer must have begun: a server that needs longer is not one to wait for. */
const ANSWER_TIME = 30_000;
/** Milliseconds in which one of several says that it is well, or another is asked. */
const HEALTH_TIME = 2_000;
/** What fails so was never said. */
const NEVER_REACHED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Characters of a refusal that are read: it is one sentence. */
const REFUSAL_LENGTH = 64 * 1024;

/**
 * The server's HTTP side, for the commands that ask one thing and print it. By `node:http`, since `fetch` takes longer to
 * load than such a command to run.
 */
export class Api {
  readonly #address: ServerAddress;
  #server: ServerAt;
  /** It has answered, as far as that has to be known. */
  #isWell: boolean;

  constructor(address: ServerAddress) {
    this.#address = address;
    this.#server = address.servers[0] as ServerAt;
    this.#isWell = address.servers.length === 1;
  }

  get origin(): string {
    return this.#server.url.origin;
  }

  /** Something speaks against this server: of several another may be better. */
  doubt(): void {
    this.#isWell = this.#address.servers.length === 1;
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.#json('GET', path);
  }

  post<Answer>(path: string, body?: unknown): Promise<Answer> {
    return this.#json('POST', path, body);
  }

  async delete(path: string): Promise<void> {
    await this.#json('DELETE', path);
  }

  /** Bytes of what is there, without reading it; undefined: nothing is. */
  async sizeOf(path: string): Promise<number | undefined> {
    const response = await this.#send('HEAD', path, undefined);
    response.resume();
    if (response.statusCode === 404 && 'upload-offset' in response.headers) return undefined;
    if (response.statusCode !== 200) throw await this.#refusal(response);
    return Number(response.headers['content-length']);
  }

  /** The answer as it comes; an answer that is a refusal has become an error. */
  async open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const response = await this.#send(method, path, body);
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw await this.#refusal(response);
    return response;
  }

  async #json<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = await textOf(await this.open(method, path, body));
    if (text === '') return undefined as Answer;
    try {
      return JSON.parse(text) as Answer;
    } catch (error) {
      throw new NoServerError(`${this.origin} does not answer like a manyhands server: check the address`, {
        cause: error,
      });
    }
  }

  /** If a server is gone, another is asked; but nothing twice that may have been done. */
  async #send(method: string, path: string, body: unknown): Promise<IncomingMessage> {
    for (let left = this.#address.servers.length - 1; ; left--) {
      if (!this.#isWell) await this.#findOne();
      try {
        return await this.#ask(method, path, body, ANSWER_TIME);
      } catch (error) {
        const { code = '' } = (error as Error).cause as NodeJS.ErrnoException;
        if (left === 0 || !(method === 'GET' || method === 'HEAD' || NEVER_REACHED.has(code))) throw error;
        this.doubt();
      }
    }
  }

  /** Of several the first that says that it is well: one that is stuck would let a command wait, and not know what it did. */
  async #findOne(): Promise<void> {
    const { servers } = this.#address;
    const faults: string[] = [];
    const from = servers.indexOf(this.#server);
    for (const server of [...servers.slice(from), ...servers.slice(0, from)]) {
      this.#server = server;
      try {
        const response = await this.#ask('GET', 'healthz', undefined, HEALTH_TIME);
        response.resume();
        this.#isWell = response.statusCode === 200;
        if (this.#isWell) return;
        faults.push(`${this.origin} does not say that it is well (HTTP ${response.statusCode})`);
      } catch (error) {
        faults.push((error as Error).message);
      }
    }
    throw new NoServerError(`none of the ${servers.length} servers can be had: ${faults.join('; ')}`);
  }

  async #ask(method: string, path: string, body: unknown, time: number): Promise<IncomingMessage> {
    const { url, token } = this.#server;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string | number> = { accept: 'application/json' };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (text !== undefined) headers['content-type'] = 'application/json';
    headers['content-length'] = text === undefined ? 0 : Buffer.byteLength(text);
    const { request } = url.protocol === 'https:' ? await import('node:https') : http;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request(new URL(path, url), { method, headers, agent: false }, resolve);
    const timer = setTimeout(() => sent.destroy(new Error('late')), time);
    sent.on('error', reject);
    sent.end(text);
    try {
      return await promise;
    } catch (error) {
      throw new NoServerError(this.#unreachable(error as NodeJS.ErrnoException, time), { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #unreachable({ code, message }: NodeJS.ErrnoException, time: number): string {
    const { origin, hostname } = this.#server.url;
    if (message === 'late') return `the server at ${origin} has not answered for ${time / 1_000} s`;
    if (code === 'ECONNREFUSED') {
      return `no server answers at ${origin} (from ${this.#address.foundBy}): start one there with "manyhands serve", or check the address`;
    }
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return `the name ${hostname} is not known (from ${this.#address.foundBy}): check the address`;
    return `the server at ${origin} can't be reached: ${message || code}`;
  }

  async #refusal(response: IncomingMessage): Promise<Error> {
    const said = detailOf(await textOf(response, REFUSAL_LENGTH));
    const status = response.statusCode ?? 0;
    if (status === 401) {
      const why =
        this.#server.token === undefined
          ? 'wants a token: use --token-file or MANYHANDS_TOKEN'
          : 'does not accept the token: it may have ended or been revoked, or be of another server; ask its owner for a new one';
      return new NoServerError(`the server at ${this.origin} ${why}`);
    }
    if (status === 403) return new NoServerError(said ?? `the token may not do that at ${this.origin}`);
    if (said === undefined) {
      return new NoServerError(`${this.origin} does not answer like a manyhands server (HTTP ${status})`);
    }
    if (status < 500) return new UsageError(said);
    return new CommandError(said, ExitCode.failed);
  }
}

async function textOf(response: IncomingMessage, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    text += part as string;
    if (text.length >= most) break;
  }
  return text;
}

/** What a problem+json body says to people. */
function detailOf(text: string): string | undefined {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const said = detail ?? title;
    return typeof said === 'string' ? said : undefined;
  } catch {
    return undefined;
  }
}
