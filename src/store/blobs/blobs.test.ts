import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { BLOB_CHUNK_BYTES, BLOB_RENEW } from '../../model/limits.ts';
import { blobContract, bytesOf, gather, inPieces, nameOf } from '../../testing/blob-contract.ts';
import { BlobError } from '../blobs.ts';
import { openFileBlobs } from './file-blobs.ts';
import { MemoryBlobs } from './memory-blobs.ts';

async function home(t: TestContext) {
  const dir = temporaryDirectory(t, 'blobs');
  const fileOf = (name: string): string => path.join(dir, 'blobs', name);
  return { dir, fileOf, blobs: await openFileBlobs(dir) };
}

blobContract('files', async (t) => {
  const { dir, blobs } = await home(t);
  return { blobs, again: () => openFileBlobs(dir) };
});

blobContract('memory', async () => {
  const blobs = new MemoryBlobs();
  return { blobs, again: async () => blobs };
});

test('D9 other bytes than those named leave nothing, and no other name becomes a path', async (t) => {
  const { dir, blobs } = await home(t);
  const bytes = bytesOf(200_000);
  await assert.rejects(blobs.put(nameOf(bytesOf(5)), inPieces(bytes)), { code: 'mismatch' });
  for (const name of ['../../etc/passwd', 'AB'.repeat(32), 'ab', '']) {
    await assert.rejects(blobs.put(name, inPieces(bytes)), { code: 'mismatch' });
    assert.equal(await blobs.read(name), undefined);
    assert.equal(await blobs.partial(name), 0);
  }
  assert.deepEqual(readdirSync(path.join(dir, 'blobs')), ['partial']);
  assert.deepEqual(readdirSync(path.join(dir, 'blobs', 'partial')), []);
});

test('D9 what was being written when the process died is gone', async (t) => {
  const { dir, blobs } = await home(t);
  const name = nameOf(bytesOf(9));
  writeFileSync(path.join(dir, 'blobs', 'partial', `${name}.1`), 'half');
  await openFileBlobs(dir);
  assert.deepEqual(readdirSync(path.join(dir, 'blobs', 'partial')), []);
  assert.equal(await blobs.partial(name), 0);
});

test('D9 what was asked for lately is not collected (F-27)', async (t) => {
  const { fileOf, blobs } = await home(t);
  const names = [bytesOf(10, 1), bytesOf(10, 2)].map(nameOf) as [string, string];
  const long = (Date.now() - 3 * BLOB_RENEW) / 1_000;
  for (const [at, name] of names.entries()) {
    await blobs.put(name, inPieces(bytesOf(10, at + 1)));
    utimesSync(fileOf(name), long, long);
  }
  const before = Date.now() - BLOB_RENEW;
  assert.equal(await blobs.size(names[0]), 10);
  assert.deepEqual(await Array.fromAsync(blobs.list(before)), [names[1]]);
  for (const name of names) await blobs.delete(name, before);
  assert.deepEqual([await blobs.size(names[0]), await blobs.size(names[1])], [10, undefined]);
});

test('D16 a blob with a changed byte is never served to its end, and is set aside (F-26)', async (t) => {
  const { dir, fileOf, blobs } = await home(t);
  const size = 2 * BLOB_CHUNK_BYTES + 100;
  const bytes = bytesOf(size);
  const name = nameOf(bytes);
  const places = [
    0,
    1,
    4_095,
    BLOB_CHUNK_BYTES,
    size - 1,
    ...Array.from({ length: 25 }, (_, at) => (at * 99_991) % size),
  ];
  for (const [turn, place] of places.entries()) {
    await blobs.put(name, inPieces(bytes));
    // A server that has just started, and one that has hashed the bytes before.
    const reader = turn % 2 === 0 ? await openFileBlobs(dir) : blobs;
    const damaged = Buffer.from(bytes);
    damaged[place] = (damaged[place] as number) ^ (turn % 3 === 0 ? 1 : 0xff);
    writeFileSync(fileOf(name), damaged);
    const range = turn % 5 === 0 ? { start: 10, end: 20 } : undefined;
    const served: Uint8Array[] = [];
    await assert.rejects((async () => gather(await reader.read(name, range), served))(), { code: 'corrupt' });
    const length = Buffer.concat(served).length;
    assert.ok(length < size && (range === undefined || length === 0), `${length} bytes were served`);
    assert.equal(await reader.size(name), undefined, 'it counts as not here');
    assert.ok(readFileSync(path.join(dir, 'blobs', 'damaged', name)).equals(damaged), 'nothing is deleted');
  }
  await blobs.put(name, inPieces(bytes));
  assert.ok((await gather(await blobs.read(name))).equals(bytes), 'it can be sent again');
});

test('D16 a blob that has become shorter, or longer, is refused (F-26)', async (t) => {
  const { dir, fileOf, blobs } = await home(t);
  const bytes = bytesOf(90_000);
  const name = nameOf(bytes);
  for (const size of [0, 89_999, 90_001]) {
    await blobs.put(name, inPieces(bytes));
    truncateSync(fileOf(name), size);
    await assert.rejects((async () => gather(await blobs.read(name)))(), (error: unknown) => {
      assert.ok(error instanceof BlobError && error.code === 'corrupt');
      assert.match(error.message, new RegExp(`blob ${name} is not what was written; it was set aside in ${dir}`));
      return true;
    });
    assert.ok(!existsSync(fileOf(name)));
  }
});
