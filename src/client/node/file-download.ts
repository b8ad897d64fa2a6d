import { createHash, type Hash } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import type http from 'node:http';
import { fileURLToPath } from 'node:url';
import type { BlobRef } from '../../model/envelope.ts';
import { BLOB_CHUNK_BYTES } from '../../model/limits.ts';
import { FarmError } from '../farm-error.ts';
import type { Moved } from '../surroundings.ts';
import { type BlobHttp, LocalFault, refusal, Transient } from './blob-http.ts';
import { giveBack } from './lent-reads.ts';

/**
 * Writes a blob of any size into FILE.part, and gives it its name once it is whole and right. What was cut, or what a
 * program before has left of it, goes on where it ends. Bytes with another hash are fetched once more, and then refused
 * (T-24); nothing of them is kept.
 */
export async function downloadFile(http: BlobHttp, ref: BlobRef, file: URL, moved: Moved = () => {}): Promise<void> {
  const path = fileURLToPath(file);
  if ((await stat(path).catch(() => undefined))?.isDirectory()) {
    throw Object.assign(new Error(`${path} is a directory`), { code: 'EISDIR', path });
  }
  const part = await PartFile.open(`${path}.part`, ref.size);
  try {
    let wasWrong = false;
    await http.transfer(`GET /v1/blobs/${ref.sha256}`, async (advanced) => {
      if (part.size < ref.size) {
        await receive(http, ref, part, (bytes) => {
          advanced();
          moved(bytes, ref.size);
        });
      }
      const found = part.digest();
      if (found === ref.sha256) return;
      await part.restart();
      if (wasWrong)
        throw new FarmError('damaged', `its bytes have the SHA-256 ${found}: they were changed on their way`);
      wasWrong = true;
      throw new Transient('its bytes do not have its SHA-256');
    });
    await part.finish(path);
    moved(ref.size, ref.size);
  } finally {
    await part.close();
  }
}

async function receive(http: BlobHttp, ref: BlobRef, part: PartFile, got: (bytes: number) => void): Promise<void> {
  const { request, answered } = http.begin('GET', ref.sha256, part.size > 0 ? { range: `bytes=${part.size}-` } : {});
  request.end();
  const response = await answered;
  const { statusCode } = response;
  if (statusCode === 416) await part.restart();
  if (statusCode !== 200 && statusCode !== 206) throw statusCode === 416 ? new Transient() : await refusal(response);
  const from = statusCode === 200 ? 0 : startOf(response);
  if (from !== part.size) await part.restart();
  if (from !== part.size) throw new Transient(`the server sent bytes from ${from} on`);
  try {
    await gather(response, ref, part, got);
  } finally {
    response.destroy();
  }
  if (part.size < ref.size) throw new Transient(`it ended after ${part.size} of ${ref.size} bytes`);
}

/** Small pieces are joined: a write costs more than its bytes. What came before a cut is written too. */
async function gather(
  response: http.IncomingMessage,
  ref: BlobRef,
  part: PartFile,
  got: (bytes: number) => void,
): Promise<void> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    await part.append(pieces, bytes);
    for (const piece of pieces) giveBack(piece);
    if (bytes > 0) got(part.size);
    pieces = [];
    bytes = 0;
  };
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      if (part.size + bytes + piece.length > ref.size) throw new Transient(`it is longer than its ${ref.size} bytes`);
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= BLOB_CHUNK_BYTES) await flush();
    }
  } finally {
    await flush();
  }
}

/** Where a range begins. */
function startOf({ headers }: http.IncomingMessage): number {
  return Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? Number.NaN);
}

/** The bytes that have come so far, and their hash. */
class PartFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #sum: Hash = createHash('sha256');
  #size = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** With what is there of `most` bytes. */
  static async open(path: string, most: number): Promise<PartFile> {
    const part = new PartFile(path, await open(path, constants.O_RDWR | constants.O_CREAT));
    const { size } = await part.#handle.stat();
    if (size > most) await part.restart();
    else await part.#read();
    return part;
  }

  get size(): number {
    return this.#size;
  }

  digest(): string {
    return this.#sum.copy().digest('hex');
  }

  async append(pieces: readonly Buffer[], bytes: number): Promise<void> {
    if (bytes === 0) return;
    try {
      const { bytesWritten } = await this.#handle.writev(pieces, this.#size);
      if (bytesWritten < bytes) {
        // A disk that is nearly full takes a part; the rest then fails with the reason.
        const rest = Buffer.concat(pieces).subarray(bytesWritten);
        for (let at = 0; at < rest.length; ) {
          const step = await this.#handle.write(rest, at, rest.length - at, this.#size + bytesWritten + at);
          at += step.bytesWritten;
        }
      }
    } catch (error) {
      throw new LocalFault(error);
    }
    for (const piece of pieces) this.#sum.update(piece);
    this.#size += bytes;
  }

  async restart(): Promise<void> {
    this.#sum = createHash('sha256');
    this.#size = 0;
    await this.#handle.truncate(0);
  }

  async finish(path: string): Promise<void> {
    await this.#handle.datasync();
    await rename(this.#path, path);
  }

  /** One without a byte is of no use to anybody. */
  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#size === 0) await rm(this.#path, { force: true });
  }

  async #read(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(BLOB_CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#size);
      if (bytesRead === 0) return;
      this.#sum.update(buffer.subarray(0, bytesRead));
      this.#size += bytesRead;
    }
  }
}
