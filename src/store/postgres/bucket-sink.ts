import {
  BUCKET_LARGE_PART_BYTES,
  BUCKET_PART_BYTES,
  BUCKET_PARTS,
  BUCKET_SMALL_PARTS,
  BUCKET_STAY_INTERVAL,
} from '../../model/bucket-limits.ts';
import { BlobError } from '../blobs.ts';
import type { Bucket } from '../s3/bucket.ts';
import type { BlobRows, Upload } from './blob-rows.ts';
import type { UploadSink } from './upload-sink.ts';

/** The object that an upload becomes. Each upload has its own, so that deleting one never hits another of the same bytes. */
export const keyOf = (sha256: string, upload: number): string => `blobs/${sha256}-${upload}`;

/**
 * Into a bucket (D24). What comes is gathered until it is a part; one part is on its way while the next one is gathered. What is kept
 * of a cut upload is its parts, and the rest as rows. A small blob has no parts: it is put as a whole.
 */
export class BucketSink implements UploadSink {
  failed: unknown;
  readonly #rows: BlobRows;
  readonly #bucket: Bucket;
  readonly #upload: Upload;
  readonly #key: string;
  /** Until here it is in rows, from the end of the last part on. */
  #rowsTo: number;
  /** Bytes from `#from` on that are in memory, the part on its way among them. */
  #pieces: Uint8Array[] = [];
  #from: number;
  #to: number;
  #sending: Promise<void> = Promise.resolve();
  #sendingTo: number;
  #stayed = performance.now();

  constructor(rows: BlobRows, bucket: Bucket, upload: Upload) {
    this.#rows = rows;
    this.#bucket = bucket;
    this.#upload = upload;
    this.#key = keyOf(upload.sha256, upload.id);
    this.#rowsTo = upload.size;
    this.#from = upload.size;
    this.#to = upload.size;
    this.#sendingTo = upload.in_parts;
  }

  async append(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#to += piece.length;
    while (this.#to - this.#sendingTo >= this.#partBytes) await this.#send();
    if (performance.now() - this.#stayed > BUCKET_STAY_INTERVAL) await this.#stay();
  }

  async still(): Promise<void> {
    await this.#sent().catch(() => undefined);
  }

  async keep(): Promise<void> {
    await this.still();
    let at = this.#from;
    for (const piece of this.#pieces) {
      const rest = piece.subarray(Math.max(0, this.#rowsTo - at));
      at += piece.length;
      if (rest.length > 0) await this.#rows.append(this.#upload.id, at - rest.length, rest);
      this.#rowsTo = Math.max(this.#rowsTo, at);
    }
  }

  async finish(): Promise<void> {
    await this.#sent();
    await this.#load();
    const rest = this.#bytes(this.#upload.in_parts, this.#to);
    try {
      const { parts, tags } = this.#upload;
      if (parts === null) return await this.#bucket.put(this.#key, rest);
      const last = rest.length === 0 ? [] : [await this.#put(parts, tags.length + 1, rest)];
      await this.#bucket.complete(this.#key, parts, [...tags, ...last], this.#to);
    } catch (error) {
      this.failed = error;
      throw error;
    }
  }

  get #partBytes(): number {
    // The one on its way is not among the tags.
    const sent = this.#upload.tags.length + (this.#sendingTo > this.#upload.in_parts ? 1 : 0);
    if (sent >= BUCKET_PARTS - 1) throw new BlobError('full', 'a blob in a bucket has 350 GiB at most');
    return sent < BUCKET_SMALL_PARTS ? BUCKET_PART_BYTES : BUCKET_LARGE_PART_BYTES;
  }

  /** Waits for the part before. */
  async #send(): Promise<void> {
    await this.#sent();
    await this.#load();
    const before = this.#upload.in_parts;
    const end = before + this.#partBytes;
    const part = this.#bytes(before, end);
    this.#sendingTo = end;
    this.#sending = this.#sendPart(part, before, end);
    // Seen by whoever comes next.
    this.#sending.catch(() => undefined);
  }

  async #sendPart(part: Uint8Array, before: number, end: number): Promise<void> {
    const { id, tags } = this.#upload;
    const parts = this.#upload.parts ?? (await this.#begin());
    const tag = await this.#put(parts, tags.length + 1, part);
    await this.#rows.change('part', [id, tags.length + 1, tag, end, before]);
    tags.push(tag);
    this.#upload.in_parts = end;
    this.#rowsTo = Math.max(this.#rowsTo, end);
    this.#drop(end);
    this.#stayed = performance.now();
  }

  async #sent(): Promise<void> {
    try {
      await this.#sending;
    } catch (error) {
      this.failed = error;
      this.#sendingTo = this.#upload.in_parts;
      throw error;
    }
  }

  async #begin(): Promise<string> {
    const parts = await this.#bucket.begin(this.#key);
    await this.#rows.change('parts', [this.#upload.id, parts]);
    this.#upload.parts = parts;
    return parts;
  }

  #put(parts: string, number: number, bytes: Uint8Array): Promise<string> {
    return this.#bucket.putPart(this.#key, parts, number, bytes);
  }

  /** What is in rows, too. */
  async #load(): Promise<void> {
    const { id, in_parts: start } = this.#upload;
    if (this.#from <= start) return;
    const rows: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.#rows.read(id, start, this.#from)) {
      rows.push(piece);
      length += piece.length;
    }
    if (length !== this.#from - start)
      throw new BlobError('offset', 'the upload was given up meanwhile: begin it again');
    this.#pieces.unshift(...rows);
    this.#from = start;
  }

  async #stay(): Promise<void> {
    await this.#rows.change('stay', [this.#upload.id]);
    this.#stayed = performance.now();
  }

  #bytes(start: number, end: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let at = this.#from;
    for (const piece of this.#pieces) {
      const part = piece.subarray(Math.max(0, start - at), Math.max(0, end - at));
      if (part.length > 0) parts.push(part);
      at += piece.length;
    }
    return Buffer.concat(parts);
  }

  /** Forgets what is before. */
  #drop(end: number): void {
    while (this.#pieces.length > 0) {
      const [first] = this.#pieces as [Uint8Array];
      if (this.#from + first.length > end) break;
      this.#from += first.length;
      this.#pieces.shift();
    }
    const [first] = this.#pieces;
    if (first === undefined || this.#from >= end) return;
    this.#pieces[0] = first.subarray(end - this.#from);
    this.#from = end;
  }
}
