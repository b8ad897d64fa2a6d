import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, type TestContext, test } from 'node:test';
import { BUCKET_PART_BYTES } from '../../src/model/bucket-limits.ts';
import type { BlobStore } from '../../src/store/blobs.ts';
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { Bucket } from '../../src/store/s3/bucket.ts';
import { bucketPlaceOf } from '../../src/store/s3/bucket-place.ts';
import { blobContract, bytesOf, gather, inPieces, nameOf } from '../../src/testing/blob-contract.ts';
import { type BucketServer, newBucket } from './bucket-server.ts';
import { cleanUp } from './cleanup.ts';
import { TestPostgres } from './postgres.ts';

/** Milliseconds: what waits for a bucket that is gone need not do so for long. */
const PATIENCE = 300;

interface Servers {
  readonly postgres: TestPostgres;
  readonly bucketServer: BucketServer;
  /** The store of a farm, and the bucket where its blobs lie. */
  open(t: TestContext, url: string, place: string): Promise<PostgresStore>;
}

interface Home {
  readonly name: string;
  readonly bucket: Awaited<ReturnType<typeof newBucket>>;
  readonly blobs: BlobStore;
  again(): Promise<BlobStore>;
  query(text: string): Promise<Record<string, unknown>[]>;
}

/** Holds blobs in a bucket to D9, D16 and D24, over a real server. */
export async function bucketBlobs(title: string, start: () => Promise<BucketServer>): Promise<Servers> {
  const postgres = await TestPostgres.start({ fsync: 'off' });
  after(() => postgres.remove());
  const server = await start();
  after(() => server.remove());
  Object.assign(process.env, server.env);

  const open: Servers['open'] = async (t, url, place) => {
    const bucket = await Bucket.open(bucketPlaceOf(place, {}), { patience: PATIENCE });
    const store = await openPostgresStore(url, { bucket });
    cleanUp(t, () => store.close());
    return store;
  };
  const servers = { postgres, bucketServer: server, open };
  const home = async (t: TestContext): Promise<Home> => {
    const { url, name } = await postgres.database();
    const bucket = await newBucket(server);
    const again = async (): Promise<BlobStore> => (await open(t, url, bucket.url)).blobs;
    return { name, bucket, blobs: await again(), again, query: (text) => postgres.query(text, name) };
  };

  blobContract(`PostgreSQL and a bucket of ${title}`, home);
  const rule = (says: string, act: (at: Home, server: BucketServer) => Promise<void>): void =>
    void test(says, async (t) => act(await home(t), server));
  rule('D24 a large blob goes in parts, is cut, goes on at another server, and leaves nothing but itself', goesInParts);
  rule('D24 what goes on at another server with wrong bytes is found out, and leaves nothing', isFoundOut);
  rule('D24 small steps of an upload, at one server and at another, become one object', isGathered);
  rule('D24 while the bucket is away it is told so in a sentence, and what was sent is kept', isAway);
  rule(
    'D16 an object that is gone, or is another one, is never served to its end, and is set aside (F-26)',
    isSetAside,
  );
  test('D24 blobs that lie in rows stay there, and are read, continued and deleted', async (t) =>
    staysInRows(t, servers));
  return servers;
}

async function goesInParts(at: Home): Promise<void> {
  const bytes = large(2.5);
  const sha256 = nameOf(bytes);
  const cut = 1.5 * BUCKET_PART_BYTES;
  await assert.rejects(at.blobs.put(sha256, inPieces(bytes, cut)), /the line was cut/);
  const other = await at.again();
  const kept = await other.partial(sha256);
  assert.ok(kept >= cut && kept < cut + 60_000, `${kept}`);
  assert.deepEqual(await uploadOf(at), { in_parts: BUCKET_PART_BYTES, parts: 1, rows: kept - BUCKET_PART_BYTES });
  assert.equal(await other.size(sha256), undefined, 'it is not here before it is whole');
  const rest = inPieces(bytes.subarray(kept));
  assert.deepEqual(await other.append(sha256, kept, rest, bytes.length), { size: bytes.length, whole: true });
  for (const each of [at.blobs, other, await at.again()]) {
    assert.equal(nameOf(await gather(await each.read(sha256))), sha256);
    const range = { start: BUCKET_PART_BYTES - 5, end: BUCKET_PART_BYTES + 70_000 };
    assert.ok((await gather(await each.read(sha256, range))).equals(bytes.subarray(range.start, range.end)));
  }
  assert.equal((await at.bucket.objects()).length, 2, 'the mark of the farm, and the blob');
  assert.deepEqual(await at.query('SELECT FROM blob_chunks UNION ALL SELECT FROM blob_uploads'), []);
  await at.blobs.delete(sha256);
  assert.deepEqual(await at.bucket.objects(), ['manyhands-farm']);
}

async function isFoundOut(at: Home): Promise<void> {
  const bytes = large(2.2);
  const sha256 = nameOf(bytes);
  await assert.rejects(at.blobs.put(sha256, inPieces(bytes, 1.2 * BUCKET_PART_BYTES)), /the line was cut/);
  const other = await at.again();
  const kept = await other.partial(sha256);
  const rest = Buffer.from(bytes.subarray(kept));
  rest[7] = (rest[7] ?? 0) ^ 1;
  await assert.rejects(other.append(sha256, kept, inPieces(rest), bytes.length), { code: 'mismatch' });
  assert.deepEqual([await other.size(sha256), await other.partial(sha256)], [undefined, 0]);
  assert.deepEqual(await at.bucket.objects(), ['manyhands-farm']);
  assert.deepEqual(await at.query('SELECT FROM blob_chunks UNION ALL SELECT FROM blob_uploads'), []);
}

async function isGathered(at: Home): Promise<void> {
  const bytes = large(1.4);
  const sha256 = nameOf(bytes);
  const step = 700_001;
  for (let from = 0; from < bytes.length; from += step) {
    const each = from % 2 === 0 ? at.blobs : await at.again();
    const part = bytes.subarray(from, from + step);
    await each.append(sha256, from, inPieces(part), bytes.length);
  }
  assert.equal(nameOf(await gather(await at.blobs.read(sha256))), sha256);
}

async function isAway(at: Home, server: BucketServer): Promise<void> {
  const bytes = large(2.5);
  const sha256 = nameOf(bytes);
  const small = bytesOf(1_000, 9);
  let sent = 0;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of inPieces(bytes)) {
      if (sent > 1.3 * BUCKET_PART_BYTES) await server.kill();
      sent += piece.length;
      yield piece;
    }
  };
  const says = {
    code: 'busy',
    message: /^s3:\/\/blobs-\d+ at 127\.0\.0\.1:\d+ does not answer \(.*ECONNREFUSED.*\)/,
  };
  await assert.rejects(at.blobs.put(sha256, pieces()), says);
  await assert.rejects(at.blobs.put(nameOf(small), inPieces(small)), says);
  assert.equal(await at.blobs.partial(nameOf(small)), 1_000);
  const kept = await at.blobs.partial(sha256);
  assert.ok(kept > BUCKET_PART_BYTES, `${kept}`);
  await server.run();
  const end = await at.blobs.append(sha256, kept, inPieces(bytes.subarray(kept)), bytes.length);
  assert.deepEqual(end, { size: bytes.length, whole: true });
  assert.deepEqual(await at.blobs.append(nameOf(small), 1_000, inPieces(bytesOf(0)), 1_000), {
    size: 1_000,
    whole: true,
  });
  assert.equal(nameOf(await gather(await at.blobs.read(sha256))), sha256);
  const reading = (await at.blobs.read(sha256)) as AsyncIterable<Uint8Array>;
  await assert.rejects(async () => {
    for await (const _ of reading) await server.kill();
  }, says);
  await server.run();
  assert.equal(await at.blobs.size(sha256), bytes.length, 'what does not answer is not damaged');
}

async function isSetAside(at: Home): Promise<void> {
  const bytes = bytesOf(200_000);
  const sha256 = nameOf(bytes);
  const { client, name: Bucket } = at.bucket;
  const other = Buffer.from(bytes).fill(1, 100, 101);
  const damages = [
    (Key: string) => client.putObject({ Bucket, Key, Body: other }),
    (Key: string) => client.putObject({ Bucket, Key, Body: bytes.subarray(0, -1) }),
    (Key: string) => client.deleteObject({ Bucket, Key }),
  ];
  for (const damage of damages) {
    await at.blobs.put(sha256, inPieces(bytes));
    const [row] = await at.query('SELECT upload FROM blobs');
    await damage(`blobs/${sha256}-${row?.['upload']}`);
    const reader = await at.again();
    const served: Uint8Array[] = [];
    await assert.rejects((async () => gather(await reader.read(sha256), served))(), { code: 'corrupt' });
    assert.ok(Buffer.concat(served).length < bytes.length);
    assert.equal(await at.blobs.size(sha256), undefined, 'it counts as not here');
  }
  await at.blobs.put(sha256, inPieces(bytes));
  const [row] = await at.query('SELECT upload FROM blobs');
  await client.deleteObject({ Bucket, Key: `blobs/${sha256}-${row?.['upload']}` });
  const part = { start: 100, end: 50_000 };
  await assert.rejects((async () => gather(await at.blobs.read(sha256, part)))(), { code: 'corrupt' });
  assert.equal((await at.query('SELECT FROM damaged_blobs WHERE in_bucket')).length, damages.length + 1);
}

async function staysInRows(t: TestContext, { postgres, bucketServer, open }: Servers): Promise<void> {
  const { url } = await postgres.database();
  const before = await openPostgresStore(url);
  const [whole, half] = [bytesOf(600_000, 4), bytesOf(500_000, 5)];
  await before.blobs.put(nameOf(whole), inPieces(whole));
  await assert.rejects(before.blobs.put(nameOf(half), inPieces(half, 240_000)), /the line was cut/);
  await before.close();
  const { url: place } = await newBucket(bucketServer);
  const store = await open(t, url, place);
  assert.ok((await gather(await store.blobs.read(nameOf(whole)))).equals(whole));
  await store.blobs.append(nameOf(half), 240_000, inPieces(half.subarray(240_000)), half.length);
  assert.ok((await gather(await store.blobs.read(nameOf(half)))).equals(half));
  for (const each of [whole, half]) await store.blobs.delete(nameOf(each));
  assert.equal(await store.blobs.size(nameOf(whole)), undefined);
}

/** So many parts of bytes that are not like their neighbours. */
function large(parts: number): Buffer {
  const block = createHash('sha256');
  const bytes = Buffer.alloc(Math.round(parts * BUCKET_PART_BYTES));
  const seed = block.update(`${parts}`).digest();
  for (let at = 0; at < bytes.length; at += 32) {
    seed.writeUInt32LE(at, 0);
    seed.copy(bytes, at);
  }
  return bytes;
}

async function uploadOf(at: Home): Promise<unknown> {
  const [row] = await at.query(
    `SELECT in_parts::int, cardinality(tags) AS parts,
       (SELECT sum(octet_length(bytes))::int FROM blob_chunks WHERE upload = id) AS rows FROM blob_uploads WHERE kept`,
  );
  return { ...row };
}
