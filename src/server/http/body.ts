import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  ANSWER_STALL,
  JSON_BODY_BYTES,
  JSON_BODY_TIME,
  UPLOAD_GRACE,
  UPLOAD_RATE,
  VALUE_DEPTH,
} from '../../model/limits.ts';
import { breakOf, isDeeperThan, type JsonBreak } from '../../protocol/json-text.ts';
import { notePassing } from '../passing-buffers.ts';
import { Problem } from '../problem.ts';

/** The content type has to be said: a form of a foreign page cannot say it. (T-2) */
export function requireType(request: IncomingMessage, type: string): void {
  const said = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (said === type) return;
  throw new Problem('mediaType', `send the header Content-Type: ${type}${said === undefined ? '' : `, not ${said}`}`);
}

/** Whether a request carries nothing, which it may have announced as if it were something. */
export async function isEmpty(request: IncomingMessage): Promise<boolean> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined) return length === undefined || length === '0';
  return (await readText(request, 0, JSON_BODY_TIME).catch(() => 'something')) === '';
}

/** A whole body of JSON, within its limits of size, depth and time. Undefined: there was none. */
export async function readJson(request: IncomingMessage, patience = JSON_BODY_TIME): Promise<unknown> {
  const text = await readText(request, JSON_BODY_BYTES, patience);
  if (text === '') return undefined;
  if (isDeeperThan(text, VALUE_DEPTH))
    throw new Problem('invalid', `the body is nested deeper than ${VALUE_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch {
    const { line, column, problem } = breakOf(text) as JsonBreak;
    const extra = { line, column };
    throw new Problem('invalid', `the body is not JSON: at line ${line}, column ${column} ${problem}`, { extra });
  }
}

async function readText(request: IncomingMessage, limit: number, patience: number): Promise<string> {
  const tooLarge = () => new Problem('tooLarge', `the body has more than ${limit} bytes: upload inputs as NDJSON`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const body = new Body(request);
  const late = new Problem('timeout', `the body took longer than ${patience / 1000} s`);
  const timer = setTimeout(() => body.giveUp(late), patience);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for (let part = await body.next(); part !== undefined; part = await body.next()) {
      size += part.length;
      if (size > limit) throw tooLarge();
      parts.push(part);
    }
  } finally {
    clearTimeout(timer);
    body.leave();
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    throw new Problem('invalid', 'the body is not UTF-8');
  }
}

/**
 * A body of any length as it comes in. Who sends slower than the least rate for longer than the grace time is refused,
 * so that slow uploads cannot hold descriptors for ever. (F-12)
 */
export async function* readSteadily(request: IncomingMessage, grace = UPLOAD_GRACE): AsyncGenerator<Buffer> {
  const body = new Body(request);
  const enough = UPLOAD_RATE * (grace / 1000);
  let since = performance.now();
  let got = 0;
  const guard = setInterval(() => {
    const now = performance.now();
    // Time in which nobody reads is not the sender's fault.
    if (!body.isWaiting) since = now;
    if (now - since < grace) return;
    if (got < enough) body.giveUp(new Problem('timeout', `the upload is slower than ${UPLOAD_RATE} bytes a second`));
    since = now;
    got = 0;
  }, grace / 10);
  try {
    for (let part = await body.next(); part !== undefined; part = await body.next()) {
      got += part.length;
      yield part;
      notePassing(part.length);
    }
  } finally {
    clearInterval(guard);
    body.leave();
  }
}

/**
 * Reads a request part by part. Leaving a loop over the request itself would cut its connection; here whoever sent
 * something wrong, or too slowly, still gets to hear so.
 */
class Body {
  isWaiting = false;
  readonly #request: IncomingMessage;
  #problem: Problem | undefined;
  #wake: () => void = () => {};
  readonly #look = (): void => this.#wake();

  constructor(request: IncomingMessage) {
    this.#request = request;
    for (const event of EVENTS) request.on(event, this.#look);
  }

  /** Undefined: that was all. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#problem !== undefined) throw this.#problem;
      const part = this.#request.read() as Buffer | null;
      if (part !== null) return part;
      if (this.#request.readableEnded) return undefined;
      if (this.#request.destroyed) throw new Problem('invalid', 'the body was cut off');
      this.isWaiting = true;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.isWaiting = false;
    }
  }

  giveUp(problem: Problem): void {
    this.#problem ??= problem;
    this.#wake();
  }

  leave(): void {
    for (const event of EVENTS) this.#request.off(event, this.#look);
  }
}

/** What may have changed what a body gives next; an error is followed by a close. */
const EVENTS = ['readable', 'end', 'close', 'error'] as const;

/**
 * Writes what a source gives as fast as the reader takes it; the end is left to the caller. Bytes are lent by their
 * source, so that the next are asked for only when these have left. False: the reader is gone.
 */
export async function writeAll(response: ServerResponse, source: AsyncIterable<Uint8Array | string>): Promise<boolean> {
  for await (const part of source) {
    if (response.destroyed) return false;
    if (typeof part === 'string') {
      if (!response.write(part) && !(await drained(response))) return false;
    } else if (!(await taken(response, ANSWER_STALL, (done) => response.write(part, done)))) return false;
  }
  return !response.destroyed;
}

/** False: the reader is gone, or took nothing for so long that it was cut. */
export function drained(response: ServerResponse, patience = ANSWER_STALL): Promise<boolean> {
  return taken(response, patience, (done) => response.once('drain', () => done()));
}

/** `begin` is given what to call once the reader has taken what was written, or with why it never will. */
function taken(
  response: ServerResponse,
  patience: number,
  begin: (done: (error?: Error | null) => void) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (open: boolean) => {
      if (open) response.setTimeout(0);
      response.off('close', onClose);
      resolve(open);
    };
    const onClose = () => settle(false);
    // The socket's clock starts anew whenever something was taken since it was last looked at; else the socket is cut.
    response.setTimeout(patience);
    response.once('close', onClose);
    if (response.destroyed) settle(false);
    // A write to a reader that has gone fails at once, long before the answer is known to be closed.
    else begin((error) => settle(error == null && !response.destroyed));
  });
}
