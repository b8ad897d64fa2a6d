import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelPeer, ModelServer } from '../../test/support/model-server.ts';
import type { Heard } from '../../test/support/raw-socket.ts';
import { codeOf, helloOf, SQUARE, tasksIn } from '../../test/support/raw-worker.ts';
import { HELLO_TIME, LEASE_TIME, PING_INTERVAL, REBUILD_INTERVAL } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { encodeColumn } from '../protocol/values/column.ts';
import { StoreError } from '../store/store.ts';

const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: 3 } };

async function submit(server: ModelServer, more: object = {}): Promise<number> {
  return (await server.clock.outcome(server.core.submit({ ...spec, ...more }, 'me', false, SQUARE))).job;
}

/** The disk fails one commit like this. */
async function fail(server: ModelServer, code: StoreError['code']): Promise<void> {
  server.gate.refuses = code;
  const log = { job: 1, index: 0, lease: 1, stream: 'log', at: 0, text: '' } as const;
  await assert.rejects(server.clock.outcome(server.core.loop.write([{ kind: 'log', log }])), { code });
  server.gate.refuses = undefined;
}

function report(worker: ModelPeer, job: number): void {
  for (const message of worker.of('tasks')) {
    const values = tasksIn(message).map(([, index]) => index);
    const { lengths, status, bytes } = encodeColumn(values);
    const { lease, runs } = message;
    worker.say({ kind: 'outcomes', lease, job, runs, micros: 1 }, packColumn(lengths, status, bytes));
  }
}

test('P7: a socket that says no hello in time is told so and closed', async () => {
  const server = await ModelServer.start();
  const worker = server.worker();
  await server.clock.advance(HELLO_TIME - 1);
  assert.equal(worker.closed(), undefined);
  await server.clock.advance(1);
  assert.deepEqual(worker.heard, [{ kind: 'refused', code: 'invalid', detail: 'no hello came' }]);
  assert.equal(worker.closed(), 4400);
  const punctual = await server.joined();
  await server.clock.advance(2 * HELLO_TIME);
  assert.equal(punctual.closed(), undefined);
});

test('P13 R3: any message renews the leases, also one that the scheduler has no part in', async () => {
  const server = await ModelServer.start();
  const talker = await server.joined({ name: 'talker' });
  await submit(server);
  const { lease, job } = talker.of('tasks')[0] as Heard;
  const words = [
    { kind: 'beat' },
    { kind: 'progress', job, index: 0, fraction: 0.5 },
    { kind: 'log', lease, job, index: 0, stream: 'log', text: 'x' },
  ];
  for (let i = 0; i < 12; i++) {
    await server.clock.advance(LEASE_TIME - 1_000);
    talker.say(words[i % 3] as { kind: string });
    await server.clock.settle();
    assert.equal(server.core.loop.scheduler?.workers()[0]?.state, 'ready', `after word ${i}`);
  }
  await server.clock.advance(LEASE_TIME + PING_INTERVAL);
  assert.equal(server.core.loop.scheduler?.workers()[0]?.state, 'lost');
});

test('F-21: on a full disk a submit is refused as full, outcomes are not acked, and all goes on when there is room', async () => {
  const server = await ModelServer.start();
  const worker = await server.joined();
  const job = await submit(server);
  server.gate.refuses = 'full';
  report(worker, job);
  await server.clock.settle();
  assert.deepEqual(worker.of('ack'), []);
  assert.equal(
    worker.closed(),
    undefined,
    'it keeps its outcomes, and is not sent away while nothing better can be told',
  );
  await assert.rejects(submit(server), { code: 'full', message: /not saved, since there is no room/ });
  const stranger = await server.joined();
  assert.deepEqual(stranger.heard, [
    {
      kind: 'refused',
      code: 'busy',
      detail: 'the server cannot write to its store now',
      retryAfter: REBUILD_INTERVAL,
    },
  ]);
  assert.equal(stranger.closed(), 1012);
  server.gate.refuses = undefined;
  await server.clock.advance(REBUILD_INTERVAL);
  assert.equal(worker.closed(), 1013, 'the brain is new: it shall say what it holds');
  const held = worker.of('tasks').map(({ lease, runs }) => ({ lease, runs }));
  const back = await server.joined({ held });
  assert.equal(back.of('tasks').length, 0);
  // What the old socket still says is not heard, and another key is another worker.
  report(worker, job);
  for (const message of worker.of('tasks')) back.heard.push(message);
  report(back, job);
  await server.clock.settle();
  assert.deepEqual(
    back.of('ack').map(({ verdict }) => verdict),
    ['unknown'],
  );
  assert.equal((await server.core.readJob(job))?.progress.done, 0);
});

test('F-21 P11: what a worker kept while the disk was full is recorded once when it comes back', async () => {
  const server = await ModelServer.start();
  const hello = helloOf();
  const worker = server.worker();
  worker.say(hello);
  const job = await submit(server);
  server.gate.refuses = 'full';
  report(worker, job);
  await server.clock.settle();
  server.gate.refuses = undefined;
  await server.clock.advance(REBUILD_INTERVAL);
  const back = server.worker();
  const held = worker.of('tasks').map(({ lease, runs }) => ({ lease, runs }));
  back.say({ ...hello, held });
  for (const message of worker.of('tasks')) back.heard.push(message);
  report(back, job);
  await server.clock.settle();
  assert.ok(back.of('ack').every(({ verdict }) => verdict === 'recorded'));
  const progress = (await server.core.readJob(job))?.progress;
  assert.deepEqual([progress?.state, progress?.done, progress?.lost], ['done', 3, 0]);
});

test('F-22: a broken disk is told once, to whoever runs the process', async () => {
  const server = await ModelServer.start();
  const broken: StoreError[] = [];
  server.core.onBroken = (error) => broken.push(error);
  await fail(server, 'broken');
  assert.deepEqual(
    broken.map(({ code }) => code),
    ['broken'],
  );
});

test('a recovery tells the pages that the workers of before are gone', async () => {
  const server = await ModelServer.start();
  let rebuilt = 0;
  server.core.onRebuilt = () => rebuilt++;
  await fail(server, 'busy');
  await server.clock.advance(REBUILD_INTERVAL);
  assert.equal(rebuilt, 1);
});

test('D8: a forgetting that was cut off is finished at the next start', async () => {
  const server = await ModelServer.start();
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  assert.equal(await server.store.forget(job), false, 'one step, then the process dies');
  assert.equal(server.disk.forgetting.size, 1);
  await fail(server, 'busy');
  await server.clock.advance(REBUILD_INTERVAL);
  assert.equal(server.disk.forgetting.size, 0);
});

test('D8: a forgetting that the store cut off goes on when it is asked for again', async () => {
  const server = await ModelServer.start();
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  const { forget } = server.core.store;
  let steps = 0;
  server.core.store.forget = (id) => {
    if (++steps === 2) return Promise.reject(new StoreError('busy', 'another program holds it'));
    return forget(id);
  };
  await assert.rejects(server.clock.outcome(server.core.act(job, 'forget')), { code: 'busy' });
  assert.equal(server.disk.forgetting.size, 1);
  await server.clock.outcome(server.core.act(job, 'forget'));
  assert.equal(server.disk.forgetting.size, 0);
});

test('D8: what a process that was replaced had begun to forget is cleared away, and unknown', async () => {
  const server = await ModelServer.start();
  const job = await submit(server);
  await server.clock.outcome(server.core.act(job, 'cancel'));
  assert.equal(await server.store.forget(job), false);
  await assert.rejects(server.clock.outcome(server.core.act(job, 'forget')), { code: 'unknown' });
  assert.equal(server.disk.forgetting.size, 0);
});

test('a job is forgotten once it has ended, and the pages are told', async () => {
  const server = await ModelServer.start();
  const forgotten: number[] = [];
  server.core.onForgotten = (job) => forgotten.push(job);
  const job = await submit(server);
  await assert.rejects(server.core.act(job, 'forget'), { code: 'conflict', message: /still running/ });
  await server.clock.outcome(server.core.act(job, 'cancel'));
  await server.clock.outcome(server.core.act(job, 'forget'));
  assert.deepEqual(forgotten, [job]);
  await assert.rejects(server.core.act(job, 'forget'), { code: 'unknown' });
  assert.equal(server.core.live.size, 0);
});

test('F-22: a disk that fails outside of a commit ends the server too', async () => {
  const server = await ModelServer.start();
  const told: string[] = [];
  server.core.onBroken = (error) => told.push(error.code);
  server.gate.refuses = 'broken';
  // The number of the job is what cannot be written, and no commit follows.
  await assert.rejects(submit(server));
  assert.deepEqual(told, ['broken']);
});
