import type { BlobRows, Upload } from './blob-rows.ts';

/** Where the bytes of an upload go, one piece after the other. */
export interface UploadSink {
  /** Why it takes no more, though all that it was given can be kept. */
  readonly failed: unknown;
  append(piece: Uint8Array): Promise<void>;
  /** Nothing of it is on its way any more, and nothing will be. */
  still(): Promise<void>;
  /** What came is kept, for whoever goes on. */
  keep(): Promise<void>;
  /** What came is all there is. */
  finish(): Promise<void>;
}

/** Into rows of the database: each is kept at once. */
export class RowSink implements UploadSink {
  readonly failed = undefined;
  readonly #rows: BlobRows;
  readonly #upload: Upload;
  #at: number;

  constructor(rows: BlobRows, upload: Upload) {
    this.#rows = rows;
    this.#upload = upload;
    this.#at = upload.size;
  }

  async append(piece: Uint8Array): Promise<void> {
    await this.#rows.append(this.#upload.id, this.#at, piece);
    this.#at += piece.length;
  }

  async still(): Promise<void> {}

  async keep(): Promise<void> {}

  async finish(): Promise<void> {}
}
