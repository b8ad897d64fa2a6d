import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { start } from '../../../test/support/processes.ts';
import { aJob, aSegment } from '../../testing/store-records.ts';
import type { StoreError } from '../store.ts';
import { DATABASE_FILE, openDatabase } from './database.ts';
import { migrations } from './migrations/index.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { Writer } from './writer.ts';

const ROWS = 100_000;
const KILLS = 8;

/** Migrations of releases to come; each leaves something by which it is known. */
const later = ['first', 'second', 'third'].map(
  (name) => `
  CREATE TABLE ${name} (id INTEGER PRIMARY KEY, filler TEXT NOT NULL) STRICT;
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO ${name} SELECT i, hex(zeroblob(100)) FROM n;`,
);
const all = [...migrations, ...later];

function filesOf(dir: string): Record<string, string> {
  return Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(path.join(dir, name), 'latin1')]));
}

/** Data with one job, as a process that ended well leaves it, or one that was killed. */
async function someData(t: TestContext, ended: 'well' | 'killed'): Promise<string> {
  const dir = temporaryDirectory(t, 'versions');
  const store = await openSqliteStore(path.join(dir, 'made'));
  const epoch = await store.start();
  await store.commit([aJob(await store.nextJobId(), { name: 'kept' })], epoch);
  if (ended === 'well') await store.close();
  cpSync(path.join(dir, 'made'), path.join(dir, 'data'), { recursive: true });
  await store.close();
  return path.join(dir, 'data');
}

function versionOf(db: DatabaseSync): number {
  return Number((db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version);
}

function tablesOf(db: DatabaseSync): string[] {
  const names = ['first', 'second', 'third'];
  const known = db.prepare('SELECT name FROM sqlite_schema WHERE name = ?');
  return names.filter((name) => known.get(name) !== undefined);
}

test('D11 data of a newer version is refused by name, and not a byte of it is touched', async (t) => {
  for (const ended of ['well', 'killed'] as const) {
    const dir = await someData(t, ended);
    const file = path.join(dir, DATABASE_FILE);
    const newer = new DatabaseSync(file);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const before = filesOf(dir);
    await assert.rejects(openSqliteStore(dir), (error: StoreError) => {
      assert.equal(error.code, 'newer');
      assert.match(error.message, /data version 99, this one knows \d+.*install that version, or use another --data/);
      assert.ok(error.message.includes(file));
      return true;
    });
    assert.deepEqual(filesOf(dir), before);
  }
});

test('D11 the newer version may also stand in the log only', async (t) => {
  const dir = await someData(t, 'well');
  const source = path.join(dir, DATABASE_FILE);
  const newer = new DatabaseSync(source);
  newer.exec('PRAGMA journal_mode = WAL; PRAGMA user_version = 99;');
  const killed = `${dir}-killed`;
  cpSync(dir, killed, { recursive: true });
  newer.close();
  assert.equal(readFileSync(path.join(killed, DATABASE_FILE)).readUInt32BE(60), migrations.length);
  await assert.rejects(openSqliteStore(killed), { code: 'newer' });
  await assert.rejects(openSqliteStore(killed), { code: 'newer' });
});

test('D11 D17 data of version 1 is brought up to date, and what it holds can be read', async (t) => {
  const dir = temporaryDirectory(t, 'versions');
  const old = openDatabase(dir, migrations.slice(0, 1));
  const { endedAt: _, ...segment } = aSegment(1, 1, 0, 3).segment;
  const attempt = { job: 1, index: 2, lease: 1, worker: 'w', outcome: 'lost', endedAt: 7, message: 'gone' } as const;
  old.exec('BEGIN');
  const column = new TextEncoder().encode('1,2,3,');
  new Writer(old).write([aJob(1), { kind: 'segment', segment, column }, { kind: 'attempt', attempt }]);
  old.exec('COMMIT');
  assert.equal(versionOf(old), 1);
  old.close();
  const store = await openSqliteStore(dir);
  t.after(() => store.close());
  const batches = await store.readBatches(1, { after: 0, step: 1, limit: 9 }, 1);
  assert.deepEqual(batches, [{ segment, bytes: column.length }]);
  const attempts = await store.readAttempts(1, { after: 0, limit: 9 });
  assert.deepEqual(
    attempts.map((each) => each.attempt),
    [attempt],
  );
});

test('D11 a database of another program is left alone', async (t) => {
  const dir = temporaryDirectory(t, 'versions');
  const foreign = new DatabaseSync(path.join(dir, DATABASE_FILE));
  foreign.exec("CREATE TABLE theirs (a TEXT); INSERT INTO theirs VALUES ('x')");
  foreign.close();
  const before = readFileSync(path.join(dir, DATABASE_FILE), 'latin1');
  await assert.rejects(openSqliteStore(dir), /database of another program/);
  assert.equal(readFileSync(path.join(dir, DATABASE_FILE), 'latin1'), before);
});

test('D11 a migration that fails leaves the version before it, and a copy of the data as it was', async (t) => {
  const dir = await someData(t, 'killed');
  const file = path.join(dir, DATABASE_FILE);
  const broken = [...migrations, later[0] as string, `CREATE TABLE second (a TEXT); INSERT INTO nowhere VALUES (1);`];
  assert.throws(() => openDatabase(dir, broken), /nowhere/);
  const db = new DatabaseSync(file);
  assert.deepEqual([versionOf(db), tablesOf(db)], [migrations.length + 1, ['first']]);
  db.close();
  const copy = new DatabaseSync(`${file}.version-${migrations.length}`);
  assert.deepEqual([versionOf(copy), tablesOf(copy)], [migrations.length, []]);
  assert.equal(nameOfJob(copy), 'kept');
  copy.close();
  const mended = openDatabase(dir, all);
  assert.deepEqual([versionOf(mended), tablesOf(mended)], [all.length, ['first', 'second', 'third']]);
  mended.close();
});

test('D11 a process killed in a migration leaves the old data or the new, never half of it (F-20)', async (t) => {
  const made = await someData(t, 'killed');
  const migrate = (dir: string) => {
    const script = `
      const { openDatabase } = await import(${JSON.stringify(new URL('./database.ts', import.meta.url).href)});
      const { dir, migrations } = JSON.parse(process.argv[1]);
      process.stdout.write('opening\\n');
      openDatabase(dir, migrations);
      process.stdout.write('opened\\n');`;
    cpSync(made, dir, { recursive: true });
    const argument = JSON.stringify({ dir, migrations: all });
    return start(t, [process.execPath, '--input-type=module', '-e', script, argument]);
  };
  const whole = migrate(`${made}-whole`);
  await whole.output(/opening/);
  const began = performance.now();
  await whole.output(/opened/);
  const time = performance.now() - began;
  const seen = new Set<number>();
  for (let turn = 0; turn < KILLS; turn++) {
    const dir = `${made}-${turn}`;
    const migrating = migrate(dir);
    await migrating.output(/opening/);
    await sleep((time * (turn + 0.5)) / KILLS);
    await migrating.kill();
    seen.add(checkBetween(dir));
    const db = openDatabase(dir, all);
    assert.deepEqual([versionOf(db), nameOfJob(db)], [all.length, 'kept']);
    db.close();
  }
  assert.ok(seen.size > 1, `killed at more than one moment: versions ${[...seen].join(', ')}`);
});

/** A version, and exactly what belongs to it. */
function checkBetween(dir: string): number {
  const db = new DatabaseSync(path.join(dir, DATABASE_FILE));
  const version = versionOf(db);
  assert.deepEqual(tablesOf(db), ['first', 'second', 'third'].slice(0, version - migrations.length));
  for (const name of tablesOf(db)) {
    assert.equal((db.prepare(`SELECT count(*) AS rows FROM ${name}`).get() as { rows: number }).rows, ROWS);
  }
  db.close();
  return version;
}

function nameOfJob(db: DatabaseSync): string {
  return JSON.parse((db.prepare('SELECT spec FROM jobs').get() as { spec: string }).spec).name;
}
