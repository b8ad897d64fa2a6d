import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { TestPostgres } from '../../../test/support/postgres.ts';
import { BLOB_RENEW } from '../../model/limits.ts';
import { BLOB_ROW_BYTES } from '../../model/server-limits.ts';
import { blobContract, bytesOf, gather, inPieces, nameOf } from '../../testing/blob-contract.ts';
import type { BlobStore } from '../blobs.ts';
import { openPostgresStore } from './postgres-store.ts';

const server = await TestPostgres.start({ fsync: 'off' });
after(() => server.remove());

async function home(t: TestContext): Promise<{ name: string; blobs: BlobStore; again(): Promise<BlobStore> }> {
  const { url, name } = await server.database();
  const again = async (): Promise<BlobStore> => {
    const store = await openPostgresStore(url);
    cleanUp(t, () => store.close());
    return store.blobs;
  };
  return { name, blobs: await again(), again };
}

blobContract('PostgreSQL', home);

const rowsOf = async (name: string): Promise<unknown> => (await server.query('SELECT FROM blob_chunks', name)).length;

test('D9 nothing is left of what was refused, deleted or sent twice', async (t) => {
  const { name, blobs, again } = await home(t);
  const bytes = bytesOf(3 * BLOB_ROW_BYTES + 1);
  await assert.rejects(blobs.put(nameOf(bytesOf(5)), inPieces(bytes)), { code: 'mismatch' });
  assert.equal(await rowsOf(name), 0);
  const other = await again();
  await Promise.all([blobs.put(nameOf(bytes), inPieces(bytes)), other.put(nameOf(bytes), inPieces(bytes))]);
  assert.equal(await rowsOf(name), 4);
  await blobs.delete(nameOf(bytes));
  assert.equal(await rowsOf(name), 0);
  assert.equal((await server.query('SELECT FROM blob_uploads', name)).length, 0);
});

test('D9 what was asked for lately is not collected, cut uploads are (F-27)', async (t) => {
  const { name, blobs } = await home(t);
  const names = [bytesOf(10, 1), bytesOf(10, 2)].map(nameOf) as [string, string];
  for (const [at, each] of names.entries()) await blobs.put(each, inPieces(bytesOf(10, at + 1)));
  const cut = bytesOf(100_000, 3);
  await assert.rejects(blobs.put(nameOf(cut), inPieces(cut, 60_000)), /the line was cut/);
  const before = `now() - interval '${3 * BLOB_RENEW} milliseconds'`;
  await server.query(`UPDATE blobs SET used_at = ${before}; UPDATE blob_uploads SET used_at = ${before}`, name);
  const olderThan = Date.now() - BLOB_RENEW;
  assert.equal(await blobs.size(names[0]), 10);
  assert.deepEqual(await Array.fromAsync(blobs.list(olderThan)), [names[1]]);
  assert.equal(await blobs.partial(nameOf(cut)), 0);
  for (const each of names) await blobs.delete(each, olderThan);
  assert.deepEqual([await blobs.size(names[0]), await blobs.size(names[1])], [10, undefined]);
  assert.equal(await rowsOf(name), 1);
});

test('D9 of two that go on with an upload one is told to wait', async (t) => {
  const { blobs, again } = await home(t);
  const bytes = bytesOf(400_000);
  const name = nameOf(bytes);
  await assert.rejects(blobs.put(name, inPieces(bytes, 180_000)), /the line was cut/);
  const other = await again();
  const rest = (): AsyncGenerator<Uint8Array> => inPieces(bytes.subarray(180_000));
  const both = await Promise.allSettled([
    blobs.append(name, 180_000, rest(), bytes.length),
    other.append(name, 180_000, rest(), bytes.length),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  assert.ok((await gather(await other.read(name))).equals(bytes));
});

test('D16 a blob with a changed, missing or added byte is never served to its end, and is set aside (F-26)', async (t) => {
  const { name, blobs, again } = await home(t);
  const bytes = bytesOf(2 * BLOB_ROW_BYTES + 100);
  const sha256 = nameOf(bytes);
  const damages = [
    `UPDATE blob_chunks SET bytes = set_byte(bytes, 9, get_byte(bytes, 9) # 1) WHERE at = 0`,
    `UPDATE blob_chunks SET bytes = substr(bytes, 2) WHERE at = ${2 * BLOB_ROW_BYTES}`,
    `DELETE FROM blob_chunks WHERE at = ${BLOB_ROW_BYTES}`,
  ];
  for (const damage of damages) {
    await blobs.put(sha256, inPieces(bytes));
    await server.query(damage, name);
    const served: Uint8Array[] = [];
    const reader = await again();
    await assert.rejects((async () => gather(await reader.read(sha256), served))(), { code: 'corrupt' });
    assert.ok(Buffer.concat(served).length < bytes.length);
    assert.equal(await blobs.size(sha256), undefined, 'it counts as not here');
  }
  assert.equal((await server.query('SELECT FROM damaged_blobs', name)).length, damages.length, 'nothing is deleted');
});
