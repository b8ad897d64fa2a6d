import { open } from 'node:fs/promises';
import path from 'node:path';
import { BLOB_CHUNK_BYTES, BLOB_READ_BUFFERS } from '../../model/limits.ts';
import { BlobError } from '../blobs.ts';

/**
 * Reads files in large pieces. A piece is lent until the next one is asked for, so that a thousand reads fill the same
 * few buffers: memory that is new costs the kernel more than the reading does, and the garbage collector more still.
 */
export class BlobReader {
  readonly #free: Buffer[] = [];

  /** The file is open only while somebody reads. */
  async *read(file: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    if (start >= end) return;
    const handle = await open(file, 'r');
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOB_CHUNK_BYTES);
    try {
      for (let at = start; at < end; ) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
        if (bytesRead === 0) throw new BlobError('corrupt', `${path.basename(file)} ends at ${at}, before ${end}`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      if (this.#free.length < BLOB_READ_BUFFERS) this.#free.push(buffer);
      await handle.close();
    }
  }
}
