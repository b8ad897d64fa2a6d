import { createHash } from 'node:crypto';
import { BlobError, type BlobStore, isBlobName } from '../blobs.ts';

/** The reference. Give it a clock if anything shall ever be old. */
export class MemoryBlobs implements BlobStore {
  readonly #now: () => number;
  readonly #whole = new Map<string, { readonly bytes: Uint8Array; usedAt: number }>();
  readonly #parts = new Map<string, { readonly bytes: Uint8Array; readonly usedAt: number }>();
  readonly #appending = new Set<string>();

  constructor(now: () => number = () => 0) {
    this.#now = now;
  }

  /** Without a trace, for tests: {@link size} makes a blob young. */
  has(sha256: string): boolean {
    return this.#whole.has(sha256);
  }

  async put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const size = await this.size(sha256);
    if (size !== undefined) return { size };
    const all = await this.#gather(sha256, Buffer.alloc(0), bytes);
    return { size: this.#finish(sha256, all) };
  }

  mayHave(sha256: string): boolean {
    return this.#whole.has(sha256);
  }

  async size(sha256: string): Promise<number | undefined> {
    const blob = this.#whole.get(sha256);
    if (blob !== undefined) blob.usedAt = this.#now();
    return blob?.bytes.length;
  }

  async read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const blob = this.#whole.get(sha256);
    if (blob === undefined) return undefined;
    const bytes = new Uint8Array(blob.bytes.subarray(range?.start, range?.end));
    return (async function* () {
      if (bytes.length > 0) yield bytes;
    })();
  }

  async partial(sha256: string): Promise<number> {
    return this.#parts.get(sha256)?.bytes.length ?? 0;
  }

  async append(sha256: string, offset: number, bytes: AsyncIterable<Uint8Array>, total: number) {
    const kept = this.#parts.get(sha256)?.bytes ?? Buffer.alloc(0);
    if (kept.length !== offset || this.#appending.has(sha256)) {
      throw new BlobError('offset', `${kept.length} bytes are kept, the upload goes on at ${offset}`);
    }
    this.#appending.add(sha256);
    try {
      const all = await this.#gather(sha256, kept, bytes);
      if (all.length >= total) return { size: this.#finish(sha256, all), whole: true };
      this.#parts.set(sha256, { bytes: all, usedAt: this.#now() });
      return { size: all.length, whole: false };
    } finally {
      this.#appending.delete(sha256);
    }
  }

  async *names(): AsyncIterable<string> {
    yield* [...this.#whole.keys()];
  }

  async *list(olderThan: number): AsyncIterable<string> {
    for (const [name, { usedAt }] of [...this.#parts]) if (usedAt < olderThan) this.#parts.delete(name);
    const old = [...this.#whole].filter(([, { usedAt }]) => usedAt < olderThan);
    for (const [name] of old.sort(([, a], [, b]) => a.usedAt - b.usedAt)) yield name;
  }

  async delete(sha256: string, olderThan = Number.POSITIVE_INFINITY): Promise<void> {
    const blob = this.#whole.get(sha256);
    if (blob !== undefined && blob.usedAt < olderThan) this.#whole.delete(sha256);
  }

  /** Keeps what came if the rest does not. */
  async #gather(sha256: string, before: Uint8Array, bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const parts = [before];
    try {
      for await (const part of bytes) parts.push(new Uint8Array(part));
    } catch (error) {
      this.#parts.set(sha256, { bytes: Buffer.concat(parts), usedAt: this.#now() });
      throw error;
    }
    return Buffer.concat(parts);
  }

  #finish(sha256: string, bytes: Uint8Array): number {
    this.#parts.delete(sha256);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found !== sha256 || !isBlobName(sha256)) {
      throw new BlobError('mismatch', `the bytes named ${sha256} have the SHA-256 ${found}`);
    }
    this.#whole.set(sha256, { bytes, usedAt: this.#now() });
    return bytes.length;
  }
}
