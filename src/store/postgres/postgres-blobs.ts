import { createHash, type Hash } from 'node:crypto';
import { BLOB_HASHES_KEPT, BLOB_RENEW, BLOBS_KNOWN_WHOLE } from '../../model/limits.ts';
import { BlobError, type BlobStore, isBlobName } from '../blobs.ts';
import { BlobRows, inRows } from './blob-rows.ts';
import type { Line } from './line.ts';

interface Written {
  readonly size: number;
  readonly hash: Hash;
  /** Why no more came. */
  readonly cause: unknown;
}

/** Blobs as rows of a database that several servers share. Each row is a transaction of its own, so that none is long. */
export class PostgresBlobs implements BlobStore {
  readonly #rows: BlobRows;
  /** Hashes of kept uploads so far, oldest first. */
  readonly #hashes = new Map<number, { size: number; hash: Hash }>();
  /** Uploads whose bytes this process has hashed, by the blob they are. */
  readonly #whole = new Map<string, number>();

  constructor(line: Line) {
    this.#rows = new BlobRows(line);
  }

  async put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const size = await this.size(sha256);
    if (size !== undefined) return { size };
    refuseOtherNames(sha256);
    const upload = (await this.#rows.id('begin', [sha256])) as number;
    const written = await this.#write(upload, { size: 0, hash: createHash('sha256') }, bytes);
    if (written.cause !== undefined) {
      await this.#keep(sha256, upload, written);
      throw written.cause;
    }
    return { size: await this.#finish(sha256, upload, written) };
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
    const { upload, size } = found;
    const part = (): AsyncIterable<Uint8Array> =>
      this.#rows.read(upload, range?.start ?? 0, Math.min(range?.end ?? size, size));
    if (this.#whole.get(sha256) === upload) return part();
    const all = this.#hashed(sha256, upload, size);
    if (range === undefined) return all;
    for await (const _ of all);
    return part();
  }

  async partial(sha256: string): Promise<number> {
    return (await this.#kept(sha256))?.size ?? 0;
  }

  async append(sha256: string, offset: number, bytes: AsyncIterable<Uint8Array>, total: number) {
    refuseOtherNames(sha256);
    const upload = await this.#take(sha256, offset);
    const written = await this.#write(upload, await this.#progress(upload, offset), bytes);
    if (written.cause === undefined && written.size >= total) {
      return { size: await this.#finish(sha256, upload, written), whole: true };
    }
    this.#remember(upload, written);
    await this.#rows.ask('release', [upload]);
    if (written.cause !== undefined) throw written.cause;
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
    for (const { id } of (await this.#rows.ask('oldUploads', [olderThan])).rows) await this.#rows.drop(id);
    for (const row of (await this.#rows.ask('old', [olderThan])).rows) yield row['sha256'];
  }

  async delete(sha256: string, olderThan = Number.POSITIVE_INFINITY): Promise<void> {
    const before = Number.isFinite(olderThan) ? olderThan : null;
    const upload = await this.#rows.id('delete', [sha256, before]);
    if (upload === undefined) return;
    this.#whole.delete(sha256);
    await this.#rows.drop(upload);
  }

  /** What a cut upload goes on with; nothing is kept and nothing is there: a new one. */
  async #take(sha256: string, offset: number): Promise<number> {
    const taken = await this.#rows.id('take', [sha256, offset]);
    if (taken !== undefined) return taken;
    const kept = await this.#kept(sha256);
    if (kept !== undefined || offset > 0) {
      const size = kept?.size ?? 0;
      const why = size === offset ? 'another upload of it is under way' : `${size} bytes are kept`;
      throw new BlobError('offset', `${why}, the upload goes on at ${offset}`);
    }
    const upload = (await this.#rows.id('begin', [sha256])) as number;
    await this.#become(upload);
    return (await this.#rows.id('take', [sha256, 0])) ?? upload;
  }

  async #become(upload: number): Promise<void> {
    try {
      await this.#rows.ask('keep', [upload]);
    } catch (error) {
      await this.#rows.drop(upload);
      throw new BlobError('offset', 'another upload of it has just begun', { cause: error });
    }
  }

  async #write(
    upload: number,
    before: { size: number; hash: Hash },
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<Written> {
    let { size } = before;
    const { hash } = before;
    const rows = inRows(bytes);
    for (;;) {
      const next = await rows.next();
      if (next.done === true) return { size, hash, cause: next.value };
      hash.update(next.value);
      await this.#rows.append(upload, size, next.value);
      size += next.value.length;
    }
  }

  async #finish(sha256: string, upload: number, { size, hash }: Written): Promise<number> {
    this.#hashes.delete(upload);
    const found = hash.digest('hex');
    if (found !== sha256) {
      await this.#rows.drop(upload);
      throw new BlobError('mismatch', `the bytes named ${sha256} have the SHA-256 ${found}`);
    }
    await this.#rows.ask('finish', [upload, sha256, size]);
    const blob = await this.#find(sha256);
    if (blob?.upload === upload) this.#know(sha256, upload);
    // Another one was first.
    else await this.#rows.drop(upload);
    return size;
  }

  /** The longest of the cut uploads of a blob is kept for going on. */
  async #keep(sha256: string, upload: number, written: Written): Promise<void> {
    const kept = await this.#kept(sha256);
    if (written.size === 0 || (kept !== undefined && kept.size >= written.size)) return await this.#rows.drop(upload);
    if (kept !== undefined) await this.#rows.ask('unkeep', [kept.id]);
    await this.#become(upload).catch(() => undefined);
    this.#remember(upload, written);
  }

  async #progress(upload: number, size: number): Promise<{ size: number; hash: Hash }> {
    const known = this.#hashes.get(upload);
    this.#hashes.delete(upload);
    if (known?.size === size) return known;
    const hash = createHash('sha256');
    for await (const part of this.#rows.read(upload, 0, size)) hash.update(part);
    return { size, hash };
  }

  #remember(upload: number, { size, hash }: Written): void {
    this.#hashes.delete(upload);
    this.#hashes.set(upload, { size, hash });
    if (this.#hashes.size > BLOB_HASHES_KEPT) this.#hashes.delete(this.#hashes.keys().next().value as number);
  }

  /** All bytes; the last of them only once the whole is known to be what its name says. */
  async *#hashed(sha256: string, upload: number, size: number): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let last: Uint8Array | undefined;
    for await (const part of this.#rows.read(upload, 0, size)) {
      if (last !== undefined) yield last;
      hash.update(part);
      last = part;
    }
    if (hash.digest('hex') !== sha256) {
      await this.#rows.ask('setAside', [sha256, upload]);
      throw new BlobError(
        'corrupt',
        `blob ${sha256} is not what was written; it was set aside in the table damaged_blobs`,
      );
    }
    this.#know(sha256, upload);
    if (last !== undefined) yield last;
  }

  #know(sha256: string, upload: number): void {
    this.#whole.delete(sha256);
    this.#whole.set(sha256, upload);
    if (this.#whole.size > BLOBS_KNOWN_WHOLE) this.#whole.delete(this.#whole.keys().next().value as string);
  }

  async #find(sha256: string): Promise<{ upload: number; size: number; age: number } | undefined> {
    if (!isBlobName(sha256)) return undefined;
    return (await this.#rows.ask('size', [sha256])).rows[0] as
      | { upload: number; size: number; age: number }
      | undefined;
  }

  async #kept(sha256: string): Promise<{ id: number; size: number } | undefined> {
    if (!isBlobName(sha256)) return undefined;
    return (await this.#rows.ask('kept', [sha256])).rows[0] as { id: number; size: number } | undefined;
  }
}

function refuseOtherNames(sha256: string): void {
  if (!isBlobName(sha256)) throw new BlobError('mismatch', `'${sha256}' is no SHA-256: 64 lower-case hex digits`);
}
