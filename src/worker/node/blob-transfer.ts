import { createHash, type Hash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { BlobRef } from '../../model/envelope.ts';
import type { BodyWriter, FarmHttp } from './farm-http.ts';
import { HttpError } from './farm-http.ts';

/** Bytes that are read from a file, or written to one, at once: a socket's pieces of 64 KiB would be a call each. */
const PIECE = 1024 * 1024;

/** Bytes above which the server is asked first what it has of an upload: a round trip is nothing against sending them. */
const LARGE = 8 * PIECE;

/** A blob on its way into a file: what has come of it stays when the line is cut. */
export class Download {
  readonly #http: FarmHttp;
  readonly #address: string;
  readonly #sha256: string;
  readonly #path: string;
  #sum: Hash = createHash('sha256');
  #size = 0;
  #wasWrong = false;

  constructor(http: FarmHttp, sha256: string, path: string) {
    this.#http = http;
    this.#sha256 = sha256;
    this.#address = `/v1/blobs/${sha256}`;
    this.#path = path;
  }

  /** Bytes that are in the file. */
  get size(): number {
    return this.#size;
  }

  /** Tries to get what is lacking. `expect` is told before the first byte how large the whole will be. */
  async proceed(expect: (size: number) => void): Promise<void> {
    const { body, start, size } = await this.#http.getFrom(this.#address, this.#size).catch((error: unknown) => {
      // A file longer than the blob is none of it.
      if (error instanceof HttpError && error.status === 416) this.#startAgain('its bytes are fewer than have come');
      throw error;
    });
    if (size !== undefined) expect(size);
    if (start !== this.#size) this.#restart();
    try {
      if (start !== this.#size) throw new HttpError(`the server sent bytes from ${start} on`, false);
      await this.#save(body);
    } finally {
      body.destroy();
    }
    if (this.#sum.copy().digest('hex') === this.#sha256) return;
    this.#startAgain('its bytes do not have the hash they were asked for by');
  }

  /** What came before a cut may be to blame: the whole is fetched once more. */
  #startAgain(why: string): never {
    const final = this.#wasWrong;
    this.#restart();
    this.#wasWrong = true;
    throw new HttpError(why, final);
  }

  #restart(): void {
    this.#sum = createHash('sha256');
    this.#size = 0;
  }

  async #save(body: Readable): Promise<void> {
    const flags = this.#size === 0 ? constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC : constants.O_WRONLY;
    const file = await open(this.#path, flags);
    let parts: Buffer[] = [];
    let gathered = 0;
    const flush = async (): Promise<void> => {
      await writeAll(file, parts, this.#size);
      for (const part of parts) this.#sum.update(part);
      this.#size += gathered;
      parts = [];
      gathered = 0;
    };
    try {
      for await (const part of body as AsyncIterable<Buffer>) {
        parts.push(part);
        gathered += part.length;
        if (gathered >= PIECE) await flush();
      }
    } finally {
      await flush().finally(() => file.close());
    }
  }
}

/** Stores a file under its hash on the server; what was cut goes on where the server's copy ends. */
export class Upload {
  readonly #http: FarmHttp;
  readonly #ref: BlobRef;
  readonly #path: string;
  #anew = false;
  /** Bytes that have been sent, over all tries. */
  sent = 0;

  constructor(http: FarmHttp, ref: BlobRef, path: string) {
    this.#http = http;
    this.#ref = ref;
    this.#path = path;
  }

  async proceed(): Promise<void> {
    const { sha256, size } = this.#ref;
    const address = `/v1/blobs/${sha256}`;
    if (size <= LARGE) return await this.#whole(address);
    const there = await this.#http.look(address);
    if (there.whole) return;
    const from = this.#anew ? 0 : Math.min(there.kept, size);
    const range = from < size ? `bytes ${from}-${size - 1}/${size}` : `bytes */${size}`;
    try {
      await this.#send(address, from, range);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      // Another upload of the same bytes, or our own that the server does not know to be cut yet.
      if (error.status === 409) throw new HttpError(error.message, false);
      if (error.status !== 400 || from === 0) throw error;
      // What was kept of an upload before may be damaged.
      this.#anew = true;
      throw new HttpError(error.message, false);
    }
  }

  async #whole(address: string): Promise<void> {
    const { size } = this.#ref;
    if (size > PIECE) return await this.#send(address, 0, undefined);
    const file = await openAsWritten(this.#path);
    try {
      const bytes = Buffer.allocUnsafe(size);
      const { bytesRead } = await file.read(bytes, 0, size, 0);
      if (bytesRead < size) throw new HttpError(`its file has ${bytesRead} bytes, not ${size}`, true);
      await this.#http.put(address, size, bytes);
    } finally {
      await file.close();
    }
  }

  async #send(address: string, from: number, range: string | undefined): Promise<void> {
    const { size } = this.#ref;
    const file = await openAsWritten(this.#path);
    try {
      await this.#http.put(address, size - from, this.#writer(file, from), range);
    } finally {
      await file.close();
    }
  }

  /** Two buffers take turns: one is on its way while the other is filled. */
  #writer(file: FileHandle, from: number): BodyWriter {
    return async (to, answer) => {
      const { size } = this.#ref;
      const turns = [0, 1].map(() => ({ buffer: Buffer.allocUnsafeSlow(PIECE), gone: Promise.resolve() }));
      const over = answer.then(() => true);
      over.catch(() => {});
      for (let at = from, turn = 0; at < size; turn ^= 1) {
        const mine = turns[turn] as (typeof turns)[number];
        if ((await Promise.race([mine.gone, over])) === true) return false;
        const { bytesRead } = await file.read(mine.buffer, 0, Math.min(PIECE, size - at), at);
        if (bytesRead === 0) throw new HttpError(`its file has ${at} bytes, not ${size}`, true);
        const piece = mine.buffer.subarray(0, bytesRead);
        mine.gone = new Promise((resolve) => to.write(piece, () => resolve()));
        at += bytesRead;
        this.sent += bytesRead;
      }
      return true;
    };
  }
}

/** A file that is gone stays so; and a task may have put a link in its place, which is not what it wrote. */
async function openAsWritten(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    throw new HttpError(`its file can't be read: ${(error as Error).message}`, true);
  }
}

/** A write may take less than it was given; what it left is written next. */
async function writeAll(file: FileHandle, parts: Buffer[], at: number): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total === 0) return;
  const { bytesWritten } = await file.writev(parts, at);
  if (bytesWritten === total) return;
  const rest = Buffer.concat(parts).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) {
    const step = await file.write(rest, done, rest.length - done, at + bytesWritten + done);
    done += step.bytesWritten;
  }
}

/** Whether the disk has no room. */
export function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
