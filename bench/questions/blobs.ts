import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { BlobStore } from '../../src/store/blobs.ts';
import { openPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { Bucket } from '../../src/store/s3/bucket.ts';
import { bucketPlaceOf } from '../../src/store/s3/bucket-place.ts';
import { type BucketServer, newBucket, S3rver } from '../../test/support/bucket-server.ts';
import { Ceph } from '../../test/support/ceph.ts';
import { MeasuredDatabase } from '../harness/database.ts';
import type { Question, Sample } from '../harness/figures.ts';

const MiB = 1 << 20;
const PIECE = 64 * 1024;
/** Each comes as a worker sends it, four at once. */
const SIZES = [
  { name: '1 MiB', bytes: MiB, count: 120 },
  { name: '64 MiB', bytes: 64 * MiB, count: 4 },
];
const AT_ONCE = 4;

/** S5: blobs through one server, in rows of the database and in a bucket. */
export const blobs: Question = {
  id: 'S5',
  asks: 'blobs of 1 and 64 MiB, four at once, in the database and in a bucket: rates, and what the database has to do',
  async measure(): Promise<Sample[]> {
    const { name, server } = await bucketServer();
    try {
      Object.assign(process.env, server.env);
      const { url } = await newBucket(server);
      return [...(await measured('in rows')), ...(await measured(`in a bucket of ${name}`, url))];
    } finally {
      await server.remove();
    }
  },
};

async function bucketServer(): Promise<{ name: string; server: BucketServer }> {
  if (!existsSync('/usr/bin/radosgw')) return { name: 's3rver', server: await S3rver.start() };
  return { name: 'Ceph', server: await Ceph.start() };
}

async function measured(where: string, place?: string): Promise<Sample[]> {
  await using database = await MeasuredDatabase.start();
  const bucket = place === undefined ? undefined : await Bucket.open(bucketPlaceOf(place, {}));
  const store = await openPostgresStore(database.url, { bucket });
  try {
    const samples: Sample[] = [];
    for (const size of SIZES) {
      const total = (size.bytes * size.count) / MiB;
      const data = blobsOf(size);
      await database.reset();
      const wrote = await timed([...data], ([name, bytes]) => store.blobs.put(name, pieces(bytes)));
      const { wal, cpu } = await database.work();
      const read = await timed([...data.keys()], (name) => readWhole(store.blobs, name, size.bytes));
      const what = `S5 ${size.name} ${where}`;
      samples.push(
        { name: `${what}: written`, value: total / wrote, unit: 'MiB/s' },
        { name: `${what}: read`, value: total / read, unit: 'MiB/s' },
        { name: `${what}: log of the database`, value: wal / MiB / total, unit: 'MiB per MiB' },
        { name: `${what}: database CPU`, value: (cpu * 1_000) / total, unit: 'ms per MiB written' },
      );
    }
    return samples;
  } finally {
    await store.close();
  }
}

function blobsOf({ bytes: length, count }: (typeof SIZES)[number]): Map<string, Buffer> {
  const base = randomBytes(length);
  const data = new Map<string, Buffer>();
  for (let at = 0; at < count; at++) {
    const bytes = Buffer.from(base);
    bytes.writeUInt32LE(at);
    data.set(createHash('sha256').update(bytes).digest('hex'), bytes);
  }
  return data;
}

/** Seconds. */
async function timed<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<number> {
  const queue = [...items];
  const began = performance.now();
  const lane = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return (performance.now() - began) / 1_000;
}

async function readWhole(store: BlobStore, name: string, length: number): Promise<void> {
  let size = 0;
  for await (const part of (await store.read(name)) ?? []) size += part.length;
  if (size !== length) throw new Error(`read ${size} bytes of ${name}`);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}
