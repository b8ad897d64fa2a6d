import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { DeafProxy } from '../../../test/support/deaf-proxy.ts';
import { TestPostgres } from '../../../test/support/postgres.ts';
import { leaseId } from '../../model/ids.ts';
import type { Write } from '../../model/records.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import { rejects } from '../../testing/store-contract/home.ts';
import { aJob, aLease, aSegment, bytesOf, progressOf } from '../../testing/store-records.ts';
import { Connection } from './connection.ts';
import { openPostgresStore, type PostgresOptions, type PostgresStore } from './postgres-store.ts';

// The system survives, and with it what was written but not synced.
const server = await TestPostgres.start({ fsync: 'off' });
after(() => server.remove());

interface Subject {
  readonly store: PostgresStore;
  readonly epoch: number;
  readonly name: string;
  readonly proxy: DeafProxy;
  another(): Promise<PostgresStore>;
}

/** A store behind a line that can be cut. */
async function subject(t: TestContext, options: PostgresOptions = {}): Promise<Subject> {
  const { name } = await server.database();
  const proxy = await DeafProxy.to(server.port);
  cleanUp(t, () => proxy.close());
  const open = async (port: number): Promise<PostgresStore> => {
    const store = await openPostgresStore(`postgres://postgres@127.0.0.1:${port}/${name}`, options);
    cleanUp(t, () => store.close());
    return store;
  };
  const store = await open(proxy.port);
  return { store, epoch: await store.start(), name, proxy, another: () => open(server.port) };
}

const one = (job: number): Write[] => [
  aSegment(job, 1, 0, 1),
  { kind: 'progress', job, progress: progressOf(), change: { counted: { done: 1, segments: 1 }, set: {} } },
];

/** Pages, in the cache or not, and entries of indexes that statements have looked at so far. */
async function looksAt(name: string): Promise<number> {
  const pages = ['heap_blks_hit', 'heap_blks_read', 'idx_blks_hit', 'idx_blks_read'].join(' + ');
  const [row] = await server.query(
    `SELECT (SELECT sum(${pages}) FROM pg_statio_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes) AS looks`,
    name,
  );
  return Number(row?.['looks']);
}

async function counted(store: PostgresStore, job: number): Promise<[number | undefined, number[]]> {
  const segments = await store.readSegments(job, { after: 0 }, 1e6);
  return [(await store.readJob(job))?.progress.done, segments.map(({ segment }) => segment.seq)];
}

test('D4 a commit whose answer was lost is there once, and is told as it was (F-38)', async (t) => {
  const { store, epoch, proxy } = await subject(t);
  await store.commit([aJob(1)], epoch);
  await store.commit(one(1), epoch);
  for (const times of [1, 3]) {
    proxy.loseAnswerTo('COMMIT', times);
    const before = (await store.readSegments(1, { after: 0 }, 1e6)).length;
    const [segment, progress] = await store.commit(one(1), epoch);
    assert.equal(segment?.kind === 'segment' && segment.segment.seq, before + 1);
    assert.equal(progress?.kind === 'progress' && progress.progress.done, before + 1);
  }
  await store.commit(one(1), epoch);
  assert.deepEqual(await counted(store, 1), [4, [1, 2, 3, 4]]);
});

test('D4 a commit that was lost on its way is made again', async (t) => {
  const { store, epoch, proxy } = await subject(t);
  await store.commit([aJob(1)], epoch);
  const commits = Array.from({ length: 30 }, () => store.commit(one(1), epoch));
  for (let at = 0; at < 10; at++) {
    await sleep(7);
    proxy.cut();
  }
  await Promise.all(commits);
  assert.equal((await counted(store, 1))[0], 30);
});

test('D5 a claim whose answer was lost gives the same blocks (F-38)', async (t) => {
  const { store, epoch, proxy } = await subject(t);
  await store.commit([aJob(1)], epoch);
  for (const first of [0, 2, 4]) {
    await store.commit([{ kind: 'inputs', job: 1, first, count: 2, column: bytesOf(`inputs ${first}`) }], epoch);
  }
  await store.claim(1, 1, epoch);
  proxy.loseAnswerTo('manyhands_claim');
  const claimed = await store.claim(1, 9, epoch);
  assert.deepEqual(
    claimed.map(({ block, inputs }) => [block.first, inputs && new TextDecoder().decode(inputs)]),
    [
      [2, 'inputs 2'],
      [4, 'inputs 4'],
    ],
  );
  assert.equal((await store.recover(await store.start())).blocks.length, 3);
});

test('D7 D21 so do a take-over and a reopen (F-38)', async (t) => {
  const { store, epoch, proxy, another } = await subject(t);
  const other = await another();
  const theirs = await other.start();
  await store.commit([aJob(1), { kind: 'inputs', job: 1, first: 0, count: 4, column: bytesOf('x') }], epoch);
  await other.claim(1, 1, theirs);
  await other.commit([aLease(1, 0, 2, 1, theirs)], theirs);
  await other.close();
  proxy.loseAnswerTo('COMMIT');
  const taken = await store.takeOver([leaseId(theirs, 1)], epoch);
  assert.deepEqual([taken.blocks.length, taken.leases.length], [1, 1]);
  assert.equal((await store.recover(epoch)).blocks.length, 1);
  await store.commit(
    [
      aSegment(1, 1, 0, 4, { failed: 4 }),
      { kind: 'progress', job: 1, progress: progressOf({ state: 'failed', total: 4, failed: 4 }) },
    ],
    epoch,
  );
  proxy.loseAnswerTo('COMMIT');
  assert.equal(await store.reopen(1), 4);
  assert.equal((await store.readJob(1))?.progress.generation, 1);
});

test('D4 what was acknowledged survives the death of PostgreSQL, once each (F-38)', async (t) => {
  const { store, epoch } = await subject(t);
  await store.commit([aJob(1)], epoch);
  let acknowledged = 0;
  let isDone = false;
  const writing = (async () => {
    while (!isDone) {
      await store.commit(one(1), epoch);
      acknowledged += 1;
    }
  })();
  for (let round = 0; round < 2; round++) {
    const before = acknowledged;
    while (acknowledged < before + 20) await sleep(5);
    await server.kill();
    await server.run();
  }
  isDone = true;
  await writing;
  const [done, seqs] = await counted(store, 1);
  assert.deepEqual([done, seqs.length], [acknowledged, acknowledged]);
});

test('a database that does not answer is waited for, then the answer is busy (F-38)', async (t) => {
  const { store, epoch } = await subject(t, { patience: 600 });
  await store.commit([aJob(1)], epoch);
  server.pause(true);
  const waiting = store.commit(one(1), epoch);
  await rejects(waiting, 'busy', /PostgreSQL/);
  server.pause(false);
  await rejects(store.commit(one(1), epoch), 'busy', /start again/);
  const next = await store.start();
  const { jobs } = await store.recover(next);
  const done = jobs[0]?.progress.done as number;
  await store.commit(one(1), next);
  assert.deepEqual(
    await counted(store, 1),
    [done + 1, Array.from({ length: done + 1 }, (_, at) => at + 1)],
    'whichever it was: it is known after a start',
  );
  await rejects(store.commit(one(1), epoch), 'fenced');
});

test('a server that stands still in the middle of a commit holds the others up for seconds, not for ever (F-41)', async (t) => {
  const { store, epoch, proxy, another } = await subject(t);
  await store.commit([aJob(1)], epoch);
  const other = await another();
  const theirs = await other.start();
  proxy.fallSilentAt('COMMIT');
  const halved = store.commit(one(1), epoch);
  await sleep(100);
  const began = performance.now();
  await other.commit(one(1), theirs);
  const waited = performance.now() - began;
  assert.ok(waited > 1_000 && waited < SERVER_LEASE, `the row was locked, and free after ${waited} ms`);
  proxy.cut();
  await halved;
  assert.deepEqual(await counted(store, 1), [2, [1, 2]]);
});

test('a failover that lost what had been acknowledged is noticed (F-39)', async (t) => {
  const { store, epoch, name } = await subject(t);
  await store.commit([aJob(1)], epoch);
  await store.commit(one(1), epoch);
  await server.query('UPDATE commits SET number = number - 1', name);
  await rejects(store.commit(one(1), epoch), 'rewound', /not as new/);
  await rejects(store.claim(1, 1, epoch), 'rewound');
  await server.query('DELETE FROM members', name);
  await rejects(store.pulse(epoch, ''), 'rewound');
  const next = await store.start();
  await store.commit(one(1), next);
});

test('D25 D3 who lost nothing begins again too, and no number of the lost time is given out again (F-39)', async (t) => {
  const { store, epoch, name, another } = await subject(t);
  const other = await another();
  const theirs = await other.start();
  await store.commit([aJob(1)], epoch);
  const promote = (timeline: number): Promise<unknown> =>
    server.query(
      `CREATE OR REPLACE FUNCTION manyhands_timeline() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT '${timeline}' $$`,
      name,
    );
  await promote(2);
  await rejects(store.commit(one(1), epoch), 'rewound', /may have lost/);
  await rejects(store.claim(1, 1, epoch), 'rewound');
  await rejects(other.pulse(theirs, ''), 'rewound');
  await rejects(other.takeOver([], theirs), 'rewound');
  await rejects(other.readSegments(1, { after: 0, history: 0 }, 1e6), 'rewound');
  await rejects(other.nextJobId(), 'rewound');
  const next = await store.start();
  const { history } = await store.recover(next);
  assert.deepEqual([next > theirs + 1_000 - 1, history], [true, 1]);
  assert.ok((await store.nextJobId()) > 100_000);
  await rejects(other.commit(one(1), theirs), 'rewound');
  const second = await other.start();
  assert.deepEqual([second, (await other.recover(second)).history], [next + 1, 1], 'once is enough');
  await rejects(other.readSegments(1, { after: 0, history: 0 }, 1e6), 'rewound', /may have lost/);
  assert.deepEqual(await other.readSegments(1, { after: 0, history: 1 }, 1e6), []);
  await store.commit(one(1), next);
  assert.deepEqual(await counted(store, 1), [1, [1]]);
});

test('D25 a database of the same timeline that is older than it was gives no number out again either', async (t) => {
  const { store, epoch, name, another } = await subject(t);
  const other = await another();
  const theirs = await other.start();
  await store.commit([aJob(1)], epoch);
  await other.commit(one(1), theirs);
  await server.query('UPDATE commits SET number = 0; UPDATE farm SET epoch = 0', name);
  await rejects(store.pulse(epoch, ''), 'rewound');
  await rejects(other.pulse(theirs, ''), 'rewound');
  const next = await store.start();
  assert.ok(next > theirs + 900, `${next}`);
  assert.equal(await other.start(), next + 1);
  assert.ok((await other.nextJobId()) > 100_000);
});

test('D13 a full disk keeps nothing of the group, and the next commit works once there is room', async (t) => {
  const { store, epoch, name } = await subject(t);
  await store.commit([aJob(1)], epoch);
  await server.query(
    `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
     CREATE TRIGGER no_room BEFORE INSERT ON segments EXECUTE FUNCTION no_room()`,
    name,
  );
  await rejects(store.commit(one(1), epoch), 'full', /no room/);
  await rejects(store.commit(one(1), epoch), 'full');
  await server.query('DROP TRIGGER no_room ON segments', name);
  await store.commit(one(1), epoch);
  assert.deepEqual(await counted(store, 1), [1, [1]]);
});

test('D16 what PostgreSQL finds damaged is told as that', async (t) => {
  const { store, epoch, name } = await subject(t);
  await store.commit([aJob(1)], epoch);
  await server.query(`UPDATE jobs SET spec = '{"name": '`, name);
  await rejects(store.readJob(1), 'damaged', /not what was written/);
});

test('D27 under an old snapshot a commit looks at no more than before, however many there were', async (t) => {
  const { another, name } = await subject(t);
  const store = await another();
  const epoch = await store.start();
  await store.commit([aJob(1, { range: { start: 0, step: 1, count: 10 ** 9 } })], epoch);
  const neighbour = await Connection.open({ url: server.url(name), prepares: false });
  cleanUp(t, () => neighbour.close());
  // It is not one of ours, which would be undone after a while.
  await neighbour.plain('SET idle_in_transaction_session_timeout = 0');
  await neighbour.plain('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current() FROM progress');
  const group = (at: number): Write[] => [
    ...one(1),
    aLease(1, 0, 1, at, epoch),
    { kind: 'leaseEnded', lease: leaseId(epoch, at - 1) },
  ];
  let at = 1;
  const looks = async (): Promise<number> => {
    // A session tells of itself at the end of a transaction, once a second.
    await sleep(1_100);
    await store.pulse(epoch, '');
    return await looksAt(name);
  };
  /** How many of a commit, a pulse and now and then a claim. */
  const looksEach = async (): Promise<number> => {
    const [before, rounds] = [await looks(), 50];
    for (let round = 0; round < rounds; round++) {
      await store.commit(group(++at), epoch);
      if (round % 10 === 0) await store.claim(1, 1, epoch);
      await store.pulse(epoch);
    }
    return ((await looks()) - before) / rounds;
  };
  const first = await looksEach();
  for (let round = 0; round < 400; round++) await store.commit(group(++at), epoch);
  // As autovacuum does: it tells the planner that the tables are small.
  await server.query('VACUUM ANALYZE', name);
  const last = await looksEach();
  assert.ok(last < 2 * first, `${first} at first, ${last} after 400 commits`);
});

test('D22 nothing of an ended job is left in the tables that pulses and claims read', async (t) => {
  const { store, epoch, name } = await subject(t);
  await store.commit([aJob(1), aLease(1, 0, 1, 1, epoch)], epoch);
  assert.deepEqual(await store.claim(1, 1, epoch), []);
  const end = { kind: 'progress', job: 1, progress: progressOf({ state: 'cancelled' }) } as const;
  await store.commit([end], epoch);
  for (const table of ['hunger', 'blocks', 'leases'])
    assert.deepEqual(await server.query(`SELECT * FROM ${table}`, name), [], table);
});

test('hints reach the other servers, also after the line was cut, and not oneself', async (t) => {
  const { store, proxy, another } = await subject(t);
  const other = await another();
  const heard: string[] = [];
  store.onHint = () => heard.push('one');
  other.onHint = () => heard.push('other');
  const until = async (about: string): Promise<void> => {
    for (let tries = 0; tries < 200 && !heard.includes(about); tries++) {
      (about === 'one' ? other : store).hint();
      await sleep(50);
    }
    assert.ok(heard.includes(about) && heard.every((each) => each === about), heard.join());
    // The last ones may be on their way.
    await sleep(200);
    heard.length = 0;
  };
  await until('other');
  await until('one');
  proxy.cut();
  await until('one');
});
