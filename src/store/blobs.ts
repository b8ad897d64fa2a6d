/** Bytes named by their SHA-256 (64 lower-case hex digits). Whole or absent, never half (D9). */
export interface BlobStore {
  /**
   * Streams bytes in, verifies the hash, syncs, then the blob exists. Rejects with {@link BlobError} `mismatch` and keeps
   * nothing otherwise. Writing one that exists already reads nothing and succeeds.
   */
  put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }>;

  /** Bytes; undefined: not here. */
  size(sha256: string): Promise<number | undefined>;

  /** The bytes from `start` up to and without `end`. Undefined: not here. */
  read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** How much of a cut upload is kept, for resuming; 0: nothing. */
  partial(sha256: string): Promise<number>;

  /** Goes on with a cut upload at `offset`, which must be what `partial` says. */
  append(
    sha256: string,
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
    total: number,
  ): Promise<{ size: number; whole: boolean }>;

  /** Every blob older than this, oldest first, for the garbage collector. */
  list(olderThan: number): AsyncIterable<string>;

  delete(sha256: string): Promise<void>;
}

export class BlobError extends Error {
  readonly code: 'mismatch' | 'full' | 'corrupt' | 'offset';

  constructor(code: BlobError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BlobError';
    this.code = code;
  }
}
