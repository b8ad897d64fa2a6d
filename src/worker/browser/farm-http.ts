import { TRANSFER_RETRY } from '../../model/limits.ts';

/** An answer that was no success, or none at all. */
export class HttpError extends Error {
  /** Asking again is of no use. */
  readonly final: boolean;
  /** Milliseconds after which the server wants to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(message: string, final: boolean, retryAfter?: number) {
    super(message);
    this.name = 'HttpError';
    this.final = final;
    this.retryAfter = retryAfter;
  }
}

/** Tries of a transfer before its tasks fail: about ten seconds. */
const TRIES = 6;

/** Refusals that pass: too early, too much, full, restarting. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504, 507]);

/** The server's HTTP side as a worker in a page uses it. The token goes there and nowhere else. */
export class FarmHttp {
  #base: URL;
  readonly #token: string;

  constructor(base: URL, token: string) {
    this.#base = base;
    this.#token = token;
  }

  /** The worker is with this server of the farm now. */
  joined(base: URL): void {
    this.#base = base;
  }

  /** What opens the worker's socket once, since a browser can't send a header with it. */
  async ticket(path: string): Promise<string> {
    const response = await this.#ask('POST', '/v1/tickets', JSON.stringify({ path }), 'application/json');
    const { ticket } = (await response.json()) as { ticket: string };
    return ticket;
  }

  getBlob(sha256: string): Promise<Uint8Array<ArrayBuffer>> {
    return persistently(async () => {
      const response = await this.#ask('GET', `/v1/blobs/${sha256}`);
      return new Uint8Array(await response.arrayBuffer());
    });
  }

  /** Anything that is there for those who work. */
  get(path: string): Promise<Response> {
    return persistently(() => this.#ask('GET', path));
  }

  /** Something that can be done without: it is not asked for again. */
  getOnce(path: string, signal: AbortSignal): Promise<Response> {
    return this.#ask('GET', path, undefined, undefined, signal);
  }

  async putBlob(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await persistently(() => this.#ask('PUT', `/v1/blobs/${sha256}`, bytes, 'application/octet-stream'));
  }

  async #ask(method: string, path: string, body?: BodyInit, type?: string, signal?: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#base), {
        method,
        credentials: 'omit',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
        headers: { authorization: `Bearer ${this.#token}`, ...(type !== undefined && { 'content-type': type }) },
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
      });
    } catch {
      // Browsers do not tell a page which of the two it is.
      const foreign = this.#base.origin !== location.origin;
      const doubt = `, or does not answer pages of this site (manyhands serve --allow-origin ${location.origin})`;
      throw new HttpError(`the server does not answer${foreign ? doubt : ''}`, false);
    }
    if (response.ok) return response;
    const seconds = Number(response.headers.get('retry-after'));
    const detail = await detailOf(response);
    throw new HttpError(
      `${method} ${path} was answered ${response.status}${detail}`,
      !passing.has(response.status),
      seconds > 0 ? seconds * 1_000 : undefined,
    );
  }
}

async function persistently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HttpError) || error.final || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRANSFER_RETRY * 2 ** (tries - 1)));
    }
  }
}

async function detailOf(response: Response): Promise<string> {
  try {
    const { detail, title } = (await response.json()) as { detail?: unknown; title?: unknown };
    return typeof (detail ?? title) === 'string' ? `: ${detail ?? title}` : '';
  } catch {
    return '';
  }
}
