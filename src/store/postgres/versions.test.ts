import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { TestPostgres } from '../../../test/support/postgres.ts';
import { schemaOf } from '../../../test/support/postgres-schema.ts';
import { rejects } from '../../testing/store-contract/home.ts';
import { aJob } from '../../testing/store-records.ts';
import { Connection } from './connection.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/index.ts';
import { openPostgresStore } from './postgres-store.ts';

const server = await TestPostgres.start({ fsync: 'off' });
after(() => server.remove());
const SCHEMA = new URL('./schema.sql', import.meta.url);

async function migrated(url: string, list: readonly string[]): Promise<string> {
  const connection = await Connection.open({ url, prepares: false });
  try {
    return await migrate(connection, list);
  } finally {
    await connection.close();
  }
}

test('D11 what the migrations make is what was reviewed', async () => {
  const { url, name } = await server.database();
  await migrated(url, migrations);
  const found = await schemaOf(server, name);
  if (process.env['MANYHANDS_WRITE_SCHEMA'] !== undefined) writeFileSync(SCHEMA, found);
  assert.equal(found, readFileSync(SCHEMA, 'utf8'), 'MANYHANDS_WRITE_SCHEMA=1 writes it anew: look at what changed');
});

test('D11 servers that start at once migrate once, and are of one farm', async () => {
  const { url, name } = await server.database();
  const slow = [...migrations, 'SELECT pg_sleep(0.1); CREATE TABLE more (x int)', 'CREATE TABLE most (x int)'];
  const farms = await Promise.all(Array.from({ length: 6 }, () => migrated(url, slow)));
  assert.equal(new Set(farms).size, 1);
  assert.deepEqual(await server.query('SELECT version FROM farm', name), [{ version: slow.length }]);
});

test('D11 a migration that fails leaves the data as it was', async () => {
  const { url, name } = await server.database();
  await migrated(url, migrations);
  const before = await schemaOf(server, name);
  const bad = [...migrations, 'CREATE TABLE more (x int)', 'CREATE TABLE most (x int); SELECT 1 / 0'];
  await assert.rejects(migrated(url, bad), /division by zero/);
  assert.deepEqual(await server.query('SELECT version FROM farm', name), [{ version: migrations.length + 1 }]);
  assert.match(await schemaOf(server, name), /TABLE more/);
  assert.doesNotMatch(await schemaOf(server, name), /TABLE most/);
  await server.query(`DROP TABLE more; UPDATE farm SET version = ${migrations.length}`, name);
  assert.equal(await schemaOf(server, name), before);
});

test('D11 data of a newer version is refused, untouched', async () => {
  const { url, name } = await server.database();
  const store = await openPostgresStore(url);
  await store.commit([aJob(1)], await store.start());
  await store.close();
  await server.query('UPDATE farm SET version = 99', name);
  await rejects(
    openPostgresStore(url),
    'newer',
    new RegExp(`data version 99, this one knows ${migrations.length}\\); nothing was changed`),
  );
  assert.deepEqual(await server.query('SELECT version FROM farm', name), [{ version: 99 }]);
});

test('what keeps a database from being used is told in one sentence, without the password', async () => {
  const { url, name } = await server.database();
  await server.query(`CREATE ROLE guest LOGIN; CREATE ROLE locked LOGIN PASSWORD 'right'`);
  await server.query('CREATE TABLE jobs (theirs int)', name);
  const { name: empty } = await server.database();
  // A port that nobody but the system itself may use, and that it does not.
  const port = 9;
  const at = `127\\.0\\.0\\.1:${server.port}`;
  const cases: [string, RegExp][] = [
    [
      `postgres://u:secret@127.0.0.1:${port}/x`,
      new RegExp(
        `^PostgreSQL at 127\\.0\\.0\\.1:${port} does not answer \\(.*ECONNREFUSED.*\\): is PostgreSQL running there\\?$`,
      ),
    ],
    [
      'postgres://u:secret@no.such.host.invalid/x',
      /^there is no PostgreSQL at no\.such\.host\.invalid: its name is not known/,
    ],
    [
      server.url('absent'),
      new RegExp(`^PostgreSQL at ${at} has no such database \\(database "absent" does not exist\\): create it`),
    ],
    [
      url,
      new RegExp(
        `^the database at PostgreSQL at ${at} holds tables of another program \\(relation "jobs" already exists\\)`,
      ),
    ],
    [server.url(empty, 'guest'), /may not do what is needed at .* \(permission denied for schema public\): let it own/],
    [
      server.url(empty, 'nobody_known:secret'),
      /does not accept this user or password \(role "nobody_known" does not exist\)$/,
    ],
  ];
  for (const [place, says] of cases) {
    await rejects(openPostgresStore(place), 'refused', says);
    await openPostgresStore(place).catch((error: Error) => assert.doesNotMatch(error.message, /secret/));
  }
  assert.equal(await schemaOf(server, empty), '\n', 'nothing half-made');
});
