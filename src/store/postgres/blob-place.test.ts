import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { newBucket, S3rver } from '../../../test/support/bucket-server.ts';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { TestPostgres } from '../../../test/support/postgres.ts';
import { schemaOf } from '../../../test/support/postgres-schema.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import { rejects } from '../../testing/store-contract/home.ts';
import { Bucket } from '../s3/bucket.ts';
import { bucketPlaceOf } from '../s3/bucket-place.ts';
import { openPostgresStore, type PostgresStore } from './postgres-store.ts';

const postgres = await TestPostgres.start({ fsync: 'off' });
after(() => postgres.remove());
const server = await S3rver.start();
after(() => server.remove());
Object.assign(process.env, server.env);

/** Opens the farm's store with that bucket, or with none. */
async function opened(t: TestContext, url: string, place?: string): Promise<PostgresStore> {
  const bucket = place === undefined ? undefined : await Bucket.open(bucketPlaceOf(place, {}));
  try {
    const store = await openPostgresStore(url, { bucket });
    cleanUp(t, () => store.close());
    return store;
  } catch (error) {
    bucket?.close();
    throw error;
  }
}

test('D24 once a farm has a bucket, each of its servers has to have it', async (t) => {
  const [{ url, name }, bucket, other] = [await postgres.database(), await newBucket(server), await newBucket(server)];
  const first = await opened(t, url, bucket.url);
  await first.start();
  assert.deepEqual(await bucket.objects(), ['manyhands-farm']);
  await (await opened(t, url, bucket.url)).start();
  const says = new RegExp(
    `^the blobs of this farm lie in s3://${bucket.name} at \\S+: start this server with --blobs and that`,
  );
  await rejects(opened(t, url), 'refused', says);
  await rejects(
    opened(t, url, other.url),
    'refused',
    /is not where the blobs of this farm lie, which is s3:\/\/blobs-/,
  );
  assert.deepEqual(await other.objects(), []);
  assert.equal((await postgres.query('SELECT FROM members', name)).length, 2);
  // By another name it is the same.
  await opened(t, url, bucket.url.replace('127.0.0.1', 'localhost'));
});

test('D24 a bucket that holds the blobs of another farm is refused, and the empty database stays empty', async (t) => {
  const [one, two, bucket] = [await postgres.database(), await postgres.database(), await newBucket(server)];
  await opened(t, one.url, bucket.url);
  await rejects(
    opened(t, two.url, bucket.url),
    'refused',
    /^s3:\/\/blobs-\d+ at \S+ holds the blobs of another farm: give/,
  );
  assert.equal(await schemaOf(postgres, two.name), '\n', 'nothing half-made');
  const [place, query] = bucket.url.split('?');
  await opened(t, two.url, `${place}/two?${query}`);
});

test('D24 a farm whose servers work without the bucket does not get it until they have stopped', async (t) => {
  const [{ url, name }, bucket] = [await postgres.database(), await newBucket(server)];
  const old = await opened(t, url);
  await old.start();
  await rejects(
    opened(t, url, bucket.url),
    'refused',
    /^other servers of this farm work without s3:\/\/blobs-\d+ .*: stop them all/,
  );
  assert.deepEqual(await bucket.objects(), [], 'nothing half-made');
  // It is silent for so long that it counts as gone, and comes back.
  await postgres.query(`UPDATE beats SET alive_until = now() - interval '${SERVER_LEASE} milliseconds'`, name);
  await (await opened(t, url, bucket.url)).start();
  await rejects(
    old.start(),
    'broken',
    /^the blobs of this farm lie in s3:\/\/blobs-\d+ at \S+: start this server with --blobs/,
  );
});
