import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { FakeFarm } from '../../../test/support/fake-farm.ts';
import { joinedWorker } from '../../../test/support/joined-worker.ts';
import { waitFor, within } from '../../../test/support/wait.ts';
import type { WorkerStatus } from '../session-io.ts';
import { startWorker } from './join.ts';
import { parseJoinUrl } from './join-url.ts';

const square = 'export default (x) => x * x;';
/** Says that it has begun, and takes as many milliseconds as its input says. */
const slow = "export default (ms) => (console.log('begun'), new Promise((done) => setTimeout(() => done(ms), ms)));";

function begun(farm: FakeFarm, count = 1): Promise<unknown> {
  return waitFor(() => farm.ofKind('log').length >= count, { what: 'a task to begin' });
}

test('P3 P7: the first message is a hello that says what the worker is', async (t) => {
  const { farm } = await joinedWorker(t, { slots: 3, name: 'oak', labels: { room: 'attic' }, resources: { gpu: 1 } });
  const { key, memory, platform, ...hello } = farm.ofKind('hello')[0] ?? {};
  assert.match(key ?? '', /^[0-9a-f]{32}$/);
  assert.ok((memory ?? 0) > 1e6 && platform !== undefined);
  const said = {
    kind: 'hello',
    protocol: 1,
    name: 'oak',
    device: 'node',
    slots: 3,
    runners: ['js', 'node', 'wasi', 'pyodide'],
    held: [],
  };
  assert.deepEqual(hello, {
    ...said,
    labels: { arch: process.arch, os: process.platform, room: 'attic' },
    resources: { gpu: 1 },
  });
});

test('P9 P10: every task of a batch is reported once', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, square);
  const inputs = Array.from({ length: 10_000 }, (_, i) => i);
  farm.tasks(7, 1, inputs);
  const outcomes = await farm.gathered(10_000);
  assert.deepEqual(
    outcomes.map(({ value }) => value),
    inputs.map((x) => x * x),
  );
  assert.equal(farm.outcomes.length, 10_000);
  assert.ok(farm.batches.length < 100, 'outcomes come in batches');
});

test('P9: with "alone" each task is reported by itself', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, square);
  farm.tasks(7, 1, [1, 2, 3, 4], { alone: true });
  await farm.gathered(4);
  assert.deepEqual(
    farm.batches.map(({ runs }) => runs),
    [[[0, 1]], [[1, 1]], [[2, 1]], [[3, 1]]],
  );
});

test('P10 P11: outcomes are kept until they are acknowledged, over a cut connection', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.acks = false;
  farm.job(1, square);
  farm.tasks(7, 1, [1, 2, 3]);
  await farm.gathered(3);
  farm.say({ kind: 'ack', lease: 7, verdict: 'recorded', runs: [[1, 1]] });
  // The answer to a recall tells that the ack has been read.
  farm.job(2, slow);
  farm.tasks(8, 2, [0]);
  await farm.gathered(4);
  farm.socket?.terminate();
  await farm.welcomed(2);
  await farm.gathered(7);
  assert.deepEqual(farm.ofKind('hello')[1]?.held, [
    {
      lease: 7,
      runs: [
        [0, 1],
        [2, 1],
      ],
    },
    { lease: 8, runs: [[0, 1]] },
  ]);
  const again = farm.outcomes.slice(4).map(({ lease, index, value }) => [lease, index, value]);
  assert.deepEqual(again.sort(), [
    [7, 0, 1],
    [7, 2, 9],
    [8, 0, 0],
  ]);
  const [first, second] = farm.ofKind('hello');
  assert.equal(first?.key, second?.key);
});

test('F-10 F-18: what runs goes on while the server is away, and is delivered to the next one', async (t) => {
  const { farm } = await joinedWorker(t);
  // On a busy machine the first task may end before its server does.
  farm.acks = false;
  farm.job(1, slow);
  farm.tasks(7, 1, [300, 400, 0, 0]);
  const { port } = farm;
  await begun(farm, 2);
  await farm.close();
  await new Promise((resolve) => setTimeout(resolve, 600));
  const next = new FakeFarm();
  cleanUp(t, () => next.close());
  await next.listen(port);
  await next.welcomed();
  assert.deepEqual(next.ofKind('hello')[0]?.held, [{ lease: 7, runs: [[0, 4]] }]);
  assert.deepEqual(
    (await next.gathered(4)).map(({ value }) => value),
    [300, 400, 0, 0],
  );
});

test('P12: recalled tasks that have not been started come back, exactly those', async (t) => {
  const { farm } = await joinedWorker(t, { slots: 1 });
  farm.job(1, slow);
  farm.tasks(7, 1, [400, 0, 0, 0, 0]);
  await begun(farm);
  farm.say({
    kind: 'recall',
    lease: 7,
    runs: [
      [0, 1],
      [2, 3],
    ],
  });
  await waitFor(() => farm.ofKind('released').length === 1);
  assert.deepEqual(farm.ofKind('released'), [{ kind: 'released', lease: 7, runs: [[2, 3]] }]);
  assert.deepEqual(
    (await farm.gathered(2)).map(({ index }) => index),
    [0, 1],
  );
});

test('P14: a drained worker finishes what runs, gives back the rest and stays', async (t) => {
  const { farm } = await joinedWorker(t, { slots: 1 });
  farm.job(1, slow);
  farm.tasks(7, 1, [300, 0, 0]);
  await begun(farm);
  farm.say({ kind: 'dismiss', how: 'drain' });
  farm.tasks(8, 1, [0]);
  await waitFor(() => farm.ofKind('released').length === 2);
  assert.deepEqual(
    farm.ofKind('released').map(({ lease, runs }) => [lease, runs]),
    [
      [7, [[1, 2]]],
      [8, [[0, 1]]],
    ],
  );
  await farm.gathered(1);
  farm.say({ kind: 'dismiss', how: 'undrain' });
  farm.tasks(9, 1, [1]);
  await farm.gathered(2);
});

test('P14: a worker that is stopped leaves at once', async (t) => {
  const { farm, worker } = await joinedWorker(t);
  farm.job(1, "export default () => { console.log('begun'); for (;;); };");
  farm.tasks(7, 1, [1, 2]);
  await begun(farm);
  const pids = worker.taskPids;
  farm.say({ kind: 'dismiss', how: 'stop' });
  const end = await within(worker.ended, 3_000, 'the end');
  assert.deepEqual(end, { reason: 'the server stopped this worker', failed: false });
  await waitFor(() => farm.ofKind('bye').length === 1, { what: 'the goodbye to arrive' });
  for (const pid of pids) await waitFor(() => isGone(pid), { what: 'the end of a task process' });
});

test('P14: a worker that drains itself delivers what it ran, then says goodbye', async (t) => {
  const { farm, worker } = await joinedWorker(t, { slots: 1 });
  farm.job(1, slow);
  farm.tasks(7, 1, [300, 0]);
  await begun(farm);
  const end = await within(worker.drain('enough'), 5_000, 'the end');
  assert.deepEqual(end, { reason: 'enough', failed: false });
  assert.deepEqual(
    farm.outcomes.map(({ index }) => index),
    [0],
  );
  await waitFor(() => farm.ofKind('bye').length > 0, { what: 'the goodbye to arrive' });
  const said = farm.heard.map(({ kind }) => kind).filter((kind) => kind !== 'log');
  assert.deepEqual(said, ['hello', 'leaving', 'released', 'outcomes', 'bye']);
});

test('a worker leaves after it had nothing to do for its time', async (t) => {
  const { farm, worker } = await joinedWorker(t, { idleExit: 300 });
  farm.job(1, slow);
  farm.tasks(7, 1, [500]);
  assert.match((await within(worker.ended, 5_000, 'the end')).reason, /nothing to do/);
  assert.equal(farm.outcomes.length, 1);
});

test('P13: a server that falls silent is left, and joined again', async (t) => {
  const farm = await FakeFarm.start(t);
  farm.silence = 300;
  const worker = startWorker({ url: farm.url, slots: 1 });
  cleanUp(t, () => worker.stop());
  const seen: WorkerStatus[] = [];
  worker.on('status', (status) => seen.push(status));
  await farm.welcomed(2);
  const waiting = seen.find(({ state }) => state === 'waiting');
  assert.match(waiting?.state === 'waiting' ? waiting.reason : '', /silent/);
});

const refusals: [string, (farm: FakeFarm) => void, RegExp][] = [
  ['nothing listens', (farm) => void (farm.port = 1), /nothing listens at 127\.0\.0\.1:1/],
  ['the token is unknown', (farm) => void (farm.refuseWith = 401), /does not know the token/],
  ['the token is for something else', (farm) => void (farm.refuseWith = 403), /does not allow to join/],
  ['it is no farm', (farm) => void (farm.refuseWith = 404), /no manyhands server/],
];
for (const [what, arrange, says] of refusals) {
  test(`a first connection that fails ends the worker: ${what}`, async (t) => {
    const farm = await FakeFarm.start(t);
    arrange(farm);
    const worker = startWorker({ url: farm.url, slots: 1 });
    assert.equal(await worker.joined, false);
    const { failed, reason } = await worker.ended;
    assert.ok(failed);
    assert.match(reason, says);
  });
}

test('P2: a worker of another version ends with what the server says', async (t) => {
  const { farm, worker } = await joinedWorker(t);
  farm.say({ kind: 'refused', code: 'upgrade', detail: 'install version 2' });
  assert.deepEqual(await worker.ended, { failed: true, reason: 'the server refused this worker: install version 2' });
});

test('P29: a worker that is sent elsewhere goes there at once, with its token and what it runs', async (t) => {
  const { farm, worker } = await joinedWorker(t);
  const next = await FakeFarm.start(t);
  const seen: WorkerStatus[] = [];
  worker.on('status', (status) => seen.push(status));
  farm.job(1, slow);
  farm.tasks(7, 1, [300]);
  await begun(farm);
  farm.say({ kind: 'refused', code: 'elsewhere', detail: 'it is full', servers: [`http://127.0.0.1:${next.port}`] });
  await next.welcomed();
  assert.deepEqual(next.ofKind('hello')[0]?.held, [{ lease: 7, runs: [[0, 1]] }]);
  assert.equal((await next.gathered(1))[0]?.value, 300);
  assert.deepEqual(
    seen.map(({ state }) => state),
    ['moving', 'joined'],
  );
});

test('T-25: a server that sends garbage is left and joined again, and what it granted goes on', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, slow);
  farm.tasks(7, 1, [300]);
  const garbage = [
    '{',
    '{"kind":"nonsense"}',
    '{"kind":"ack","__proto__":1}',
    Buffer.from([1, 2]),
    Buffer.alloc(4, 0xff),
    '[]',
  ];
  for (const frame of garbage) {
    const before = farm.ofKind('hello').length;
    farm.socket?.send(frame);
    await waitFor(() => farm.ofKind('hello').length > before, { what: `a new hello after ${frame}` });
  }
  assert.deepEqual((await farm.gathered(1))[0]?.value, 300);
});

test('the address is read as people write it', () => {
  const read = (text: string) => {
    const { base, token } = parseJoinUrl(text);
    return [base.href, token];
  };
  assert.deepEqual(read('http://host:7070/join#abc'), ['http://host:7070/', 'abc']);
  assert.deepEqual(read('host:7070'), ['http://host:7070/', undefined]);
  assert.deepEqual(read('wss://host/'), ['https://host/', undefined]);
  assert.throws(() => read('http://'), /no address of a server/);
  assert.throws(() => read('ftp://host'), /must begin with http/);
  assert.throws(() => startWorker({ url: 'http://host:7070' }), /needs a token/);
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
