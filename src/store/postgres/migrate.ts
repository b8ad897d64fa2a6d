import { randomBytes } from 'node:crypto';
import { StoreError } from '../store.ts';
import type { Connection } from './connection.ts';
import { transaction } from './line.ts';
import { migrations as released } from './migrations/index.ts';

/** 'mnyh': whoever opens the data holds this lock while it looks and migrates, so that two may start at once. */
const LOCK = 0x6d6e7968;

/** The oldest that its own makers still mend. */
const OLDEST_MAJOR = 15;

/** Brings the data to the newest version, one transaction a migration (D11), and returns the name of the farm. */
export async function migrate(connection: Connection, migrations: readonly string[] = released): Promise<string> {
  await refuseOldServer(connection);
  let version = await versionOf(connection);
  refuseNewer(version, migrations);
  while (version < migrations.length) version = await step(connection, migrations);
  const { rows } = await connection.plain('SELECT name FROM farm');
  return rows[0]?.['name'] as string;
}

async function step(connection: Connection, migrations: readonly string[]): Promise<number> {
  return await transaction(connection, async () => {
    await connection.plain(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const version = await versionOf(connection);
    refuseNewer(version, migrations);
    // Another server did it, while this one waited for the lock.
    if (version === migrations.length) return { value: version, sent: [] };
    await connection.plain(migrations[version] as string);
    const name = randomBytes(8).toString('hex');
    const first = `INSERT INTO farm (name, version, epoch, token_writes) VALUES ('${name}', 1, 0, 0)`;
    await connection.plain(version === 0 ? first : `UPDATE farm SET version = ${version + 1}`);
    return { value: version + 1, sent: [] };
  });
}

/** 0: there is nothing yet. */
async function versionOf(connection: Connection): Promise<number> {
  // Read as a table: what PostgreSQL remembers of names may be older than the lock that was waited for.
  const tables = await connection.plain(`SELECT FROM pg_class WHERE relname = 'farm' AND pg_table_is_visible(oid)`);
  if (tables.count === 0) return 0;
  const { rows } = await connection.plain('SELECT version FROM farm');
  return rows[0]?.['version'] as number;
}

async function refuseOldServer(connection: Connection): Promise<void> {
  const { rows } = await connection.plain('SHOW server_version_num');
  const major = Math.floor(Number(rows[0]?.['server_version_num']) / 10_000);
  if (major >= OLDEST_MAJOR) return;
  throw new StoreError('refused', `this is PostgreSQL ${major}, but ${OLDEST_MAJOR} or newer is needed`);
}

function refuseNewer(version: number, migrations: readonly string[]): void {
  if (version <= migrations.length) return;
  throw new StoreError(
    'newer',
    `the database was written by a newer manyhands (data version ${version}, this one knows ${migrations.length}); nothing was changed: install that version, or use another database`,
  );
}
