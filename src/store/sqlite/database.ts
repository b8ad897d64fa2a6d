import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CHECKPOINT_PAGES, STORE_CACHE_BYTES, WHOLE_CHECK_BYTES } from '../../model/limits.ts';
import { StoreError } from '../store.ts';
import { checkRows } from './digest.ts';
import { toStoreError } from './failure.ts';
import { migrate, refuseNewer } from './migrate.ts';
import { migrations as released } from './migrations/index.ts';

export const DATABASE_FILE = 'manyhands.db';
export const PAGE_BYTES = 4096;
export const LOCK_FILE = 'manyhands.lock';

/** Opens the data of a directory for this process alone, or says why not. Nothing is changed before it is known to be ours. */
export function openDatabase(dir: string, migrations: readonly string[] = released): DatabaseSync {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = path.join(dir, DATABASE_FILE);
  const isNew = !existsSync(file);
  let db: DatabaseSync | undefined;
  try {
    if (!isNew) refuseNewer(versionInFile(file), file, migrations);
    // Also in a directory that everybody may read; the log beside it gets the same mode.
    else closeSync(openSync(file, 'a', 0o600));
    db = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: false });
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    refuseOldSqlite(db);
    if (isNew) db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    take(db, dir);
    const isSmall = statSync(file).size <= WHOLE_CHECK_BYTES;
    if (isSmall) checkPages(db);
    migrate(db, file, migrations);
    if (isSmall) checkRows(db);
    settle(db);
    syncDirectory(dir);
    return db;
  } catch (error) {
    db?.close();
    throw explain(error, dir, file);
  }
}

/** Version as three numbers, such as `3.53.4`. */
export function hasWalResetFault(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major !== 3) return major < 3;
  if (minor === 44) return patch < 6;
  if (minor === 50) return patch < 7;
  if (minor === 51) return patch < 3;
  return minor < 51;
}

/**
 * The version of the data as the header of the file has it (bytes 60 to 63): read without SQLite, which writes the log
 * into the file when it closes it, even where it was only looked at. 0: unknown, also where it is no database at all.
 */
function versionInFile(file: string): number {
  const header = Buffer.alloc(64);
  const descriptor = openSync(file, 'r');
  try {
    const isWhole = readSync(descriptor, header, 0, 64, 0) === 64;
    return isWhole && header.toString('latin1', 0, 16) === 'SQLite format 3\0' ? header.readUInt32BE(60) : 0;
  } finally {
    closeSync(descriptor);
  }
}

function refuseOldSqlite(db: DatabaseSync): void {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  if (!hasWalResetFault(version)) return;
  throw new StoreError(
    'broken',
    `this Node was built with SQLite ${version}, which can corrupt data (the WAL-reset fault); 3.51.3 or newer is needed`,
  );
}

/** Holds the operating system's lock from here on; it ends with the process, however that ends (D10). */
function take(db: DatabaseSync, dir: string): void {
  db.exec('BEGIN IMMEDIATE; COMMIT');
  writeFileSync(path.join(dir, LOCK_FILE), JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
}

/**
 * A whole check reads every page and row, so it is done where that takes less than a second; larger data is guarded by the
 * checks that SQLite does on each page it reads and by the digest of each row (D16).
 */
function checkPages(db: DatabaseSync): void {
  const [found] = db.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
  if (found?.integrity_check === 'ok') return;
  throw new StoreError('damaged', `its integrity check says: ${found?.integrity_check}`);
}

/** What is asked for is read back: a build or a file system that silently gives less must not be trusted with data. */
function settle(db: DatabaseSync): void {
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${4 * CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${CHECKPOINT_PAGES * PAGE_BYTES};
    PRAGMA cache_size = ${-Math.floor(STORE_CACHE_BYTES / 1024)};
    PRAGMA temp_store = MEMORY;
  `);
  const read = (name: string): unknown => Object.values(db.prepare(`PRAGMA ${name}`).get() as object)[0];
  const found = `journal_mode=${read('journal_mode')} synchronous=${read('synchronous')} locking_mode=${read('locking_mode')}`;
  if (found !== 'journal_mode=wal synchronous=2 locking_mode=exclusive') {
    throw new StoreError('broken', `SQLite did not take the settings that keep data safe; it has ${found}`);
  }
}

function explain(error: unknown, dir: string, file: string): StoreError {
  const known = toStoreError(error);
  if (known.code === 'busy') {
    return new StoreError(
      'locked',
      `the data in ${dir} is in use${holder(dir)}; stop that server first or use another --data`,
    );
  }
  if (known.code === 'damaged') {
    return new StoreError(
      'damaged',
      `${file} is damaged (${known.message}). Nothing was deleted. To restore: unpack your latest 'manyhands backup' in an empty directory (tar -xf FILE -C DIR) and serve that with --data DIR.`,
      { cause: error },
    );
  }
  return known;
}

function holder(dir: string): string {
  try {
    const { pid, since } = JSON.parse(readFileSync(path.join(dir, LOCK_FILE), 'utf8')) as {
      pid: number;
      since: string;
    };
    return ` by process ${pid} (since ${since})`;
  } catch {
    return ' by another process';
  }
}

/** Makes the names of new files durable, not only their bytes. */
function syncDirectory(dir: string): void {
  const descriptor = openSync(dir, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
