import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlobStore } from '../../store/blobs.ts';
import { Problem } from '../problem.ts';
import { readSteadily, writeAll } from './body.ts';
import { rangeHeaders, rangeOf } from './range.ts';
import { type Reply, type Route, route } from './route.ts';

/** Whoever may submit or work may upload; whoever may work must be able to fetch. */
const UPLOADERS = ['admin', 'submit', 'work'] as const;
const FETCHERS = ['admin', 'submit', 'work', 'read'] as const;
const BYTES = 'application/octet-stream';

/** Bytes that people sent are never shown as a page; that they can do nothing is said by every answer. (T-7) */
export const ATTACHMENT = { 'content-disposition': 'attachment' } as const;

export function blobRoutes(blobs: BlobStore): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/blobs/:sha256',
      access: UPLOADERS,
      lends: true,
      summary:
        'Uploads a blob. A cut upload goes on with "Content-Range: bytes FIRST-LAST/TOTAL", where FIRST is the Upload-Offset that HEAD tells; where that is TOTAL already, "bytes */TOTAL" asks for the end of it.',
      body: { type: BYTES, example: 'hello\n' },
      answers: {
        200: { description: 'It was here already.' },
        201: { description: 'It is whole, verified and on disk.' },
        202: { description: 'This part is kept; Upload-Offset says how much there is now.' },
        400: { description: 'The bytes do not have this SHA-256; nothing of them is kept.' },
        409: { description: 'The part does not start where the last one ended; Upload-Offset says where that is.' },
        507: { description: 'The disk is full.' },
      },
      handle: ({ request, params }) => upload(blobs, params.sha256, request),
    }),
    route({
      method: 'HEAD',
      path: '/v1/blobs/:sha256',
      access: FETCHERS,
      summary: 'Says whether a blob is here and how long it is, or how much of a cut upload is kept (Upload-Offset).',
      answers: { 200: { description: 'It is here.' }, 404: { description: 'It is not, or not all of it.' } },
      handle: ({ params }) => head(blobs, params.sha256),
    }),
    route({
      method: 'GET',
      path: '/v1/blobs/:sha256',
      access: FETCHERS,
      ticket: true,
      lends: true,
      summary: 'The bytes of a blob, or one range of them.',
      answers: {
        200: { description: 'All bytes.', type: BYTES },
        206: { description: 'The range that was asked for.' },
        404: { description: 'It is not here.' },
        416: { description: 'The blob is not that long.' },
      },
      handle: ({ request, response, params }) => sendBlob(blobs, params.sha256, request, response),
    }),
  ];
}

async function upload(blobs: BlobStore, sha256: string, request: IncomingMessage): Promise<Reply> {
  const part = request.headers['content-range'];
  if (part !== undefined) return uploadPart(blobs, sha256, part, request);
  if ((await blobs.size(sha256)) !== undefined) {
    request.resume();
    return { status: 200 };
  }
  await blobs.put(sha256, readSteadily(request));
  return { status: 201, headers: { location: `/v1/blobs/${sha256}` } };
}

async function uploadPart(blobs: BlobStore, sha256: string, part: string, request: IncomingMessage): Promise<Reply> {
  if (/^bytes \*\/\d{1,15}$/.test(part) && request.headers['content-length'] === '0') {
    return finishUpload(blobs, sha256, Number(part.split('/')[1]));
  }
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(part) ?? [];
  if (first === undefined || Number(first) > Number(last) || Number(last) >= Number(total)) {
    throw new Problem(
      'invalid',
      `a Content-Range looks like "bytes 0-999/1000", not ${JSON.stringify(part.slice(0, 60))}`,
    );
  }
  if ((await blobs.size(sha256)) !== undefined) {
    request.resume();
    return { status: 200 };
  }
  const length = request.headers['content-length'];
  if (length !== undefined && Number(length) !== Number(last) - Number(first) + 1) {
    throw new Problem('invalid', `the Content-Range says ${part.slice(0, 60)}, the Content-Length ${length}`);
  }
  const kept = await blobs.partial(sha256);
  if (kept !== Number(first)) throw otherOffset(kept);
  const { size, whole } = await blobs.append(sha256, kept, readSteadily(request), Number(total));
  return whole
    ? { status: 201, headers: { location: `/v1/blobs/${sha256}` } }
    : { status: 202, headers: { 'upload-offset': size } };
}

/** All bytes are here, and nobody was told what became of them: the server or the connection ended just then. */
async function finishUpload(blobs: BlobStore, sha256: string, total: number): Promise<Reply> {
  if ((await blobs.size(sha256)) !== undefined) return { status: 200 };
  const kept = await blobs.partial(sha256);
  if (kept !== total) throw otherOffset(kept);
  await blobs.append(sha256, kept, (async function* () {})(), total);
  return { status: 201, headers: { location: `/v1/blobs/${sha256}` } };
}

function otherOffset(kept: number): Problem {
  return new Problem('conflict', `${kept} bytes of this upload are kept: go on from there`, {
    headers: { 'upload-offset': `${kept}` },
    extra: { offset: kept },
  });
}

async function head(blobs: BlobStore, sha256: string): Promise<Reply> {
  const size = await blobs.size(sha256);
  if (size !== undefined) {
    return {
      status: 200,
      headers: { 'content-length': size, 'accept-ranges': 'bytes', 'content-type': BYTES },
    };
  }
  return { status: 404, headers: { 'upload-offset': await blobs.partial(sha256) } };
}

/** Also used for inputs and results that are blobs. */
export async function sendBlob(
  blobs: BlobStore,
  sha256: string,
  request: IncomingMessage,
  response: ServerResponse,
  type: string = BYTES,
): Promise<undefined> {
  const size = await blobs.size(sha256);
  if (size === undefined) throw new Problem('unknown', `blob ${sha256} is not here`);
  const range = rangeOf(request.headers.range, size, 'the blob');
  const bytes = await blobs.read(sha256, range);
  if (bytes === undefined) throw new Problem('unknown', `blob ${sha256} is not here`);
  response.writeHead(range === undefined ? 200 : 206, {
    ...ATTACHMENT,
    'content-type': type,
    ...rangeHeaders(range, size),
    // The name is the hash of the bytes: they never change.
    'cache-control': 'private, max-age=31536000, immutable',
    etag: `"${sha256}"`,
  });
  if (await writeAll(response, bytes)) response.end();
  return undefined;
}
