import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Problem } from '../problem.ts';
import { writeAll } from './body.ts';
import { rangeHeaders, rangeOf } from './range.ts';

/** Bytes that stand in a file's place of the same length. */
export interface Overlay {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A file of the disk, or one range of it, as it is or with other bytes in one place. Also for HEAD. */
export async function sendFile(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { headers = {}, overlay }: { headers?: Record<string, string>; overlay?: Overlay } = {},
): Promise<undefined> {
  const known = await stat(path).catch(() => undefined);
  if (known === undefined) throw new Problem('unknown', 'this file is not here any more');
  const { size } = known;
  const range = rangeOf(request.headers.range, size, 'this file');
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    ...headers,
    ...rangeHeaders(range, size),
  });
  if (request.method === 'HEAD') {
    response.end();
    return undefined;
  }
  const { start, end } = range ?? { start: 0, end: size };
  const bytes = createReadStream(path, { start, end: end - 1 });
  if (await writeAll(response, overlay === undefined ? bytes : laidOver(bytes, start, overlay))) response.end();
  return undefined;
}

/** `from`: where in the file the bytes begin. */
async function* laidOver(bytes: AsyncIterable<Buffer>, from: number, { at, bytes: other }: Overlay) {
  let position = from;
  for await (const chunk of bytes) {
    const start = Math.max(position, at);
    const end = Math.min(position + chunk.length, at + other.length);
    if (start < end) chunk.set(other.subarray(start - at, end - at), start - position);
    position += chunk.length;
    yield chunk;
  }
}
