import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';
import { digest } from './digest.ts';

/** 'mnyh': so that we never write into somebody else's database. */
const APPLICATION = 0x6d6e7968;

/** Brings the data to the newest version, one transaction a migration; a copy of the old data is left beside it (F-20). */
export function migrate(db: DatabaseSync, file: string, migrations: readonly string[]): void {
  const version = read(db, 'user_version');
  const application = read(db, 'application_id');
  if (application !== APPLICATION && (application !== 0 || version !== 0 || hasTables(db))) {
    throw new StoreError('damaged', `${file} is a database of another program`);
  }
  refuseNewer(version, file, migrations);
  if (version > 0 && version < migrations.length) {
    const copy = `${file}.version-${version}`;
    rmSync(copy, { force: true });
    db.prepare('VACUUM INTO ?').run(copy);
  }
  for (const [index, migration] of migrations.entries()) {
    if (index >= version) apply(db, index + 1, migration);
  }
}

export function refuseNewer(version: number, file: string, migrations: readonly string[]): void {
  if (version <= migrations.length) return;
  throw new StoreError(
    'newer',
    `${file} was written by a newer manyhands (data version ${version}, this one knows ${migrations.length}); nothing was changed: install that version, or use another --data`,
  );
}

function apply(db: DatabaseSync, version: number, migration: string): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(migration);
    if (version === 1) {
      db.exec(`PRAGMA application_id = ${APPLICATION}`);
      const name = randomBytes(8).toString('hex');
      const crc = digest([name, 0, 1]);
      db.prepare('INSERT INTO farm (only, name, epoch, next_job, crc) VALUES (1, ?, 0, 1, ?)').run(name, crc);
    }
    db.exec(`PRAGMA user_version = ${version}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function read(db: DatabaseSync, pragma: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get() as object)[0]);
}

function hasTables(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined;
}
