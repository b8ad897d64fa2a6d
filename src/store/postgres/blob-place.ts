import type { Bucket } from '../s3/bucket.ts';
import { BucketError } from '../s3/bucket-place.ts';
import { StoreError } from '../store.ts';
import type { Connection } from './connection.ts';
import { transaction } from './line.ts';

/** Where the blobs of this farm lie, as all its servers must have it (D24); null: in the database. */
const PLACE = 'SELECT name, bucket FROM farm';

const ALIVE =
  'SELECT FROM members JOIN beats USING (epoch) WHERE over_at IS NULL AND alive_until > clock_timestamp() LIMIT 1';

/** Before anything is made in an empty database: what lies in the bucket may be of another farm. */
export async function refuseBucketOfOthers(connection: Connection, bucket: Bucket | undefined): Promise<void> {
  const owner = await bucket?.owner();
  if (owner === undefined) return;
  const tables = await connection.plain(`SELECT FROM pg_class WHERE relname = 'farm' AND pg_table_is_visible(oid)`);
  const { rows } = tables.count === 0 ? { rows: [] } : await connection.plain('SELECT name FROM farm');
  if (rows[0]?.['name'] === owner) return;
  throw new BucketError(
    `${bucket?.name} holds the blobs of another farm: give this one a prefix of its own, s3://BUCKET/PREFIX`,
  );
}

/** Once a farm has a bucket, each of its servers has to have it. */
export async function agreeOnBucket(connection: Connection, farm: string, bucket: Bucket | undefined): Promise<void> {
  const { rows } = await connection.plain(PLACE);
  const place = rows[0]?.['bucket'] as string | null;
  if (place === null && bucket === undefined) return;
  if (bucket === undefined) throw withoutBucket(place);
  if (place !== null) {
    // Its name may be another one here; what lies in it tells.
    if ((await bucket.owner()) === farm) return;
    throw new BucketError(`${bucket.name} is not where the blobs of this farm lie, which is ${place}`);
  }
  // Looked at twice: the mark must be there before any other server trusts in it.
  await refuseOthersAlive(connection, bucket);
  await bucket.own(farm);
  await transaction(connection, async () => {
    await connection.plain('SELECT FROM farm FOR UPDATE');
    await refuseOthersAlive(connection, bucket);
    const set = { name: 'manyhands_bucket', text: 'UPDATE farm SET bucket = $1 WHERE bucket IS NULL' };
    return { value: undefined, sent: [connection.query(set, [bucket.name])] };
  });
}

/** Another server may have brought the bucket while this one was not yet, or no more, one of the farm. */
export async function refuseOtherPlace(connection: Connection, bucket: Bucket | undefined): Promise<void> {
  const { rows } = await connection.plain(PLACE);
  const place = rows[0]?.['bucket'] as string | null;
  if (place === null || bucket !== undefined) return;
  throw new StoreError('broken', withoutBucket(place).message);
}

async function refuseOthersAlive(connection: Connection, bucket: Bucket): Promise<void> {
  // Who has just brought the same bucket is no stranger to it.
  const { rows } = await connection.plain(PLACE);
  if (rows[0]?.['bucket'] !== null || (await connection.plain(ALIVE)).count === 0) return;
  throw new BucketError(
    `other servers of this farm work without ${bucket.name}: stop them all, wait 6 seconds, and start each with --blobs`,
  );
}

function withoutBucket(place: string | null): BucketError {
  return new BucketError(`the blobs of this farm lie in ${place}: start this server with --blobs and that bucket`);
}
