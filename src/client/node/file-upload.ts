import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { BIG_BLOB_BYTES } from '../../model/client-limits.ts';
import type { BlobRef } from '../../model/envelope.ts';
import { BLOB_CHUNK_BYTES } from '../../model/limits.ts';
import { FarmError } from '../farm-error.ts';
import type { Moved } from '../surroundings.ts';
import { type BlobHttp, type Exchange, LocalFault, refusal, Transient } from './blob-http.ts';

/**
 * Stores a file of any size under the hash of its bytes, a few pieces in memory at a time. What was cut goes on where the
 * server's copy ends. Rejects with a FarmError `changed` if the file changes while it is read.
 */
export async function uploadFile(http: BlobHttp, file: URL, moved: Moved = () => {}): Promise<BlobRef> {
  const handle = await open(file, 'r');
  try {
    const source = await SourceFile.hashed(handle, fileURLToPath(file));
    const { ref } = source;
    let wasWrong = false;
    await http.transfer(`PUT /v1/blobs/${ref.sha256}`, async (advanced) => {
      const there = ref.size > BIG_BLOB_BYTES ? await http.look(ref.sha256) : { kept: 0 };
      if ('size' in there) return;
      const refused = await send(http, source, wasWrong ? 0 : there.kept, (bytes) => {
        advanced();
        moved(bytes, ref.size);
      });
      if (refused === undefined) return;
      const { statusCode, error } = refused;
      // What was kept of an upload before may be damaged: then the whole of it is sent, once.
      if (statusCode === 400 && !wasWrong && there.kept > 0) {
        wasWrong = true;
        throw new Transient(error.message);
      }
      if (statusCode === 400) await source.check();
      throw statusCode === 409 ? new Transient(error.message) : error;
    });
    await source.check();
    moved(ref.size, ref.size);
    return ref;
  } finally {
    await handle.close();
  }
}

/** A file whose bytes have been named, and which must stay what it was until they have left. */
class SourceFile {
  readonly ref: BlobRef;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #changedAt: bigint;

  private constructor(handle: FileHandle, path: string, ref: BlobRef, changedAt: bigint) {
    this.#handle = handle;
    this.#path = path;
    this.ref = ref;
    this.#changedAt = changedAt;
  }

  static async hashed(handle: FileHandle, path: string): Promise<SourceFile> {
    const { size, mtimeNs } = await handle.stat({ bigint: true });
    const sum = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(BLOB_CHUNK_BYTES);
    let at = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      sum.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    const source = new SourceFile(handle, path, { sha256: sum.digest('hex'), size: at }, mtimeNs);
    if (BigInt(at) !== size) throw source.#changed();
    await source.check();
    return source;
  }

  /** Throws where it is not the file any more that was hashed. */
  async check(): Promise<void> {
    const { size, mtimeNs } = await this.#handle.stat({ bigint: true });
    if (size !== BigInt(this.ref.size) || mtimeNs !== this.#changedAt) throw this.#changed();
  }

  async read(buffer: Buffer, at: number): Promise<Buffer> {
    let bytesRead: number;
    try {
      ({ bytesRead } = await this.#handle.read(buffer, 0, Math.min(buffer.length, this.ref.size - at), at));
    } catch (error) {
      throw new LocalFault(error);
    }
    if (bytesRead === 0) throw this.#changed();
    return buffer.subarray(0, bytesRead);
  }

  #changed(): FarmError {
    return new FarmError('changed', `${this.#path} was changed while it was read: upload it when nobody writes to it`);
  }
}

/** Sends what there is from `offset` on. Gives what the server has against it, if anything. */
async function send(
  http: BlobHttp,
  source: SourceFile,
  offset: number,
  sent: (bytes: number) => void,
): Promise<{ statusCode: number; error: Error } | undefined> {
  const { sha256, size } = source.ref;
  // From its beginning to its end it is sent as a part too: of such the server keeps what it has even if it is killed.
  const part = offset < size ? `${offset}-${size - 1}` : '*';
  const exchange = http.begin('PUT', sha256, {
    'content-length': Math.max(0, size - offset),
    'content-type': 'application/octet-stream',
    ...(size > BIG_BLOB_BYTES && { 'content-range': `bytes ${part}/${size}` }),
  });
  const { request, answered } = exchange;
  try {
    await sendPieces(exchange, source, offset, sent);
    const response = await answered;
    const { statusCode = 0 } = response;
    if (statusCode !== 200 && statusCode !== 201) return { statusCode, error: await refusal(response) };
    response.resume();
    return undefined;
  } finally {
    // After an answer that came before the end, nobody wants the rest: the connection is of no more use.
    if (!request.writableEnded) request.destroy();
  }
}

/** Two buffers take turns: one is on its way while the other is filled. */
async function sendPieces(
  { request, answered }: Exchange,
  source: SourceFile,
  offset: number,
  sent: (bytes: number) => void,
): Promise<void> {
  const { size } = source.ref;
  const length = Math.min(BLOB_CHUNK_BYTES, size);
  const turns = [0, 1].map(() => ({ buffer: Buffer.allocUnsafeSlow(length), gone: Promise.resolve() }));
  const over = answered.then(() => true);
  over.catch(() => {});
  for (let at = offset, turn = 0; at < size; turn ^= 1) {
    const mine = turns[turn] as (typeof turns)[number];
    if ((await Promise.race([mine.gone, over])) === true) return;
    const piece = await source.read(mine.buffer, at);
    mine.gone = new Promise((resolve) => request.write(piece, () => resolve()));
    at += piece.length;
    sent(at);
  }
  request.end();
}
