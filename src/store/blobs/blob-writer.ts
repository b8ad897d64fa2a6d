import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { BLOB_CHUNK_BYTES } from '../../model/limits.ts';

/** What has been written of a blob, and its hash. */
export interface Progress {
  readonly size: number;
  readonly hash: Hash;
}

export function nothing(): Progress {
  return { size: 0, hash: createHash('sha256') };
}

/** The stream broke off, not the disk: what came before is in the file. */
export class CutError extends Error {
  readonly kept: Progress;

  constructor(kept: Progress, cause: unknown) {
    super('the upload was cut', { cause });
    this.name = 'CutError';
    this.kept = kept;
  }
}

/**
 * Appends a stream to a file and hashes it on the way. Small pieces are gathered, and one write is under way while the
 * next piece is awaited and hashed.
 */
export async function writeStream(
  file: FileHandle,
  before: Progress,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Progress> {
  const { hash } = before;
  let { size } = before;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let writing: Promise<unknown> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    if (gatheredBytes === 0) return;
    writing = writeAll(file, gathered, size);
    // A failure is seen by the next await; without this it would count as unhandled until then.
    writing.catch(() => undefined);
    size += gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
  };
  const source = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await source.next();
      } catch (error) {
        await flush();
        await writing;
        throw new CutError({ size, hash }, error);
      }
      if (next.done) break;
      hash.update(next.value);
      gathered.push(next.value);
      gatheredBytes += next.value.length;
      if (gatheredBytes >= BLOB_CHUNK_BYTES) await flush();
    }
    await flush();
    await writing;
    return { size, hash };
  } catch (error) {
    if (!(error instanceof CutError)) await source.return?.().catch(() => undefined);
    throw error;
  }
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[], at: number): Promise<void> {
  const { bytesWritten } = await file.writev(parts, at);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytesWritten === total) return;
  // A disk that is nearly full takes a part; the rest then fails with the reason.
  const rest = Buffer.concat(parts).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) {
    const step = await file.write(rest, done, rest.length - done, at + bytesWritten + done);
    done += step.bytesWritten;
  }
}
