import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobRef } from '../../model/envelope.ts';
import { BLOB_CACHE_BYTES, TRANSFER_RETRY, TRANSFER_RETRY_MAX } from '../../model/limits.ts';
import type { FarmHttp } from './farm-http.ts';
import { HttpError } from './farm-http.ts';

interface BlobFile {
  users: number;
  size: number;
  /** Settles when it is here: with what went wrong, or nothing. */
  readonly problem: Promise<string | undefined>;
  here: boolean;
}

/**
 * Input blobs as files that task processes read, and results that they wrote as files, on their way to the server. The
 * worker carries them, because it holds the token and the connections; the bytes stream past it.
 */
export class BlobFiles {
  readonly #directory: string;
  readonly #http: FarmHttp;
  readonly #files = new Map<string, BlobFile>();
  readonly #stopped: AbortSignal;
  #bytes = 0;

  constructor(directory: string, http: FarmHttp, stopped: AbortSignal) {
    this.#directory = directory;
    this.#http = http;
    this.#stopped = stopped;
  }

  /** The blob is, or will be, a file until `release`; then as long as there is room. */
  hold({ sha256 }: BlobRef): { problem: Promise<string | undefined>; release: () => void } {
    let file = this.#files.get(sha256);
    if (file === undefined) {
      file = { users: 0, size: 0, problem: this.#fetch(sha256), here: false };
      this.#files.set(sha256, file);
    } else {
      // The latest used is the last to be evicted.
      this.#files.delete(sha256);
      this.#files.set(sha256, file);
    }
    const held = file;
    held.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      held.users -= 1;
      this.#evict();
    };
    return { problem: held.problem, release };
  }

  /** Stores a file under its hash on the server. Returns what went wrong for good, after as many tries as it takes. */
  async upload({ sha256, size }: BlobRef, path: string): Promise<string | undefined> {
    const problem = await this.#patiently(async () => {
      const body =
        size <= PIECE
          ? await readFile(path).catch(unreadable)
          : createReadStream(path, { highWaterMark: PIECE, end: size - 1 });
      await this.#http.put(`/v1/blobs/${sha256}`, size, body);
    });
    await rm(path, { force: true });
    return problem;
  }

  async #fetch(sha256: string): Promise<string | undefined> {
    const path = join(this.#directory, sha256);
    let size = 0;
    const problem = await this.#patiently(async () => {
      const body = await this.#http.get(`/v1/blobs/${sha256}`);
      const taken = await saveBody(body, `${path}.part`);
      if (taken.sha256 !== sha256) throw new HttpError('its bytes do not have the hash they were asked for by', true);
      size = taken.size;
      await rename(`${path}.part`, path);
    });
    const file = this.#files.get(sha256);
    if (problem !== undefined) this.#files.delete(sha256);
    else if (file !== undefined) {
      file.size = size;
      file.here = true;
      this.#bytes += size;
      this.#evict();
    }
    return problem;
  }

  /** Tries again while it may get better: the server restarts, its disk is full, the network is away. */
  async #patiently(transfer: () => Promise<void>): Promise<string | undefined> {
    for (let delay = TRANSFER_RETRY; ; delay = Math.min(delay * 2, TRANSFER_RETRY_MAX)) {
      try {
        await transfer();
        return undefined;
      } catch (error) {
        if (this.#stopped.aborted) return 'this worker is leaving';
        if (error instanceof HttpError && error.final) return error.message;
      }
      await sleep(delay, undefined, { signal: this.#stopped, ref: false }).catch(() => {});
    }
  }

  #evict(): void {
    for (const [sha256, file] of this.#files) {
      if (this.#bytes <= BLOB_CACHE_BYTES) return;
      if (file.users > 0 || !file.here) continue;
      this.#files.delete(sha256);
      this.#bytes -= file.size;
      rm(join(this.#directory, sha256), { force: true }).catch(() => {});
    }
  }
}

/** A file that is gone stays so. */
function unreadable(error: Error): never {
  throw new HttpError(`its file can't be read: ${error.message}`, true);
}

/** Bytes that are read from a file, or written to one, at once: a socket's pieces of 64 KiB would be a call each. */
const PIECE = 1024 * 1024;

/** Streams a body into a file, in large pieces, and tells what it was. */
async function saveBody(body: Readable, path: string): Promise<{ sha256: string; size: number }> {
  const digest = createHash('sha256');
  const file = await open(path, 'w');
  try {
    let parts: Buffer[] = [];
    let gathered = 0;
    let size = 0;
    for await (const part of body as AsyncIterable<Buffer>) {
      digest.update(part);
      parts.push(part);
      gathered += part.length;
      size += part.length;
      if (gathered < PIECE) continue;
      await writeAll(file, parts);
      parts = [];
      gathered = 0;
    }
    await writeAll(file, parts);
    return { sha256: digest.digest('hex'), size };
  } finally {
    await file.close();
  }
}

/** A write may take less than it was given; what it left is written next. */
async function writeAll(file: FileHandle, parts: Buffer[]): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total === 0) return;
  const { bytesWritten } = await file.writev(parts);
  if (bytesWritten === total) return;
  await file.appendFile(Buffer.concat(parts).subarray(bytesWritten));
}
