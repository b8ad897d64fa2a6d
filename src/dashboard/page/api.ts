import type { Role } from '../../model/records.ts';
import { LineCutter } from '../outcomes.ts';

/** What the server says is wrong (RFC 9457), or what the network does. */
export class ApiError extends Error {
  /** 0: there was no answer. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** Whose token this page holds. */
export interface Me {
  readonly role: Role;
}

interface Asked {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are: NDJSON. */
  readonly lines?: string;
  readonly signal?: AbortSignal;
}

/** Asks the server of this page in the name of a token. */
export class Api {
  readonly token: string;

  constructor(token: string) {
    this.token = token;
  }

  /** The answer to a request that was granted. Throws an {@link ApiError}. */
  async ask(path: string, options: Asked = {}): Promise<Response> {
    const { method = 'GET', body, lines, signal } = options;
    const content = lines ?? (body === undefined ? undefined : JSON.stringify(body));
    let response: Response;
    try {
      response = await fetch(path, {
        method,
        cache: 'no-store',
        headers: {
          authorization: `Bearer ${this.token}`,
          ...(content === undefined
            ? {}
            : { 'content-type': `application/${lines === undefined ? 'json' : 'x-ndjson'}` }),
        },
        ...(content === undefined ? {} : { body: content }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, 'the server does not answer', { cause: error });
    }
    if (!response.ok) throw new ApiError(response.status, await complaintOf(response));
    return response;
  }

  async json<Body>(path: string, signal?: AbortSignal): Promise<Body> {
    const response = await this.ask(path, signal === undefined ? {} : { signal });
    return (await response.json()) as Body;
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this.ask(path, signal === undefined ? {} : { signal })).text();
  }

  async post<Body>(path: string, body?: unknown): Promise<Body | undefined> {
    const response = await this.ask(path, { method: 'POST', body });
    return response.status === 204 ? undefined : ((await response.json()) as Body);
  }

  /** Lines as they come, until the taker says that it has enough, or so many bytes have been read. True: that was all. */
  async lines(path: string, bytes: number, take: (line: string) => boolean, signal: AbortSignal): Promise<boolean> {
    const enough = new AbortController();
    const stop = () => enough.abort();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const response = await this.ask(path, { signal: enough.signal });
      const reader = response.body?.getReader();
      const decoder = new TextDecoder();
      const cutter = new LineCutter();
      for (let left = bytes; reader !== undefined && left > 0; ) {
        const { done, value } = await reader.read();
        if (done) return true;
        left -= value.length;
        for (const line of cutter.push(decoder.decode(value, { stream: true }))) if (!take(line)) return false;
      }
      return false;
    } finally {
      signal.removeEventListener('abort', stop);
      enough.abort();
    }
  }

  /** Lets the browser save what is at a path, which it asks for without a header: with a ticket. */
  async download(path: string): Promise<void> {
    const answer = await this.post<{ ticket: string }>('/v1/tickets', { path });
    const link = document.createElement('a');
    link.href = `${path}?ticket=${encodeURIComponent(answer?.ticket ?? '')}`;
    link.download = '';
    document.body.append(link);
    link.click();
    link.remove();
  }
}

async function complaintOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    // Not from our server: the status has to do.
  }
  return `the server answered ${response.status}`;
}
