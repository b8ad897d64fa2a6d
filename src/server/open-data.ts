import { openFileBlobs } from '../store/blobs/file-blobs.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts';
import { type Store, StoreError } from '../store/store.ts';
import { type ServerConfig, StartError } from './config.ts';

/** What a server keeps, and where. */
export interface Data {
  readonly store: Store;
  readonly blobs: BlobStore;
}

/** In its directory, or in a database that other servers use too. */
export async function openData({ dataDir, database }: ServerConfig): Promise<Data> {
  const store = await openStore(dataDir, database);
  if ('blobs' in store) return { store, blobs: store.blobs };
  try {
    return { store, blobs: await openFileBlobs(dataDir) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openStore(dataDir: string, database: string | undefined): Promise<Store | PostgresStore> {
  try {
    if (database === undefined) return await openSqliteStore(dataDir);
    // Most servers have none, and are spared the driver.
    const { openPostgresStore } = await import('../store/postgres/postgres-store.ts');
    return await openPostgresStore(database);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { code, message } = error;
    if (code === 'locked') throw new StartError(code, message, { cause: error });
    if (code === 'newer' && database === undefined) throw new StartError(code, message, { cause: error });
    if (database !== undefined) throw new StartError('refused', message, { cause: error });
    throw error;
  }
}
