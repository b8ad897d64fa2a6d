/** Bytes named by their SHA-256 (64 lower-case hex digits). Whole or absent, never half (D9). */
export interface BlobStore {
  /**
   * Streams bytes in, verifies the hash, syncs, then the blob exists. Rejects with {@link BlobError} `mismatch` and keeps
   * nothing otherwise. Writing one that exists already reads nothing and succeeds. If `bytes` throws, what came so far is
   * kept for `append`.
   */
  put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }>;

  /** Bytes; undefined: not here. Asking, like writing, makes the blob young again, so that what is about to be referred to is not collected. */
  size(sha256: string): Promise<number | undefined>;

  /** False: it is surely not here. Costs nothing, and may be true of one that is not here. */
  mayHave(sha256: string): boolean;

  /**
   * The bytes from `start` up to and without `end`. Undefined: not here. Never the end of a blob whose bytes are not its
   * own any more: the stream breaks off with `corrupt`, and the blob is set aside and counts as not here (D16, F-26).
   * A piece is lent until the next one is asked for.
   */
  read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined>;

  /** How much of a cut upload is kept, for resuming; 0: nothing. */
  partial(sha256: string): Promise<number>;

  /** Goes on with a cut upload at `offset`, which must be what `partial` says; alone: of two at once, one gets `offset`. */
  append(
    sha256: string,
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
    total: number,
  ): Promise<{ size: number; whole: boolean }>;

  /** Every blob that is here, for a backup. */
  names(): AsyncIterable<string>;

  /** Every blob older than this wall clock time, oldest first, for the garbage collector; cut uploads as old are dropped on the way. */
  list(olderThan: number): AsyncIterable<string>;

  /** Deletes it, unless it has become younger than `olderThan` meanwhile (F-27). */
  delete(sha256: string, olderThan?: number): Promise<void>;
}

export class BlobError extends Error {
  readonly code: 'mismatch' | 'full' | 'corrupt' | 'offset';

  constructor(code: BlobError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BlobError';
    this.code = code;
  }
}

/** Whether this is how a blob is named. Anything else is never here, and never becomes a path. */
export function isBlobName(sha256: string): boolean {
  return /^[0-9a-f]{64}$/.test(sha256);
}
