import { rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobRef } from '../../model/envelope.ts';
import { TRANSFER_RETRY, TRANSFER_RETRY_MAX } from '../../model/limits.ts';
import { BlobCache, type CachedBlob } from './blob-cache.ts';
import { Download, isFull, Upload } from './blob-transfer.ts';
import { digestFile } from './digest-file.ts';
import type { FarmHttp } from './farm-http.ts';
import { HttpError } from './farm-http.ts';

/** A blob that somebody needs as a file. */
export interface HeldBlob {
  /** Settles when it is here: with what went wrong, or nothing. */
  readonly problem: Promise<string | undefined>;
  /** What went wrong is that this disk has no room: another worker may have. */
  readonly full: boolean;
  readonly release: () => void;
}

/**
 * Input blobs as files that task processes read, and results that they wrote as files, on their way to the server. The
 * worker carries them, because it holds the token and the connections; the bytes stream past it.
 */
export class BlobFiles {
  readonly #http: FarmHttp;
  readonly #cache: BlobCache;
  readonly #stopped: AbortSignal;

  /** `limit`: bytes that are kept of blobs which no task needs; `kept`: also for the next worker, and from the one before. */
  constructor(
    directory: string,
    http: FarmHttp,
    stopped: AbortSignal,
    { limit, kept = false }: { limit?: number | undefined; kept?: boolean } = {},
  ) {
    this.#http = http;
    this.#stopped = stopped;
    this.#cache = new BlobCache(directory, { limit, kept });
  }

  /** `tell` hears of the large blobs that are here, now and whenever others are. */
  watchLarge(tell: (names: string[]) => void): void {
    this.#cache.onLarge = tell;
    const { large } = this.#cache;
    if (large.length > 0) tell(large);
  }

  /** Where its file is, while somebody holds it. */
  path(sha256: string): string {
    return this.#cache.path(sha256);
  }

  /** The blob is, or will be, a file until `release`; then as long as there is room. */
  hold({ sha256 }: Pick<BlobRef, 'sha256'>): HeldBlob {
    let blob = this.#cache.get(sha256);
    if (blob === undefined) {
      blob = { users: 0, size: 0, here: false, unchecked: false, problem: Promise.resolve(undefined), full: false };
      this.#cache.add(sha256, blob);
      blob.problem = this.#fetch(sha256, blob);
    } else if (blob.unchecked) {
      blob.unchecked = false;
      blob.problem = this.#check(sha256, blob);
    }
    const held = blob;
    held.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      this.#cache.release(sha256, held);
    };
    return {
      problem: held.problem,
      get full() {
        return held.full;
      },
      release,
    };
  }

  /** Stores a file under its hash on the server. Returns what went wrong for good, after as many tries as it takes. */
  async upload(ref: BlobRef, path: string): Promise<string | undefined> {
    const upload = new Upload(this.#http, ref, path);
    const problem = await this.#patiently(
      () => upload.proceed(),
      () => upload.sent,
    );
    await rm(path, { force: true });
    return problem;
  }

  async #fetch(sha256: string, blob: CachedBlob): Promise<string | undefined> {
    const path = this.#cache.path(sha256);
    const download = new Download(this.#http, sha256, `${path}.part`);
    const problem = await this.#patiently(
      async () => {
        await this.#proceed(download, blob);
        await rename(`${path}.part`, path);
      },
      () => download.size,
    );
    if (problem !== undefined) {
      // In this order: whoever asks for it anew begins another file of that name.
      await rm(`${path}.part`, { force: true });
      this.#cache.forget(sha256, blob);
      return problem;
    }
    this.#cache.arrived(blob, download.size);
    return undefined;
  }

  async #proceed(download: Download, blob: CachedBlob): Promise<void> {
    for (;;) {
      try {
        return await download.proceed((size) => this.#cache.makeRoom(size));
      } catch (error) {
        if (!isFull(error) || this.#stopped.aborted) throw error;
        if (await this.#cache.evictUnused()) continue;
        blob.full = true;
        throw new HttpError('the disk of this worker is full', true);
      }
    }
  }

  /** Of a file that another process left here nothing is believed but its bytes. */
  async #check(sha256: string, blob: CachedBlob): Promise<string | undefined> {
    const path = this.#cache.path(sha256);
    if ((await digestFile(path).catch(() => undefined))?.sha256 === sha256) return undefined;
    this.#cache.gone(blob);
    await rm(path, { force: true });
    return await this.#fetch(sha256, blob);
  }

  /** Tries again while it may get better: the server restarts, its disk is full, the network is away. */
  async #patiently(transfer: () => Promise<void>, moved: () => number): Promise<string | undefined> {
    let delay = TRANSFER_RETRY;
    for (let before = moved(); ; before = moved()) {
      try {
        await transfer();
        return undefined;
      } catch (error) {
        if (this.#stopped.aborted) return 'this worker is leaving';
        if (error instanceof HttpError && error.final) return error.message;
      }
      // Where bytes have come through, they will again.
      if (moved() > before) delay = TRANSFER_RETRY;
      await sleep(delay, undefined, { signal: this.#stopped, ref: false }).catch(() => {});
      delay = Math.min(delay * 2, TRANSFER_RETRY_MAX);
    }
  }
}
