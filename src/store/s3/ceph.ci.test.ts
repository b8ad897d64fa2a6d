import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketBlobs } from '../../../test/support/bucket-blobs.ts';
import { newBucket } from '../../../test/support/bucket-server.ts';
import { Ceph } from '../../../test/support/ceph.ts';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { Bucket } from './bucket.ts';
import { bucketPlaceOf } from './bucket-place.ts';

let ceph: Ceph;
const { postgres, open } = await bucketBlobs('Ceph', async () => (ceph = await Ceph.start()));

test('D24 an upload that was begun in the bucket and written down nowhere is given up, others are not', async (t) => {
  const { url } = await postgres.database();
  const place = await newBucket(ceph);
  const store = await open(t, url, place.url);
  const bucket = await Bucket.open(bucketPlaceOf(place.url, {}));
  cleanUp(t, () => bucket.close());
  const begun = await bucket.begin('blobs/nobody-1');
  await bucket.putPart('blobs/nobody-1', begun, 1, Buffer.alloc(100));
  const begunNow = async (): Promise<string[]> => (await Array.fromAsync(bucket.openParts())).map(({ parts }) => parts);
  assert.deepEqual(await begunNow(), [begun]);
  assert.deepEqual(await Array.fromAsync(store.blobs.list(Date.now() - 60_000)), []);
  assert.deepEqual(await begunNow(), [begun], 'it is young');
  const other = await open(t, url, place.url);
  await Array.fromAsync(other.blobs.list(Date.now() + 60_000));
  assert.deepEqual(await begunNow(), []);
});

test('D24 a key that may not do what is needed, and one that is wrong, are told in one sentence', async () => {
  const place = await newBucket(ceph);
  ceph.makeUser('guest', 'GUESTKEY', 'a-secret-of-guests');
  const refusedFor = async (key: string, secret: string): Promise<string> => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret });
    try {
      (await Bucket.open(bucketPlaceOf(place.url, {}))).close();
      return 'it was opened';
    } catch (error) {
      return (error as Error).message.replace(/^s3:\/\/\S+ at \S+ /, '');
    } finally {
      Object.assign(process.env, ceph.env);
    }
  };
  const denied = 'does not allow this key what is needed: it has to read, write and delete objects there';
  assert.equal(await refusedFor('GUESTKEY', 'a-secret-of-guests'), denied);
  assert.equal(await refusedFor('GUESTKEY', 'wrong'), 'does not accept this key: look at AWS_SECRET_ACCESS_KEY');
  assert.equal(await refusedFor('NOBODY', 'x'), 'does not know this key: look at AWS_ACCESS_KEY_ID');
  assert.deepEqual(await place.objects(), []);
});
