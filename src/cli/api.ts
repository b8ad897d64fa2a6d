import { CommandError, ExitCode, NoServerError, UsageError } from './errors.ts';

/** Where a server is, and what lets us in. */
export interface ServerAddress {
  readonly url: URL;
  readonly token: string | undefined;
  /** How it was found, for people: `--url`, `MANYHANDS_URL`, the data directory. */
  readonly foundBy: string;
}

/** Milliseconds until an answer must have begun: a server that needs longer is not one to wait for. */
const ANSWER_TIME = 30_000;

interface Problem {
  readonly title?: unknown;
  readonly detail?: unknown;
}

/** The server's HTTP side, for the commands that ask one thing and print it. */
export class Api {
  readonly #address: ServerAddress;

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  get origin(): string {
    return this.#address.url.origin;
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.#json('GET', path);
  }

  post<Answer>(path: string, body?: unknown): Promise<Answer> {
    return this.#json('POST', path, body);
  }

  delete(path: string): Promise<void> {
    return this.#json('DELETE', path);
  }

  /** The answer as it comes; an answer that is a refusal has become an error. */
  async fetch(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.#address.token !== undefined) headers.authorization = `Bearer ${this.#address.token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_TIME);
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#address.url), {
        method,
        headers,
        signal: late.signal,
        redirect: 'error',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new NoServerError(this.#unreachable(error as Error), { cause: error });
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await this.#refusal(response);
    return response;
  }

  async #json<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = await (await this.fetch(method, path, body)).text();
    if (text === '') return undefined as Answer;
    try {
      return JSON.parse(text) as Answer;
    } catch (error) {
      throw new NoServerError(`${this.origin} does not answer like a manyhands server: check the address`, {
        cause: error,
      });
    }
  }

  #unreachable(error: Error): string {
    const { origin, hostname } = this.#address.url;
    const cause = error.cause as NodeJS.ErrnoException | undefined;
    if (error.name === 'AbortError') return `the server at ${origin} has not answered for ${ANSWER_TIME / 1_000} s`;
    if (cause?.code === 'ECONNREFUSED') {
      return `no server answers at ${origin} (from ${this.#address.foundBy}): start one there with "manyhands serve", or check the address`;
    }
    if (cause?.code === 'ENOTFOUND' || cause?.code === 'EAI_AGAIN')
      return `the name ${hostname} is not known: check the address`;
    return `the server at ${origin} can't be reached: ${cause?.message || cause?.code || error.message}`;
  }

  async #refusal(response: Response): Promise<Error> {
    const said = await detailOf(response);
    if (response.status === 401) {
      const why = this.#address.token === undefined ? 'wants a token' : 'does not accept the token';
      return new NoServerError(`the server at ${this.origin} ${why}: use --token-file or MANYHANDS_TOKEN`);
    }
    if (response.status === 403) return new NoServerError(said ?? `the token may not do that at ${this.origin}`);
    if (said === undefined) {
      return new NoServerError(`${this.origin} does not answer like a manyhands server (HTTP ${response.status})`);
    }
    if (response.status < 500) return new UsageError(said);
    return new CommandError(said, ExitCode.failed);
  }
}

async function detailOf(response: Response): Promise<string | undefined> {
  try {
    const { detail, title } = (await response.json()) as Problem;
    const text = detail ?? title;
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
