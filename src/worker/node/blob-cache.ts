import { readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOB_CACHE_BYTES, BLOB_CACHE_SHARE, NEARBY_BLOB_BYTES, NEARBY_BLOBS } from '../../model/blob-limits.ts';

/** A blob that is, or will be, a file. */
export interface CachedBlob {
  /** Tasks that read it, or wait for it. */
  users: number;
  size: number;
  here: boolean;
  /** It comes from a worker before, and nobody has looked yet whether it is whole. */
  unchecked: boolean;
  /** What went wrong, once that is known; undefined: nothing. */
  problem: Promise<string | undefined>;
  /** It could not be had because this disk has no room. */
  full: boolean;
}

/** How the names of files end that are being removed. */
const EVICTED = '.evicted';

/**
 * Files named by their hash, the ones used last kept as long as all are within the limit. What is in use is never evicted,
 * and neither is what was used last: a blob that is larger than the limit would be fetched for each of its tasks.
 */
export class BlobCache {
  readonly #directory: string;
  readonly #limit: number;
  readonly #kept: boolean;
  /** Those used last come last. */
  readonly #blobs = new Map<string, CachedBlob>();
  #bytes = 0;
  #evicted = 0;
  /** Told of the large blobs that are here, those used last at the end, whenever others are. */
  onLarge: (names: string[]) => void = () => {};

  /** `kept`: what is in the directory was left by a worker before, and is left for the next one. */
  constructor(directory: string, { limit, kept }: { limit?: number | undefined; kept: boolean }) {
    this.#directory = directory;
    this.#kept = kept;
    if (kept) this.#adopt();
    this.#limit = limit ?? usualLimit(directory, this.#bytes);
    this.makeRoom(0);
  }

  path(sha256: string): string {
    return join(this.#directory, sha256);
  }

  /** It counts as used now. */
  get(sha256: string): CachedBlob | undefined {
    const blob = this.#blobs.get(sha256);
    if (blob !== undefined) {
      this.#blobs.delete(sha256);
      this.#blobs.set(sha256, blob);
    }
    return blob;
  }

  add(sha256: string, blob: CachedBlob): void {
    this.#blobs.set(sha256, blob);
  }

  /** Its file is whole. */
  arrived(blob: CachedBlob, size: number): void {
    blob.here = true;
    blob.size = size;
    this.#bytes += size;
    this.#tellOf(blob);
    this.makeRoom(0);
  }

  /** Its file is not there any more, or is not what its name says. */
  gone(blob: CachedBlob): void {
    if (!blob.here) return;
    this.#bytes -= blob.size;
    blob.here = false;
    this.#tellOf(blob);
  }

  get large(): string[] {
    const large = [...this.#blobs].filter(([, { here, size }]) => here && size >= NEARBY_BLOB_BYTES);
    return large.slice(-NEARBY_BLOBS).map(([name]) => name);
  }

  #tellOf({ size }: CachedBlob): void {
    if (size >= NEARBY_BLOB_BYTES) this.onLarge(this.large);
  }

  forget(sha256: string, blob: CachedBlob): void {
    if (this.#blobs.get(sha256) === blob) this.#blobs.delete(sha256);
    this.gone(blob);
  }

  release(sha256: string, blob: CachedBlob): void {
    blob.users -= 1;
    if (blob.users > 0) return;
    const now = Date.now() / 1_000;
    if (this.#kept && blob.here) utimes(this.path(sha256), now, now).catch(() => {});
    this.makeRoom(0);
  }

  /** Evicts what was used longest ago until so many bytes more are within the limit. */
  makeRoom(bytes: number): void {
    for (const [sha256, blob] of [...this.#blobs].slice(0, -1)) {
      if (this.#bytes + bytes <= this.#limit) return;
      if (mayGo(blob)) this.#evict(sha256, blob).catch(() => {});
    }
  }

  /** Evicts all that is not in use. False: there was nothing. */
  async evictUnused(): Promise<boolean> {
    const unused = [...this.#blobs].filter(([, blob]) => mayGo(blob));
    await Promise.all(unused.map(([sha256, blob]) => this.#evict(sha256, blob).catch(() => {})));
    return unused.length > 0;
  }

  /** Its name is free at once, for whoever fetches it again; to remove a large file takes a while. */
  async #evict(sha256: string, blob: CachedBlob): Promise<void> {
    this.forget(sha256, blob);
    const evicted = `${this.path(sha256)}.${++this.#evicted}${EVICTED}`;
    renameSync(this.path(sha256), evicted);
    await rm(evicted, { force: true });
  }

  /** What is there, the longest unused first. Parts of downloads that were under way are of no use without their hash. */
  #adopt(): void {
    const found: { sha256: string; size: number; usedAt: number }[] = [];
    for (const name of readdirSync(this.#directory)) {
      if (name.endsWith('.part') || name.endsWith(EVICTED)) rmSync(this.path(name), { force: true });
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const { size, mtimeMs } = statSync(this.path(name));
      found.push({ sha256: name, size, usedAt: mtimeMs });
    }
    for (const { sha256, size } of found.sort((a, b) => a.usedAt - b.usedAt)) {
      const problem = Promise.resolve(undefined);
      this.#blobs.set(sha256, { users: 0, size, here: true, unchecked: true, problem, full: false });
      this.#bytes += size;
    }
  }
}

function mayGo({ users, here }: CachedBlob): boolean {
  return users === 0 && here;
}

/** What is kept already takes no more room. */
function usualLimit(directory: string, kept: number): number {
  const { bavail, bsize } = statfsSync(directory);
  return Math.min(BLOB_CACHE_BYTES, Math.floor((bavail * bsize + kept) * BLOB_CACHE_SHARE));
}
