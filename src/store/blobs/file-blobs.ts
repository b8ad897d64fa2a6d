import { constants, type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import { BLOB_HASHES_KEPT, BLOB_RENEW, BLOBS_KNOWN_WHOLE } from '../../model/limits.ts';
import { BlobError, type BlobStore, isBlobName } from '../blobs.ts';
import { BlobReader } from './blob-reader.ts';
import { CutError, nothing, type Progress, writeStream } from './blob-writer.ts';
import { DirectorySync, syncDirectory } from './directory-sync.ts';
import { KnownNames } from './known-names.ts';

/** Blobs as files: DIR/blobs/HASH; uploads under way and cut ones in DIR/blobs/partial; damaged ones in DIR/blobs/damaged. */
export async function openFileBlobs(dir: string): Promise<BlobStore> {
  const root = path.join(path.resolve(dir), 'blobs');
  await mkdir(path.join(root, 'partial'), { recursive: true, mode: 0o700 });
  for (const name of await readdir(path.join(root, 'partial'))) {
    // An upload that was under way when the process died: its bytes were never synced.
    if (!isBlobName(name)) await rm(path.join(root, 'partial', name), { force: true });
  }
  await syncDirectory(path.dirname(root));
  return new FileBlobs(root, await readdir(root));
}

class FileBlobs implements BlobStore {
  readonly #root: string;
  /** Hashes of cut uploads so far, oldest first. */
  readonly #hashes = new Map<string, Progress>();
  readonly #appending = new Set<string>();
  /** Blobs whose bytes this process has hashed, and when their files had been changed last. */
  readonly #whole = new Map<string, number>();
  readonly #known = new KnownNames();
  readonly #names: DirectorySync;
  readonly #reader = new BlobReader();
  #uploads = 0;

  constructor(root: string, files: readonly string[]) {
    this.#root = root;
    for (const name of files) if (isBlobName(name)) this.#known.add(name);
    this.#names = new DirectorySync(root);
  }

  async put(sha256: string, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number }> {
    const size = await this.size(sha256);
    if (size !== undefined) return { size };
    refuseOtherNames(sha256);
    this.#uploads += 1;
    const own = path.join(this.#root, 'partial', `${sha256}.${this.#uploads}`);
    const file = await room(open(own, 'wx', 0o600));
    try {
      const written = await writeStream(file, nothing(), bytes);
      await this.#finish(sha256, own, file, written);
      return { size: written.size };
    } catch (error) {
      throw await this.#abandon(sha256, own, error);
    } finally {
      await file.close();
    }
  }

  mayHave(sha256: string): boolean {
    return this.#known.mayHave(sha256);
  }

  async size(sha256: string): Promise<number | undefined> {
    const found = await this.#stat(sha256);
    if (found === undefined) return undefined;
    const now = Date.now();
    if (now - found.mtimeMs > BLOB_RENEW) await this.#renew(sha256, found.mtimeMs, Math.floor(now / 1_000));
    return found.size;
  }

  async read(sha256: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const found = await this.#stat(sha256);
    if (found === undefined) return undefined;
    const { size, mtimeMs } = found;
    if (this.#whole.get(sha256) === mtimeMs) {
      return this.#reader.read(this.#path(sha256), range?.start ?? 0, Math.min(range?.end ?? size, size));
    }
    const all = this.#hashed(sha256, size, mtimeMs);
    if (range === undefined) return all;
    for await (const _ of all);
    return this.#reader.read(this.#path(sha256), range.start, Math.min(range.end, size));
  }

  async partial(sha256: string): Promise<number> {
    if (!isBlobName(sha256)) return 0;
    return (await stat(this.#partial(sha256)).catch(absent))?.size ?? 0;
  }

  async append(sha256: string, offset: number, bytes: AsyncIterable<Uint8Array>, total: number) {
    refuseOtherNames(sha256);
    if (this.#appending.has(sha256)) throw new BlobError('offset', `another upload of ${sha256} is under way`);
    this.#appending.add(sha256);
    try {
      return await this.#append(sha256, offset, bytes, total);
    } finally {
      this.#appending.delete(sha256);
    }
  }

  async *names(): AsyncIterable<string> {
    for (const name of await readdir(this.#root)) if (isBlobName(name)) yield name;
  }

  async *list(olderThan: number): AsyncIterable<string> {
    for (const { name, file, usedAt } of await this.#files('partial')) {
      if (usedAt < olderThan && isBlobName(name) && !this.#appending.has(name)) await rm(file, { force: true });
    }
    const old: { name: string; usedAt: number }[] = [];
    for (const found of await this.#files('')) if (isBlobName(found.name) && found.usedAt < olderThan) old.push(found);
    for (const { name } of old.sort((a, b) => a.usedAt - b.usedAt)) yield name;
  }

  async delete(sha256: string, olderThan = Number.POSITIVE_INFINITY): Promise<void> {
    const found = await this.#stat(sha256);
    if (found === undefined || found.mtimeMs >= olderThan) return;
    this.#whole.delete(sha256);
    await unlink(this.#path(sha256)).catch(absent);
  }

  async #append(sha256: string, offset: number, bytes: AsyncIterable<Uint8Array>, total: number) {
    const own = this.#partial(sha256);
    const file = await room(open(own, constants.O_RDWR | constants.O_CREAT, 0o600));
    try {
      const { size } = await file.stat();
      if (size !== offset) throw new BlobError('offset', `${size} bytes are kept, the upload goes on at ${offset}`);
      const written = await writeStream(file, await this.#progress(sha256, own, size), bytes);
      if (written.size < total) {
        this.#remember(sha256, written);
        return { size: written.size, whole: false };
      }
      await this.#finish(sha256, own, file, written);
      return { size: written.size, whole: true };
    } catch (error) {
      if (error instanceof BlobError && error.code === 'offset') throw error;
      throw await this.#abandon(sha256, own, error);
    } finally {
      await file.close();
    }
  }

  /** All bytes; the last of them only once the whole is known to be what its name says. */
  async *#hashed(sha256: string, size: number, mtimeMs: number): AsyncGenerator<Uint8Array> {
    const { hash } = nothing();
    let last: Uint8Array | undefined;
    try {
      for await (const part of this.#reader.read(this.#path(sha256), 0, size)) {
        if (last !== undefined) yield last;
        hash.update(part);
        // A copy: the piece is lent until the next one is read.
        last = Uint8Array.from(part);
      }
    } catch (error) {
      throw error instanceof BlobError ? await this.#setAside(sha256) : error;
    }
    if (hash.digest('hex') !== sha256) throw await this.#setAside(sha256);
    this.#know(sha256, mtimeMs);
    if (last !== undefined) yield last;
  }

  async #setAside(sha256: string): Promise<BlobError> {
    this.#whole.delete(sha256);
    const aside = path.join(this.#root, 'damaged');
    await mkdir(aside, { recursive: true, mode: 0o700 });
    await rename(this.#path(sha256), path.join(aside, sha256)).catch(absent);
    return new BlobError('corrupt', `blob ${sha256} is not what was written; it was set aside in ${aside}`);
  }

  #know(sha256: string, mtimeMs: number): void {
    this.#whole.delete(sha256);
    this.#whole.set(sha256, mtimeMs);
    if (this.#whole.size <= BLOBS_KNOWN_WHOLE) return;
    const [oldest] = this.#whole.keys();
    this.#whole.delete(oldest as string);
  }

  async #renew(sha256: string, before: number, seconds: number): Promise<void> {
    await utimes(this.#path(sha256), seconds, seconds).catch(absent);
    if (this.#whole.get(sha256) === before) this.#know(sha256, seconds * 1_000);
  }

  /** Checks, syncs and names a blob whose bytes are all there. */
  async #finish(sha256: string, own: string, file: FileHandle, written: Progress): Promise<void> {
    const found = written.hash.digest('hex');
    if (found !== sha256) throw new BlobError('mismatch', `the bytes named ${sha256} have the SHA-256 ${found}`);
    await file.sync();
    const { mtimeMs } = await file.stat();
    this.#known.add(sha256);
    await rename(own, this.#path(sha256));
    await this.#names.sync();
    this.#know(sha256, mtimeMs);
  }

  /** A cut upload is kept for going on; anything else leaves nothing behind. Returns what to tell. */
  async #abandon(sha256: string, own: string, error: unknown): Promise<unknown> {
    if (error instanceof CutError) {
      const kept = this.#partial(sha256);
      if (own !== kept && (await this.partial(sha256)) < error.kept.size && !this.#appending.has(sha256)) {
        await rename(own, kept);
        this.#remember(sha256, error.kept);
      } else if (own === kept) {
        this.#remember(sha256, error.kept);
      } else {
        await rm(own, { force: true });
      }
      return error.cause;
    }
    this.#hashes.delete(sha256);
    await rm(own, { force: true });
    return fullOr(error);
  }

  async #progress(sha256: string, own: string, size: number): Promise<Progress> {
    const known = this.#hashes.get(sha256);
    this.#hashes.delete(sha256);
    if (known?.size === size) return known;
    const progress = nothing();
    for await (const part of this.#reader.read(own, 0, size)) progress.hash.update(part);
    return { size, hash: progress.hash };
  }

  #remember(sha256: string, progress: Progress): void {
    this.#hashes.delete(sha256);
    this.#hashes.set(sha256, progress);
    if (this.#hashes.size <= BLOB_HASHES_KEPT) return;
    const [oldest] = this.#hashes.keys();
    this.#hashes.delete(oldest as string);
  }

  async #stat(sha256: string): Promise<{ size: number; mtimeMs: number } | undefined> {
    return isBlobName(sha256) ? await stat(this.#path(sha256)).catch(absent) : undefined;
  }

  async #files(folder: string): Promise<{ name: string; file: string; usedAt: number }[]> {
    const found: { name: string; file: string; usedAt: number }[] = [];
    for (const name of await readdir(path.join(this.#root, folder))) {
      const file = path.join(this.#root, folder, name);
      const usedAt = (await stat(file).catch(absent))?.mtimeMs;
      if (usedAt !== undefined) found.push({ name, file, usedAt });
    }
    return found;
  }

  #path(sha256: string): string {
    return path.join(this.#root, sha256);
  }

  #partial(sha256: string): string {
    return path.join(this.#root, 'partial', sha256);
  }
}

function refuseOtherNames(sha256: string): void {
  if (!isBlobName(sha256)) throw new BlobError('mismatch', `'${sha256}' is no SHA-256: 64 lower-case hex digits`);
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}

function fullOr(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new BlobError('full', 'no room on the disk', { cause: error })
    : error;
}

async function room(opening: Promise<FileHandle>): Promise<FileHandle> {
  try {
    return await opening;
  } catch (error) {
    throw fullOr(error);
  }
}
