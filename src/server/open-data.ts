import { openFileBlobs } from '../store/blobs/file-blobs.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import type { Bucket } from '../store/s3/bucket.ts';
import { BucketError, bucketPlaceOf } from '../store/s3/bucket-place.ts';
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts';
import { type Store, StoreError } from '../store/store.ts';
import { type ServerConfig, StartError } from './config.ts';

/** What a server keeps, and where. */
export interface Data {
  readonly store: Store;
  readonly blobs: BlobStore;
}

/** In its directory, or in a database that other servers use too, and perhaps in a bucket. */
export async function openData({ dataDir, database, blobs }: ServerConfig): Promise<Data> {
  if (database === undefined && blobs !== undefined) {
    throw new StartError('options', 'a bucket keeps blobs only where a PostgreSQL keeps the jobs');
  }
  const store = await openStore(dataDir, database, blobs);
  if ('blobs' in store) return { store, blobs: store.blobs };
  try {
    return { store, blobs: await openFileBlobs(dataDir) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openStore(
  dataDir: string,
  database: string | undefined,
  blobs: string | undefined,
): Promise<Store | PostgresStore> {
  try {
    return await (database === undefined ? openSqliteStore(dataDir) : openDatabase(database, blobs));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { code, message } = error;
    if (error instanceof BucketError) throw new StartError('bucket', message, { cause: error });
    if (code === 'locked') throw new StartError(code, message, { cause: error });
    if (code === 'newer' && database === undefined) throw new StartError(code, message, { cause: error });
    if (database !== undefined) throw new StartError('refused', message, { cause: error });
    throw error;
  }
}

/** The bucket first: the database is left as it is if that cannot be used. */
async function openDatabase(database: string, blobs: string | undefined): Promise<PostgresStore> {
  const bucket = blobs === undefined ? undefined : await openBucketOf(blobs);
  try {
    // Most servers have none, and are spared the driver.
    const { openPostgresStore } = await import('../store/postgres/postgres-store.ts');
    return await openPostgresStore(database, { bucket });
  } catch (error) {
    bucket?.close();
    throw error;
  }
}

async function openBucketOf(url: string): Promise<Bucket> {
  const place = placeOf(url);
  const { Bucket } = await import('../store/s3/bucket.ts');
  return await Bucket.open(place);
}

function placeOf(url: string) {
  try {
    return bucketPlaceOf(url, process.env);
  } catch (error) {
    // Wrong usage, whatever the bucket would say.
    throw error instanceof BucketError
      ? new StartError('options', `--blobs: ${error.message}`, { cause: error })
      : error;
  }
}
