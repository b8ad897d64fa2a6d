import { createHash, type Hash } from 'node:crypto';
import { BUCKET_SWEEP_INTERVAL } from '../../model/bucket-limits.ts';
import { BLOB_HASHES_KEPT, BLOB_RENEW, BLOBS_KNOWN_WHOLE } from '../../model/limits.ts';
import { BlobError, type BlobStore, isBlobName } from '../blobs.ts';
import type { Bucket } from '../s3/bucket.ts';
import { StoreError } from '../store.ts';
import { BlobRows, inRows, type Upload } from './blob-rows.ts';
import { BucketSink, keyOf } from './bucket-sink.ts';
import type { Line } from './line.ts';
import { RowSink, type UploadSink } from './upload-sink.ts';

interface Progress {
  readonly size: number;
  /** Absent: what is in parts of a bucket cannot be read yet. */
  readonly hash: Hash | undefined;
}

interface Written extends Progress {
  readonly sink: UploadSink;
  /** Why no more came. */
  readonly cause: unknown;
}

interface Found {
  readonly upload: number;
  readonly size: number;
  readonly in_bucket: boolean;
  /** Milliseconds since it was used. */
  readonly age: number;
}

/**
 * Blobs of several servers: which there are is told by rows of their database, and their bytes are in rows, too, or in a bucket (D24).
 * Each row is a transaction of its own, so that none is long.
 */
export class PostgresBlobs implements BlobStore {
  readonly #rows: BlobRows;
  readonly #bucket: Bucket | undefined;
  /** Hashes of kept uploads so far, oldest first. */
  readonly #hashes = new Map<number, Progress>();
  /** Uploads whose bytes this process has hashed, by the blob they are. */
  readonly #whole = new Map<string, number>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(line: Line, bucket: Bucket | undefined) {
    this.#rows = new BlobRows(line);
    this.#bucket = bucket;
  }

  async put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const size = await this.size(sha256);
    if (size !== undefined) return { size };
    refuseOtherNames(sha256);
    const upload = await this.#begin(sha256);
    const written = await this.#write(upload, { size: 0, hash: createHash('sha256') }, bytes);
    const cause = written.cause ?? (await this.#finish(upload, written));
    if (cause === undefined) return { size: written.size };
    await this.#keep(upload, written);
    throw cause;
  }

  /** Any other server may have put it there a moment ago. */
  mayHave(sha256: string): boolean {
    return isBlobName(sha256);
  }

  async size(sha256: string): Promise<number | undefined> {
    const found = await this.#find(sha256);
    if (found === undefined) return undefined;
    if (found.age > BLOB_RENEW) await this.#rows.ask('renew', [sha256]);
    return found.size;
  }

  async read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const found = await this.#find(sha256);
    if (found === undefined) return undefined;
    const { upload, size, in_bucket } = found;
    const part = () => this.#exactly(sha256, found, range?.start ?? 0, Math.min(range?.end ?? size, size));
    if (this.#whole.get(sha256) === upload) return part();
    if (range === undefined) return this.#hashed(sha256, found);
    // A bucket has checksums of its own, and each reading of it is paid for.
    if (!in_bucket) for await (const _ of this.#hashed(sha256, found));
    return part();
  }

  async partial(sha256: string): Promise<number> {
    return (await this.#kept(sha256))?.size ?? 0;
  }

  async append(sha256: string, offset: number, bytes: AsyncIterable<Uint8Array>, total: number) {
    refuseOtherNames(sha256);
    const upload = await this.#take(sha256, offset);
    const written = await this.#write(upload, await this.#progress(upload), bytes);
    const isWhole = written.cause === undefined && written.size >= total;
    const cause = isWhole ? await this.#finish(upload, written) : written.cause;
    if (isWhole && cause === undefined) return { size: written.size, whole: true };
    await written.sink.keep();
    this.#remember(upload, written);
    await this.#rows.ask('release', [upload.id]);
    if (cause !== undefined) throw cause;
    return { size: written.size, whole: false };
  }

  async *names(): AsyncIterable<string> {
    for (let after = ''; ; ) {
      const { rows } = await this.#rows.ask('names', [after]);
      if (rows.length === 0) return;
      for (const row of rows) yield row['sha256'];
      after = rows.at(-1)?.['sha256'];
    }
  }

  async *list(olderThan: number): AsyncIterable<string> {
    for (const upload of (await this.#rows.ask('oldUploads', [olderThan])).rows) await this.#drop(upload as Upload);
    await this.#sweep(olderThan);
    for (const row of (await this.#rows.ask('old', [olderThan])).rows) yield row['sha256'];
  }

  async delete(sha256: string, olderThan = Number.POSITIVE_INFINITY): Promise<void> {
    const before = Number.isFinite(olderThan) ? olderThan : null;
    const upload = await this.#rows.upload('delete', [sha256, before]);
    if (upload === undefined) return;
    this.#whole.delete(sha256);
    await this.#dropNowOrLater(upload);
  }

  async #begin(sha256: string): Promise<Upload> {
    return (await this.#rows.upload('begin', [sha256, this.#bucket !== undefined])) as Upload;
  }

  /** What a cut upload goes on with; nothing is kept and nothing is there: a new one. */
  async #take(sha256: string, offset: number): Promise<Upload> {
    const taken = await this.#rows.upload('take', [sha256, offset]);
    if (taken !== undefined) return taken;
    const kept = await this.#kept(sha256);
    if (kept !== undefined || offset > 0) {
      const size = kept?.size ?? 0;
      const why = size === offset ? 'another upload of it is under way' : `${size} bytes are kept`;
      throw new BlobError('offset', `${why}, the upload goes on at ${offset}`);
    }
    const upload = await this.#begin(sha256);
    await this.#become(upload);
    return (await this.#rows.upload('take', [sha256, 0])) ?? upload;
  }

  async #become(upload: Upload): Promise<void> {
    try {
      await this.#rows.ask('keep', [upload.id]);
    } catch (error) {
      await this.#drop(upload);
      throw new BlobError('offset', 'another upload of it has just begun', { cause: error });
    }
  }

  async #write(upload: Upload, { size, hash }: Progress, bytes: AsyncIterable<Uint8Array>): Promise<Written> {
    const sink = this.#sink(upload);
    const rows = inRows(bytes);
    let to = size;
    for (;;) {
      const next = await rows.next();
      if (next.done === true) return { size: to, hash, sink, cause: next.value };
      hash?.update(next.value);
      to += next.value.length;
      try {
        await sink.append(next.value);
      } catch (error) {
        await rows.return(undefined);
        if (error !== sink.failed) throw error;
        return { size: to, hash, sink, cause: error };
      }
    }
  }

  #sink(upload: Upload): UploadSink {
    return upload.in_bucket ? new BucketSink(this.#rows, this.#inBucket, upload) : new RowSink(this.#rows, upload);
  }

  get #inBucket(): Bucket {
    if (this.#bucket === undefined) throw new StoreError('broken', 'the bucket of the farm is not open here');
    return this.#bucket;
  }

  /** Returns why it could not be finished, if what came can be kept. */
  async #finish(upload: Upload, { size, hash, sink }: Written): Promise<unknown> {
    const { id, sha256, in_bucket } = upload;
    await sink.still();
    await this.#compare(upload, hash?.copy().digest('hex'));
    try {
      await sink.finish();
    } catch (error) {
      if (error !== sink.failed) throw error;
      return error;
    }
    if (hash === undefined) await this.#compare(upload, await this.#hashOf(upload, size));
    this.#hashes.delete(id);
    await this.#rows.ask('finish', [id, sha256, size, in_bucket]);
    const blob = await this.#find(sha256);
    if (blob?.upload === id) this.#know(sha256, id);
    // Another one was first.
    else await this.#dropNowOrLater(upload);
    return undefined;
  }

  async #compare(upload: Upload, found: string | undefined): Promise<void> {
    const { id, sha256 } = upload;
    if (found === undefined || found === sha256) return;
    this.#hashes.delete(id);
    await this.#dropNowOrLater(upload);
    throw new BlobError('mismatch', `the bytes named ${sha256} have the SHA-256 ${found}`);
  }

  async #hashOf({ id, sha256, in_bucket }: Upload, size: number): Promise<string> {
    const hash = createHash('sha256');
    for await (const part of this.#bytes(sha256, { upload: id, in_bucket }, 0, size)) hash.update(part);
    return hash.digest('hex');
  }

  /** The longest of the cut uploads of a blob is kept for going on. */
  async #keep(upload: Upload, written: Written): Promise<void> {
    const kept = await this.#kept(upload.sha256);
    await written.sink.still();
    if (written.size === 0 || (kept !== undefined && kept.size >= written.size))
      return await this.#dropNowOrLater(upload);
    await written.sink.keep();
    if (kept !== undefined) await this.#rows.ask('unkeep', [kept.id]);
    await this.#become(upload).catch(() => undefined);
    this.#remember(upload, written);
  }

  async #progress(upload: Upload): Promise<Progress> {
    const { id, size, in_parts } = upload;
    const known = this.#hashes.get(id);
    this.#hashes.delete(id);
    if (known?.size === size) return known;
    if (in_parts > 0) return { size, hash: undefined };
    const hash = createHash('sha256');
    for await (const part of this.#rows.read(id, 0, size)) hash.update(part);
    return { size, hash };
  }

  #remember({ id }: Upload, { size, hash }: Progress): void {
    this.#hashes.delete(id);
    this.#hashes.set(id, { size, hash });
    if (this.#hashes.size > BLOB_HASHES_KEPT) this.#hashes.delete(this.#hashes.keys().next().value as number);
  }

  /** It may not be all: whoever reads counts. */
  #bytes(
    sha256: string,
    of: Pick<Found, 'upload' | 'in_bucket'>,
    start: number,
    end: number,
  ): AsyncIterable<Uint8Array> {
    if (!of.in_bucket) return this.#rows.read(of.upload, start, end);
    return this.#inBucket.read(keyOf(sha256, of.upload), start, end);
  }

  async *#exactly(sha256: string, found: Found, start: number, end: number): AsyncGenerator<Uint8Array> {
    let at = start;
    for await (const part of this.#bytes(sha256, found, start, end)) {
      at += part.length;
      yield part;
    }
    if (at < end) await this.#setAside(sha256, found);
  }

  /** All bytes; the last of them only once the whole is known to be what its name says. */
  async *#hashed(sha256: string, found: Found): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let last: Uint8Array | undefined;
    for await (const part of this.#bytes(sha256, found, 0, found.size)) {
      if (last !== undefined) yield last;
      hash.update(part);
      last = part;
    }
    if (hash.digest('hex') !== sha256) await this.#setAside(sha256, found);
    this.#know(sha256, found.upload);
    if (last !== undefined) yield last;
  }

  async #setAside(sha256: string, { upload }: Found): Promise<never> {
    await this.#rows.ask('setAside', [sha256, upload]);
    this.#whole.delete(sha256);
    throw new BlobError(
      'corrupt',
      `blob ${sha256} is not what was written; it was set aside in the table damaged_blobs`,
    );
  }

  #know(sha256: string, upload: number): void {
    this.#whole.delete(sha256);
    this.#whole.set(sha256, upload);
    if (this.#whole.size > BLOBS_KNOWN_WHOLE) this.#whole.delete(this.#whole.keys().next().value as string);
  }

  /** All of it and its row; a crash in between leaves the row, by which it is found. */
  async #drop({ id, sha256, in_bucket, parts }: Upload): Promise<void> {
    if (in_bucket) {
      if (parts !== null) await this.#inBucket.abort(keyOf(sha256, id), parts);
      await this.#inBucket.delete(keyOf(sha256, id));
    }
    await this.#rows.drop(id);
  }

  /** Nobody has to wait for a bucket that does not answer: as an old upload it is dropped later. */
  async #dropNowOrLater(upload: Upload): Promise<void> {
    await this.#drop(upload).catch((error: unknown) => {
      if (!upload.in_bucket || !(error instanceof StoreError)) throw error;
    });
  }

  /** A server that died between beginning an upload in the bucket and writing that down. */
  async #sweep(olderThan: number): Promise<void> {
    const now = performance.now();
    if (this.#bucket === undefined || now - this.#sweptAt < BUCKET_SWEEP_INTERVAL) return;
    this.#sweptAt = now;
    for await (const { key, parts, since } of this.#bucket.openParts()) {
      if (since >= olderThan || (await this.#rows.ask('isPart', [parts])).count > 0) continue;
      await this.#bucket.abort(key, parts);
    }
  }

  async #find(sha256: string): Promise<Found | undefined> {
    if (!isBlobName(sha256)) return undefined;
    return (await this.#rows.ask('size', [sha256])).rows[0] as Found | undefined;
  }

  async #kept(sha256: string): Promise<Upload | undefined> {
    if (!isBlobName(sha256)) return undefined;
    return await this.#rows.upload('kept', [sha256]);
  }
}

function refuseOtherNames(sha256: string): void {
  if (!isBlobName(sha256)) throw new BlobError('mismatch', `'${sha256}' is no SHA-256: 64 lower-case hex digits`);
}
