import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  DB_PATIENCE,
  DB_PAUSE_IN_TRANSACTION,
  DB_RETRY_MAX,
  DB_RETRY_MIN,
  DB_STATEMENT_TIME,
  PULSE_INTERVAL,
  SERVER_LEASE,
  TAKEOVER_GRACE,
} from '../../src/model/server-limits.ts';
import { repository, temporaryDirectory } from '../support/directories.ts';
import { TestPostgres } from '../support/postgres.ts';
import { manyhands, run, start } from '../support/processes.ts';

const text = readFileSync(path.join(repository, 'docs/scale.md'), 'utf8');
const PASSWORD = 'a long random one';

describe('docs/scale.md', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await TestPostgres.start({ fsync: 'off' });
    const [sql = ''] = [...text.matchAll(/```sql\n(.*?)```/gs)].map(([, block]) => block);
    assert.ok(sql.includes(`PASSWORD '${PASSWORD}'`));
    for (const statement of sql.split(';').filter((each) => each.trim() !== '')) await postgres.query(statement);
    await postgres.query("CREATE ROLE neighbour LOGIN PASSWORD 'x'");
    // From now on whoever is not the superuser needs a password.
    const [row] = await postgres.query("SELECT current_setting('hba_file') AS file, pg_reload_conf()");
    writeFileSync(
      String(row?.['file']),
      'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n',
    );
    await postgres.query('SELECT pg_reload_conf()');
  });
  after(() => postgres.remove());

  const serve = (directory: string, user: string) => [
    ...manyhands,
    'serve',
    '--json',
    '--port=0',
    `--data=${directory}`,
    `--store=${postgres.url('manyhands', user)}`,
  ];

  test('a server needs no more than the rights that it names, and takes its password from PGPASSWORD', async (t) => {
    const command = serve(temporaryDirectory(t), 'manyhands');
    const server = start(t, command, { env: { PGPASSWORD: PASSWORD } });
    await server.output(/"url"/, { timeout: 60_000 });
    const [role] = await postgres.query(
      "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'manyhands'",
    );
    assert.deepEqual({ ...role }, { rolsuper: false, rolcreatedb: false, rolcreaterole: false });
    const connections = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'manyhands'";
    const [row] = await postgres.query(connections);
    assert.ok(Number(row?.['count']) <= CONNECTIONS, `${row?.['count']} connections`);
  });

  for (const [title, user, password, says] of [
    [
      'a wrong password',
      'manyhands',
      'wrong',
      /^manyhands: --store: PostgreSQL at .* does not accept this user or password/,
    ],
    [
      'a neighbour in the same PostgreSQL',
      'neighbour',
      'x',
      /^manyhands: --store: this user may not do what is needed at .*permission denied for database/,
    ],
  ] as const) {
    test(`${title} opens nothing`, async (t) => {
      const end = await run(t, serve(temporaryDirectory(t), user), { env: { PGPASSWORD: password } });
      assert.deepEqual([end.code, end.stdout], [3, '']);
      assert.match(end.stderr, says);
    });
  }
});

/** Of a server, as docs/scale.md says. */
const CONNECTIONS = 4;

test('docs/scale.md tells the times that are in force', () => {
  const seconds = (millis: number) => `${millis / 1_000} s`;
  const row = (name: string) => text.split('\n').find((line) => line.startsWith(`| ${name}`)) ?? '';
  const killed = row('A server, killed');
  for (const part of [
    `${seconds(SERVER_LEASE)} of silence`,
    `up to ${seconds(PULSE_INTERVAL)} until`,
    `${seconds(TAKEOVER_GRACE)} of grace`,
  ]) {
    assert.ok(killed.includes(part), part);
  }
  assert.ok(SERVER_LEASE + PULSE_INTERVAL + TAKEOVER_GRACE <= 15_000);
  assert.ok(row('The line between a server').includes(`after ${seconds(DB_PATIENCE)}`));
  assert.ok(row('The line between a server').includes(`after ${seconds(DB_STATEMENT_TIME)}`));
  assert.ok(row('A server, stopped').includes(`free after ${seconds(DB_PAUSE_IN_TRANSACTION)}`));
  const retries = `after ${DB_RETRY_MIN} ms, then up to every ${seconds(DB_RETRY_MAX)}`;
  assert.ok(row('The database, restarted').includes(retries), retries);
});
