import { createHash } from 'node:crypto';
import { BlobError, type BlobStore } from '../../store/blobs.ts';

/** Blobs in memory that survive their server: enough for task code, which is small. */
export class MemoryBlobs implements BlobStore {
  readonly #blobs = new Map<string, Uint8Array>();

  async put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const parts: Uint8Array[] = [];
    for await (const part of bytes) parts.push(part);
    const whole = Buffer.concat(parts);
    if (createHash('sha256').update(whole).digest('hex') !== sha256)
      throw new BlobError('mismatch', `the bytes of blob ${sha256} are others`);
    this.#blobs.set(sha256, whole);
    return { size: whole.length };
  }

  async size(sha256: string): Promise<number | undefined> {
    return this.#blobs.get(sha256)?.length;
  }

  async read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const bytes = this.#blobs.get(sha256);
    return bytes === undefined ? undefined : once(range === undefined ? bytes : bytes.subarray(range.start, range.end));
  }

  async partial(): Promise<number> {
    return 0;
  }

  async append(
    sha256: string,
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<{ size: number; whole: boolean }> {
    if (offset !== 0)
      throw new BlobError('offset', `nothing of blob ${sha256} is kept, so it cannot go on at ${offset}`);
    return { ...(await this.put(sha256, bytes)), whole: true };
  }

  async verify(sha256: string): Promise<boolean> {
    return this.#blobs.has(sha256);
  }

  async *list(): AsyncIterable<string> {
    yield* [...this.#blobs.keys()].sort();
  }

  async delete(sha256: string): Promise<void> {
    this.#blobs.delete(sha256);
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
