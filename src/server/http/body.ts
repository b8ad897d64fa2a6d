import type { IncomingMessage, ServerResponse } from 'node:http';
import { ANSWER_STALL, JSON_BODY_BYTES, JSON_BODY_TIME, UPLOAD_GRACE, UPLOAD_RATE } from '../../model/limits.ts';
import { Problem } from '../problem.ts';

/** The content type has to be said: a form of a foreign page cannot say it. (T-2) */
export function requireType(request: IncomingMessage, type: string): void {
  const said = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (said === type) return;
  throw new Problem('mediaType', `send the header Content-Type: ${type}${said === undefined ? '' : `, not ${said}`}`);
}

/** A whole body of JSON, within its limits of size and time. Undefined: there was none. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request, JSON_BODY_BYTES);
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem('invalid', `the body is not JSON: ${(error as Error).message}`);
  }
}

async function readText(request: IncomingMessage, limit: number): Promise<string> {
  const tooLarge = () => new Problem('tooLarge', `the body has more than ${limit} bytes; upload inputs as NDJSON`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const parts: Buffer[] = [];
  let size = 0;
  const started = performance.now();
  const late = new Problem('timeout', `the body took longer than ${JSON_BODY_TIME / 1000} s`);
  const timer = setTimeout(() => request.destroy(late), JSON_BODY_TIME);
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > limit) throw tooLarge();
      parts.push(part);
    }
  } catch (error) {
    throw performance.now() - started >= JSON_BODY_TIME ? late : error;
  } finally {
    clearTimeout(timer);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    throw new Problem('invalid', 'the body is not UTF-8');
  }
}

/**
 * A body of any length as it comes in. Who sends slower than the least rate for longer than the grace time is cut, so
 * that slow uploads cannot hold descriptors for ever. (F-12)
 */
export async function* readSteadily(request: IncomingMessage): AsyncGenerator<Buffer> {
  let since = performance.now();
  let got = 0;
  // Time in which nobody reads is not the sender's fault.
  let waiting = true;
  const guard = setInterval(() => {
    const now = performance.now();
    if (!waiting) since = now;
    if (now - since < UPLOAD_GRACE) return;
    if (got < UPLOAD_RATE * (UPLOAD_GRACE / 1000)) request.destroy(new Problem('timeout', 'the upload is too slow'));
    since = now;
    got = 0;
  }, 1_000);
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      got += part.length;
      waiting = false;
      yield part;
      waiting = true;
    }
  } finally {
    clearInterval(guard);
  }
  if (!request.complete) throw new Problem('invalid', 'the body was cut off');
}

/** Writes what a source gives as fast as the reader takes it; the end is left to the caller. False: the reader is gone. */
export async function writeAll(response: ServerResponse, source: AsyncIterable<Uint8Array | string>): Promise<boolean> {
  for await (const part of source) {
    if (response.destroyed) return false;
    if (!response.write(part) && !(await drained(response))) return false;
  }
  return !response.destroyed;
}

/** False: the reader is gone, or took nothing for so long that it was cut. */
export function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (open: boolean) => {
      clearTimeout(timer);
      response.off('drain', onDrain);
      response.off('close', onClose);
      resolve(open);
    };
    const onDrain = () => settle(true);
    const onClose = () => settle(false);
    const timer = setTimeout(() => response.destroy(), ANSWER_STALL);
    response.once('drain', onDrain);
    response.once('close', onClose);
    if (response.destroyed) settle(false);
  });
}
