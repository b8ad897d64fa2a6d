import { createHash, hash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { BlobRef } from '../../model/envelope.ts';
import { BIG_BLOB_BYTES, CLIENT_HTTP_CONNECTIONS, TRANSFER_RETRY, TRANSFER_RETRY_MAX } from '../../model/limits.ts';
import { FarmError } from '../farm-error.ts';
import type { BlobExchange } from '../surroundings.ts';
import { giveBack, LentReadsAgent } from './lent-reads.ts';

const MiB = 1024 * 1024;

/** Milliseconds without a byte after which a transfer is given up and tried again. */
const QUIET = 30_000;

/** Refusals that pass. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Blobs over a few HTTP connections that are kept alive. */
export class HttpBlobs implements BlobExchange {
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: http.Agent;
  readonly #closed = new AbortController();
  readonly #queue: (() => void)[] = [];
  #free = CLIENT_HTTP_CONNECTIONS;

  constructor(base: URL, token: string | undefined) {
    this.#base = base;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = { keepAlive: true, maxSockets: CLIENT_HTTP_CONNECTIONS };
    this.#agent = base.protocol === 'https:' ? new https.Agent(options) : new LentReadsAgent(options);
  }

  refer(bytes: Uint8Array): BlobRef | Promise<BlobRef> {
    if (bytes.length > BIG_BLOB_BYTES) return referSlowly(bytes);
    return { sha256: hash('sha256', bytes), size: bytes.length };
  }

  put(ref: BlobRef, bytes: Uint8Array): Promise<void> {
    return this.#transfer(`PUT /v1/blobs/${ref.sha256}`, async () => {
      if (bytes.length > BIG_BLOB_BYTES && (await this.#has(ref))) return;
      const request = this.#request('PUT', ref.sha256, {
        'content-length': bytes.length,
        'content-type': 'application/octet-stream',
      });
      const answered = answerOf(request);
      answered.catch(() => {});
      if (bytes.length <= MiB) request.end(bytes);
      else await writeAll(request, bytes, answered);
      const response = await answered;
      if (response.statusCode !== 200 && response.statusCode !== 201) throw await refusal(response);
      response.resume();
    });
  }

  /** Bytes that are not those of the hash are asked for once more, and then refused (T-24). */
  get(ref: BlobRef): Promise<Uint8Array> {
    let wasWrong = false;
    return this.#transfer(`GET /v1/blobs/${ref.sha256}`, async () => {
      const request = this.#request('GET', ref.sha256, {});
      const answered = answerOf(request);
      request.end();
      const response = await answered;
      if (response.statusCode !== 200) throw await refusal(response);
      const bytes = await readBody(response, ref.size);
      const { sha256 } = await this.refer(bytes);
      if (sha256 === ref.sha256) return bytes;
      if (wasWrong)
        throw new FarmError('damaged', `its bytes have the SHA-256 ${sha256}: they were changed on their way`);
      wasWrong = true;
      throw new Transient('its bytes do not have its SHA-256');
    });
  }

  async putFile(file: URL): Promise<BlobRef> {
    const bytes = await readFile(file);
    const ref = await this.refer(bytes);
    await this.put(ref, bytes);
    return ref;
  }

  async getFile(ref: BlobRef, file: URL): Promise<void> {
    await writeFile(file, await this.get(ref));
  }

  close(): void {
    this.#closed.abort();
    this.#agent.destroy();
  }

  async #has(ref: BlobRef): Promise<boolean> {
    const request = this.#request('HEAD', ref.sha256, {});
    const answered = answerOf(request);
    request.end();
    const response = await answered;
    response.resume();
    return response.statusCode === 200;
  }

  /** Takes its turn, and tries again while the server can't be reached. */
  async #transfer<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      for (let delay = TRANSFER_RETRY; ; delay = Math.min(TRANSFER_RETRY_MAX, delay * 2)) {
        try {
          return await attempt();
        } catch (error) {
          if (this.#closed.signal.aborted)
            throw new FarmError('closed', `${what} was cut off: the farm was closed by this program`);
          if (error instanceof FarmError) throw new FarmError(error.code, `${what}: ${error.message}`);
          if (!(error instanceof Transient) && !isNetworkError(error)) throw error;
        }
        await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal: this.#closed.signal }).catch(() => {});
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

  #request(method: string, sha256: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    const { request } = this.#base.protocol === 'https:' ? https : http;
    const options = { method, agent: this.#agent, headers: { ...headers, ...this.#headers }, timeout: QUIET };
    const sent = request(new URL(`v1/blobs/${sha256}`, this.#base), options);
    sent.on('timeout', () => sent.destroy(new Transient('the server fell silent')));
    return sent;
  }
}

/** Something that may go better the next time. */
class Transient extends Error {}

function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^(E[A-Z]+|UND_|HPE_)/.test(error.code)
  );
}

async function referSlowly(bytes: Uint8Array): Promise<BlobRef> {
  const sum = createHash('sha256');
  for (let at = 0; at < bytes.length; at += 4 * MiB) {
    sum.update(bytes.subarray(at, at + 4 * MiB));
    // A gigabyte takes most of a second, in which sockets want to be read.
    await turn();
  }
  return { sha256: sum.digest('hex'), size: bytes.length };
}

function answerOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
}

/** Exactly `size` bytes. A listener for the pieces: a loop would cost each a promise. */
async function readBody(response: http.IncomingMessage, size: number): Promise<Uint8Array> {
  // Every byte is written before anybody sees it, so that it need not be zero before.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  let at = 0;
  response.on('data', (piece: Buffer) => {
    if (at + piece.length <= size) {
      bytes.set(piece, at);
      at += piece.length;
    } else response.destroy(new Transient(`it is longer than its ${size} bytes`));
    giveBack(piece);
  });
  await finished(response);
  if (at < size) throw new Transient(`it ended after ${at} of ${size} bytes`);
  return bytes;
}

/** In pieces, each when the socket has room; an answer that comes before the end says that the rest is not wanted. */
async function writeAll(
  request: http.ClientRequest,
  bytes: Uint8Array,
  answered: Promise<http.IncomingMessage>,
): Promise<void> {
  let over = false;
  const stop = (): void => {
    over = true;
  };
  answered.then(stop, stop);
  for (let at = 0; at < bytes.length && !over; at += MiB) {
    if (request.write(bytes.subarray(at, at + MiB))) continue;
    const drained = new Promise<void>((resolve) => request.once('drain', resolve));
    await Promise.race([drained, answered]);
  }
  if (!over) request.end();
}

async function refusal(response: http.IncomingMessage): Promise<Error> {
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
