import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { BLOB_CHUNK_BYTES } from '../model/limits.ts';
import type { BlobStore } from '../store/blobs.ts';
import { DATABASE_FILE } from '../store/sqlite/database.ts';
import type { Store } from '../store/store.ts';
import { TAR_END, tarHead, tarPadding } from './tar.ts';

/** Where the copy of the database stands while it is sent; what a killed server left there is overwritten. */
const COPY = 'backup.db';

/** Without them the admin's commands and the join links that people have would no longer work on what is restored. */
const TOKEN_FILES = ['admin.token', 'join.token'];

/**
 * A tar archive of a data directory as of one moment, made while the server works: unpacked in an empty directory it is
 * one again. The blobs come last: all that the copy of the database refers to are there by then. Bytes are lent.
 */
export async function* archive(
  { store, blobs }: { store: Pick<Store, 'backup'>; blobs: BlobStore },
  dataDir: string,
): AsyncGenerator<Uint8Array> {
  const now = Date.now();
  const copy = path.join(dataDir, COPY);
  try {
    await store.backup(copy);
    yield* fileOf(copy, DATABASE_FILE, now);
  } finally {
    await rm(copy, { force: true });
  }
  for (const name of TOKEN_FILES) {
    const bytes = await readFile(path.join(dataDir, name)).catch(() => undefined);
    if (bytes !== undefined) yield* entry(name, bytes.length, one(bytes), now);
  }
  for await (const name of blobs.names()) {
    // Asking for its size keeps it from being collected meanwhile.
    const size = await blobs.size(name);
    const bytes = await blobs.read(name);
    if (size !== undefined && bytes !== undefined) yield* entry(`blobs/${name}`, size, bytes, now);
  }
  yield TAR_END;
}

async function* fileOf(source: string, name: string, at: number): AsyncGenerator<Uint8Array> {
  const file = await open(source);
  try {
    const { size } = await file.stat();
    const bytes = file.createReadStream({ highWaterMark: BLOB_CHUNK_BYTES, autoClose: false });
    yield* entry(name, size, bytes, at);
  } finally {
    await file.close();
  }
}

/** A damaged blob breaks off: it is as damaged in the archive, and everything else is saved all the same. */
async function* entry(
  name: string,
  size: number,
  bytes: AsyncIterable<Uint8Array>,
  at: number,
): AsyncGenerator<Uint8Array> {
  yield tarHead(name, size, at);
  let left = size;
  const pieces = bytes[Symbol.asyncIterator]();
  while (left > 0) {
    const piece = await pieces.next().catch(() => undefined);
    if (piece === undefined || piece.done === true) break;
    const part = piece.value.subarray(0, left);
    left -= part.length;
    yield part;
  }
  await pieces.return?.().catch(() => {});
  for (; left > 0; left -= Math.min(left, BLOB_CHUNK_BYTES)) yield new Uint8Array(Math.min(left, BLOB_CHUNK_BYTES));
  yield tarPadding(size);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
