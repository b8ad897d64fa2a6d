import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelPeer, ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues } from '../../test/support/raw-client.ts';
import type { Heard } from '../../test/support/raw-socket.ts';
import { codeOf, helloOf, SQUARE, tasksIn } from '../../test/support/raw-worker.ts';
import { ValueStatus } from '../model/envelope.ts';
import type { JobId } from '../model/ids.ts';
import { BLOCK_TASKS } from '../model/limits.ts';
import { PULSE_INTERVAL, SERVER_LEASE, TAKEOVER_GRACE } from '../model/server-limits.ts';
import { failureColumn } from './segment-column.ts';

const TASKS = BLOCK_TASKS * 2;
const spec = { name: 'job', code: codeOf(SQUARE), range: { start: 0, step: 1, count: TASKS } };
const FAILURE = { kind: 'error', name: 'Error', message: 'no' } as const;
/** Long enough for what one server did to be known to the others. */
const SOON = 2 * PULSE_INTERVAL;

async function three(): Promise<[ModelServer, ModelServer, ModelServer]> {
  return (await ModelServer.farm(3)) as [ModelServer, ModelServer, ModelServer];
}

async function submit({ clock, core }: ModelServer, more: object = {}, open = false): Promise<JobId> {
  return (await clock.outcome(core.submit({ ...spec, ...more }, 'me', open, SQUARE))).job;
}

/** Reports all that it was given and has not reported. */
function report(worker: ModelPeer, reported = new Set<Heard>(), fails = false): void {
  for (const message of worker.of('tasks')) {
    if (reported.has(message)) continue;
    reported.add(message);
    const { lease, job, runs } = message;
    const tasks = tasksIn(message).map(([, index]) => index);
    const values = fails ? failureColumn(FAILURE, ValueStatus.failed, tasks.length) : columnOfValues(tasks);
    worker.say({ kind: 'outcomes', lease, job, runs, micros: 1_000 }, values);
  }
}

/** Workers report what they get until nothing comes any more, or for so many rounds. */
async function workAll(server: ModelServer, workers: readonly ModelPeer[], rounds = 60): Promise<void> {
  const reported = new Set<Heard>();
  for (let i = 0; i < rounds; i++) {
    for (const worker of workers) report(worker, reported);
    await server.clock.advance(100);
  }
}

const progressOf = async ({ core }: ModelServer, job: JobId) => (await core.readJob(job))?.progress;

function check(...servers: readonly ModelServer[]): void {
  for (const { core } of servers) core.loop.scheduler?.checkInvariants();
}

test('R35: a job that one server was given runs at two, and its results stream through a third', async () => {
  const [a, b, c] = await three();
  const workers = [await a.joined({ slots: 2 }), await b.joined({ slots: 2 })];
  const job = await submit(a);
  await c.clock.advance(SOON);
  const client = c.client();
  client.say({ kind: 'results', request: 1, stream: 1, job, order: 'completion', credit: 1e9 });
  await workAll(a, workers);
  const granted = workers.map((worker) => worker.of('tasks').flatMap(tasksIn).length);
  assert.ok(
    granted.every((tasks) => tasks > 0),
    `each has some: ${granted}`,
  );
  assert.equal(granted[0]! + granted[1]!, TASKS);
  for (const server of [a, b, c]) {
    const progress = await progressOf(server, job);
    assert.deepEqual([progress?.state, progress?.done], ['done', TASKS]);
  }
  const told = client.of('resultBatch').flatMap(({ runs }) => runs as [number, number][]);
  assert.equal(
    told.reduce((sum, [, count]) => sum + (count ?? 1), 0),
    TASKS,
  );
  assert.equal(client.of('resultsEnd').length, 1);
  check(a, b, c);
});

test('R35: pause, resume and cancel through another server hold at all of them', async () => {
  const [a, b, c] = await three();
  const workers = [await a.joined(), await b.joined()];
  const job = await submit(a);
  await c.clock.advance(SOON);
  await c.clock.outcome(c.core.act(job, 'pause'));
  await c.clock.advance(SOON);
  for (const worker of workers) assert.ok(worker.of('recall').length > 0 || worker.of('tasks').length === 1);
  const before = workers.map((worker) => worker.of('tasks').length);
  await workAll(a, workers, 10);
  assert.deepEqual(
    workers.map((worker) => worker.of('tasks').length),
    before,
    'nothing is handed out',
  );
  await c.clock.outcome(c.core.act(job, 'resume'));
  await c.clock.advance(SOON);
  assert.ok(workers[0]!.of('tasks').length > before[0]!);
  await c.clock.outcome(c.core.act(job, 'cancel'));
  await c.clock.advance(SOON);
  for (const worker of workers) assert.ok(worker.of('revoke').length > 0);
  for (const server of [a, b, c]) assert.equal((await progressOf(server, job))?.state, 'cancelled');
  assert.deepEqual([a.disk.leases.size, a.disk.jobs.get(job)?.blocks.size], [0, 0]);
  check(a, b, c);
});

test('R35 D19: inputs go on at another server, and what is sent to both counts once', async () => {
  const [a, b, c] = await three();
  const job = await submit(a, { range: undefined }, true);
  const column = columnOfValues([1, 2, 3]);
  await a.clock.outcome(a.core.addInputs(job, 0, 3, column));
  await b.clock.outcome(b.core.addInputs(job, 3, 3, column));
  await a.clock.advance(SOON);
  // The first server is slow, and the client goes to another with the same.
  a.gate.hold();
  const lost = a.core.addInputs(job, 6, 3, column);
  lost.catch(() => {});
  await c.clock.settle();
  await c.clock.outcome(c.core.addInputs(job, 6, 3, column));
  a.gate.release();
  await c.clock.advance(SOON);
  await assert.rejects(lost, { code: 'busy' });
  await a.clock.outcome(a.core.addInputs(job, 6, 3, column));
  await c.clock.outcome(c.core.closeJob(job, 9));
  await c.clock.advance(SOON);
  const worker = await b.joined();
  await workAll(b, [worker]);
  for (const server of [a, b, c]) {
    const progress = await progressOf(server, job);
    assert.deepEqual([progress?.state, progress?.done, progress?.total], ['done', 9, 9]);
  }
});

test('R37 F-40: the worker of a server that died keeps what it runs, and its outcome is recorded once', async () => {
  const [a, b] = await three();
  const hello = helloOf({ slots: 1 });
  const worker = a.worker();
  worker.say(hello);
  await a.clock.settle();
  const job = await submit(a, { range: { start: 0, step: 1, count: 1 } });
  const [tasks] = worker.of('tasks');
  a.kill();
  const there = b.worker();
  there.say({ ...hello, held: [{ lease: tasks?.lease, job, runs: tasks?.runs }] });
  await b.clock.settle();
  const outcomes = { kind: 'outcomes', lease: tasks?.lease, job, runs: tasks?.runs, micros: 1 };
  there.say(outcomes, columnOfValues([7]));
  there.say(outcomes, columnOfValues([7]));
  await b.clock.advance(PULSE_INTERVAL);
  assert.deepEqual(there.of('ack'), [], 'nobody knows yet that its server is over');
  await b.clock.advance(SERVER_LEASE + SOON);
  assert.deepEqual(
    there
      .of('ack')
      .map(({ verdict }) => verdict)
      .sort(),
    ['duplicate', 'recorded'],
  );
  assert.deepEqual(there.of('tasks'), [], 'it was not given again');
  const progress = await progressOf(b, job);
  assert.deepEqual([progress?.state, progress?.done, progress?.segments], ['done', 1, 1]);
  check(b);
});

test('D19 S8: what was on its way for a job that another server ended is left out, and the rest of its group is committed', async () => {
  const [a, , c] = await three();
  const worker = await a.joined({ slots: 2 });
  const range = { start: 0, step: 1, count: 1 };
  const [ended, other] = [await submit(a, { range }), await submit(a, { range })];
  await c.clock.advance(SOON);
  const [first, second] = worker.of('tasks');
  assert.deepEqual([first?.job, second?.job], [ended, other]);
  a.gate.hold();
  report(worker);
  await a.clock.advance(1);
  await c.clock.outcome(c.core.act(ended, 'cancel'));
  a.gate.release();
  await a.clock.advance(SOON);
  const verdicts = new Map(worker.of('ack').map(({ lease, verdict }) => [lease, verdict]));
  assert.deepEqual([verdicts.get(first!.lease), verdicts.get(second!.lease)], ['superseded', 'recorded']);
  assert.deepEqual([a.core.loop.counters.failures, worker.closed()], [0, undefined], 'nobody begins again for that');
  const ends = [await progressOf(a, ended), await progressOf(c, ended), await progressOf(c, other)];
  assert.deepEqual(
    ends.map((progress) => [progress?.state, progress?.done, progress?.cancelled]),
    [
      ['cancelled', 0, 1],
      ['cancelled', 0, 1],
      ['done', 1, 0],
    ],
  );
  check(a, c);
});

test('D18 D21 F-41: who slept for longer than its lease is fenced, begins again, and others have done its work', async () => {
  const [a, b] = await three();
  const sleeper = await a.joined();
  const job = await submit(a, { range: { start: 0, step: 1, count: 2 } });
  assert.equal(sleeper.of('tasks').length, 1);
  await a.clock.advance(PULSE_INTERVAL / 2);
  a.gate.hold();
  report(sleeper);
  const worker = await b.joined();
  await b.clock.advance(SERVER_LEASE + TAKEOVER_GRACE + SOON);
  await workAll(b, [worker], 10);
  assert.equal((await progressOf(b, job))?.done, 2);
  a.gate.release();
  await a.clock.advance(SOON);
  assert.deepEqual(sleeper.of('ack'), [], 'what came too late is not acknowledged');
  assert.equal(sleeper.closed(), 1013, 'its worker says again what it has');
  const progress = await progressOf(a, job);
  assert.deepEqual(
    [progress?.state, progress?.done, progress?.segments],
    ['done', 2, (await progressOf(b, job))?.segments],
  );
  assert.ok(a.core.siblings?.servers.some(({ epoch }) => epoch === a.core.loop.scheduler?.epoch));
  const again = await submit(a, { range: { start: 0, step: 1, count: 1 } });
  await workAll(b, [worker], 20);
  assert.equal((await progressOf(a, again))?.state, 'done');
  check(a, b);
});

test('R36: who holds what waits gives half of it to a hungry server, and all of it where it has no workers', async () => {
  const [a, b] = await three();
  const busy = await a.joined({ slots: 1 });
  const count = 400;
  const job = await submit(a, { range: { start: 0, step: 1, count }, retries: 1 });
  const idle = await b.joined({ slots: 1 });
  await b.clock.advance(2 * SOON);
  const given = idle.of('tasks').flatMap(tasksIn).length;
  assert.ok(given > 0, 'the other got some of the one block');
  // Something with a past, something that waits for a worker that is gone, and something that was never run.
  report(busy, new Set(busy.of('tasks').slice(1)), true);
  await b.clock.settle();
  busy.connection.closed?.('gone');
  await workAll(b, [idle], 150);
  const progress = await progressOf(b, job);
  assert.deepEqual([progress?.state, progress?.done], ['done', count]);
  check(a, b);
});

test('R35: two servers that end a job at once end it once, and one that did not know asks before it refuses', async () => {
  const [a, b, c] = await three();
  const workers = [await a.joined(), await b.joined()];
  const job = await submit(a, { range: { start: 0, step: 1, count: 600 }, retries: 0, maxFailures: 0 });
  await b.clock.advance(SOON);
  for (const worker of workers) report(worker, new Set(), true);
  await a.clock.advance(SOON);
  const [one, other] = [await progressOf(a, job), await progressOf(b, job)];
  assert.equal(one?.state, 'failed');
  assert.deepEqual(one, other);
  // Another server opens it again, and this one is told to before it has heard that it has ended.
  await c.clock.outcome(c.core.act(job, 'retry'));
  assert.equal((await progressOf(c, job))?.generation, 1);
  await a.clock.advance(SOON);
  assert.deepEqual([(await progressOf(a, job))?.generation, (await progressOf(b, job))?.state], [1, 'active']);
  await workAll(a, workers, 40);
  const end = await progressOf(b, job);
  assert.deepEqual([end?.state, end?.failed], ['cancelled', 0], 'done, but for what the first end had cancelled');
  await b.clock.outcome(b.core.act(job, 'forget'));
  await b.clock.advance(SOON);
  assert.equal(await a.core.readJob(job), undefined);
  check(a, b, c);
});

test('R31 R35: what comes after a job of another server waits for it, and takes its results', async () => {
  const [a, b] = await three();
  const worker = await a.joined();
  const range = { start: 0, step: 1, count: 3 };
  const first = await submit(a, { range });
  const then = await submit(b, { range, after: [first] });
  const fed = await submit(b, { range: undefined, source: first }, true);
  await a.clock.advance(SOON);
  for (const { core, clock } of [a, b]) {
    const added = core.addInputs(fed, 0, 1, columnOfValues([9]));
    await assert.rejects(clock.outcome(added), { code: 'conflict', message: /are the results of job/ });
  }
  assert.deepEqual(new Set(worker.of('tasks').map(({ job }) => job)), new Set([first]));
  await workAll(a, [worker], 60);
  for (const job of [first, then, fed])
    assert.deepEqual([(await progressOf(b, job))?.state, (await progressOf(a, job))?.done], ['done', 3]);
  check(a, b);
});
