import { createHash, hash } from 'node:crypto';
import type http from 'node:http';
import { finished } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { BIG_BLOB_BYTES } from '../../model/client-limits.ts';
import type { BlobRef } from '../../model/envelope.ts';
import type { FarmServers } from '../../protocol/farm-servers.ts';
import { FarmError } from '../farm-error.ts';
import type { BlobExchange, Moved } from '../surroundings.ts';
import { BlobHttp, type Exchange, refusal, Transient } from './blob-http.ts';
import { downloadFile } from './file-download.ts';
import { uploadFile } from './file-upload.ts';
import { giveBack } from './lent-reads.ts';

const MiB = 1024 * 1024;

/** Blobs over a few HTTP connections that are kept alive. */
export class HttpBlobs implements BlobExchange {
  readonly #http: BlobHttp;

  constructor(servers: FarmServers) {
    this.#http = new BlobHttp(servers);
  }

  /** What is on its way to or from the server before is begun again at this one. */
  moved(): void {
    this.#http.moved();
  }

  refer(bytes: Uint8Array): BlobRef | Promise<BlobRef> {
    if (bytes.length > BIG_BLOB_BYTES) return referSlowly(bytes);
    return { sha256: hash('sha256', bytes), size: bytes.length };
  }

  put(ref: BlobRef, bytes: Uint8Array): Promise<void> {
    return this.#http.transfer(`PUT /v1/blobs/${ref.sha256}`, async () => {
      if (bytes.length > BIG_BLOB_BYTES && 'size' in (await this.#http.look(ref.sha256))) return;
      const exchange = this.#http.begin('PUT', ref.sha256, {
        'content-length': bytes.length,
        'content-type': 'application/octet-stream',
      });
      if (bytes.length <= MiB) exchange.request.end(bytes);
      else await writeAll(exchange, bytes);
      const response = await exchange.answered;
      if (response.statusCode !== 200 && response.statusCode !== 201) throw await refusal(response);
      response.resume();
    });
  }

  /** Bytes that are not those of the hash are asked for once more, and then refused (T-24). */
  get(ref: BlobRef): Promise<Uint8Array> {
    let wasWrong = false;
    return this.#http.transfer(`GET /v1/blobs/${ref.sha256}`, async () => {
      const { request, answered } = this.#http.begin('GET', ref.sha256);
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

  putFile(file: URL, moved?: Moved): Promise<BlobRef> {
    return uploadFile(this.#http, file, moved);
  }

  getFile(ref: BlobRef, file: URL, moved?: Moved): Promise<void> {
    return downloadFile(this.#http, ref, file, moved);
  }

  close(): void {
    this.#http.close();
  }
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
async function writeAll({ request, answered }: Exchange, bytes: Uint8Array): Promise<void> {
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
