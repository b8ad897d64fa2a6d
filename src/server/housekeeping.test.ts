import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ModelServer } from '../../test/support/model-server.ts';
import { codeOf, SQUARE } from '../../test/support/raw-worker.ts';
import { BLOB_GRACE, BLOB_GRACE_RUNNING, HOUSEKEEPING_INTERVAL, LEASE_TIME, OPEN_JOB_IDLE } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { encodeColumn } from '../protocol/values/column.ts';
import { Housekeeping } from './housekeeping.ts';

const MINUTE = 60_000;
const range = { start: 0, step: 1, count: 3 };

async function submit(server: ModelServer, code = SQUARE): Promise<number> {
  const spec = { name: 'job', code: codeOf(code), range };
  return (await server.clock.outcome(server.core.submit(spec, 'me', false, code))).job;
}

function oneInput() {
  const { lengths, status, bytes } = encodeColumn([1]);
  return packColumn(lengths, status, bytes);
}

function keeping(server: ModelServer, keep: number | undefined): { warnings: unknown[]; housekeeping: Housekeeping } {
  const warnings: unknown[] = [];
  const log = { warn: (facts: unknown) => void warnings.push(facts) };
  const housekeeping = new Housekeeping({ core: server.core, clock: server.clock, log, keep });
  housekeeping.start();
  return { warnings, housekeeping };
}

async function store(server: ModelServer, text: string): Promise<string> {
  const sha256 = createHash('sha256').update(text).digest('hex');
  const bytes = async function* () {
    yield Buffer.from(text);
  };
  await server.blobs.put(sha256, bytes());
  return sha256;
}

function kept(server: ModelServer, ...names: string[]): Promise<boolean[]> {
  return Promise.all(names.map(async (sha256) => (await server.blobs.read(sha256)) !== undefined));
}

test('--keep forgets jobs so long after their end, and no others', async () => {
  const server = await ModelServer.start();
  const forgotten: number[] = [];
  server.core.onForgotten = (job) => forgotten.push(job);
  const { warnings, housekeeping } = keeping(server, 10 * MINUTE);
  const [old, young, live] = [await submit(server), await submit(server), await submit(server)];
  await server.clock.outcome(server.core.act(old, 'cancel'));
  await server.clock.advance(6 * MINUTE);
  await server.clock.outcome(server.core.act(young, 'cancel'));
  await server.clock.advance(3 * MINUTE);
  assert.deepEqual(forgotten, []);
  await server.clock.advance(2 * MINUTE + HOUSEKEEPING_INTERVAL);
  assert.deepEqual(forgotten, [old]);
  assert.deepEqual([...server.disk.jobs.keys()], [young, live]);
  await server.clock.advance(60 * MINUTE);
  assert.deepEqual(forgotten, [old, young]);
  assert.deepEqual([...server.disk.jobs.keys()], [live], 'a job that runs is never forgotten');
  assert.deepEqual(warnings, []);
  await housekeeping.stop();
  assert.equal(server.clock.alarms, 0);
});

test('D8: a forgetting that was cut off goes on by itself', async () => {
  const server = await ModelServer.start();
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  const { forget } = server.core.store;
  let steps = 0;
  server.core.store.forget = (id) => (++steps === 2 ? Promise.reject(new Error('not now')) : forget(id));
  await assert.rejects(server.clock.outcome(server.core.act(job, 'forget')));
  assert.equal(server.disk.forgetting.size, 1);
  const { housekeeping } = keeping(server, undefined);
  await server.clock.advance(2 * HOUSEKEEPING_INTERVAL);
  assert.equal(server.disk.forgetting.size, 0);
  await housekeeping.stop();
});

test('an open job that nobody feeds any more is closed; one whose tasks wait is not', async () => {
  const server = await ModelServer.start();
  const open = async () => {
    const spec = { name: 'job', code: codeOf(SQUARE) };
    return (await server.clock.outcome(server.core.submit(spec, 'me', true, SQUARE))).job;
  };
  const { warnings } = keeping(server, undefined);
  const [left, waiting] = [await open(), await open()];
  await server.clock.outcome(server.core.addInputs(waiting, 0, 1, oneInput()));
  const state = async (job: number) => (await server.core.readJob(job))?.progress.state;
  await server.clock.advance(OPEN_JOB_IDLE - HOUSEKEEPING_INTERVAL);
  assert.equal(await state(left), 'active');
  const late = await open();
  await server.clock.advance(3 * HOUSEKEEPING_INTERVAL);
  assert.deepEqual([await state(left), await state(waiting), await state(late)], ['done', 'active', 'active']);
  assert.deepEqual(warnings, []);
});

test('without --keep nothing that ended is forgotten', async () => {
  const server = await ModelServer.start();
  keeping(server, undefined);
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  await server.clock.advance(48 * 60 * MINUTE);
  assert.deepEqual([...server.disk.jobs.keys()], [job]);
});

test('D9 S5: blobs without a job go when their grace is over; those of a job when it is forgotten', async () => {
  const server = await ModelServer.start();
  const job = await submit(server);
  const code = codeOf(SQUARE).sha256;
  const stray = await store(server, 'stray');
  const there = async (sha256: string) => (await server.blobs.read(sha256)) !== undefined;
  keeping(server, 30 * MINUTE);
  await server.clock.advance(BLOB_GRACE - HOUSEKEEPING_INTERVAL);
  assert.deepEqual([await there(stray), await there(code)], [true, true]);
  await server.clock.advance(3 * HOUSEKEEPING_INTERVAL);
  assert.deepEqual([await there(stray), await there(code)], [false, true]);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  await server.clock.advance(31 * MINUTE);
  assert.equal(await there(code), false, 'long unused, and nobody refers to it any more');
});

test('D9: what a task has stored is there when it names it days later', async () => {
  const server = await ModelServer.start();
  const earlier = await store(server, 'earlier');
  await server.clock.advance(MINUTE);
  const worker = await server.joined();
  await submit(server);
  const [tasks] = worker.of('tasks');
  const [named, stray] = [await store(server, 'named'), await store(server, 'stray')];
  keeping(server, undefined);
  for (let at = 0; at < BLOB_GRACE + 10 * MINUTE; at += LEASE_TIME - 1_000) {
    await server.clock.advance(LEASE_TIME - 1_000);
    worker.say({ kind: 'beat' });
  }
  assert.deepEqual(await kept(server, earlier, named, stray), [false, true, true]);
  const { lease, runs } = tasks as unknown as { lease: number; runs: [number, number][] };
  const values = runs.flatMap(([, count]) => Array.from({ length: count }, () => ({ sha256: named })));
  const { lengths, status, bytes } = encodeColumn(values);
  worker.say({ kind: 'outcomes', lease, job: 1, runs, micros: 1 }, packColumn(lengths, status, bytes));
  await server.clock.settle();
  await server.clock.outcome(server.core.act(1, 'cancel'));
  await server.clock.advance(BLOB_GRACE + 10 * MINUTE);
  assert.deepEqual(await kept(server, named, stray), [true, false]);
});

test('D9: a task that never ends does not keep all blobs for ever, and a start of the server does not make it young', async () => {
  const server = await ModelServer.start();
  const worker = await server.joined();
  await submit(server);
  assert.equal(worker.of('tasks').length, 1);
  const stray = await store(server, 'stray');
  keeping(server, undefined);
  await server.clock.advance(BLOB_GRACE_RUNNING - MINUTE);
  assert.deepEqual(await kept(server, stray), [true]);
  const since = server.core.loop.scheduler?.oldestGrant();
  assert.ok(since !== undefined);
  await server.clock.advance(3 * MINUTE);
  assert.deepEqual(await kept(server, stray), [false]);
  const next = await server.killed();
  assert.equal(next.core.loop.scheduler?.oldestGrant(), since);
});

test('a round that fails is told and tried again', async () => {
  const server = await ModelServer.start();
  const { warnings } = keeping(server, MINUTE);
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  server.gate.refuses = 'busy';
  await server.clock.advance(3 * MINUTE);
  assert.ok(warnings.length > 0);
  server.gate.refuses = undefined;
  await server.clock.advance(2 * MINUTE);
  assert.equal(server.disk.jobs.size, 0);
});
