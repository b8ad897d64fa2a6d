import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { LiveServer } from '../../test/support/live-server.ts';
import { columnOfValues } from '../../test/support/raw-client.ts';
import {
  codeOf,
  ended,
  RawWorker,
  recorded,
  SQUARE,
  submitInputs,
  submitRange,
  tasksIn,
} from '../../test/support/raw-worker.ts';
import { textWorker } from '../../test/support/text-worker.ts';
import { waitFor } from '../../test/support/wait.ts';
import { ValueStatus } from '../model/envelope.ts';
import { FRAME_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';

test('P5: a worker of sixty lines that speaks text computes a job of every kind of value', async (t) => {
  const server = await LiveServer.start(t);
  const inputs = [1, 'two', null, [3, { four: 5 }], Uint8Array.of(0, 255, 7), undefined, 'ü漢😀', -0.5, { $mh: 1 }];
  const socket = textWorker(server.url, server.work, (input) => {
    if (input === 'two') throw new RangeError('not two');
    return input;
  });
  cleanUp(t, () => socket.terminate());
  const job = await submitInputs(server, inputs);
  const { done, failed } = await ended(server, job);
  assert.deepEqual({ done, failed }, { done: inputs.length - 1, failed: 1 });
  const values = await recorded(server, job);
  assert.deepEqual(values[1], { kind: 'error', name: 'RangeError', message: 'not two' });
  const plain = [...inputs.slice(0, 1), ...inputs.slice(2)];
  assert.deepEqual([...values.slice(0, 1), ...values.slice(2)].map(bufferAsBytes), plain);
  const range = await submitRange(server, 5_000);
  assert.equal((await ended(server, range)).done, 5_000);
  assert.deepEqual(
    await recorded(server, range),
    Array.from({ length: 5_000 }, (_, i) => i),
  );
});

function bufferAsBytes(value: unknown): unknown {
  return Buffer.isBuffer(value) ? new Uint8Array(value) : value;
}

test('P5 P9: a batch that takes more room as text comes in several messages of one lease', async (t) => {
  const server = await LiveServer.start(t);
  const inputs = Array.from({ length: 4 }, (_, i) => new Uint8Array(190_000).fill(i));
  const job = await submitInputs(server, inputs);
  const worker = await RawWorker.join(t, server, { protocol: 'manyhands.v1.json' });
  await waitFor(() => worker.granted.length === 4, { what: 'all inputs' });
  const messages = worker.wire.of('tasks');
  assert.equal(messages.length, 2);
  assert.equal(messages[0]?.lease, messages[1]?.lease);
  for (const message of messages) {
    const { lease, runs, values } = message as unknown as {
      lease: number;
      runs: unknown;
      values: { base64: string }[];
    };
    assert.ok(JSON.stringify(message).length <= FRAME_BYTES);
    for (const [i, [, index]] of tasksIn(message).entries())
      assert.equal(values[i]?.base64, Buffer.from(inputs[index] as Uint8Array).toString('base64'));
    worker.wire.say({ kind: 'outcomes', lease, job, runs, micros: 1, values: values.map(() => ({ value: 1 })) });
  }
  assert.equal((await ended(server, job)).done, inputs.length);
});

test('P5 F-5: an input that is no JSON fails alone; its neighbours run, the server goes on', async (t) => {
  const server = await LiveServer.start(t);
  const { job } = await server.core.submit({ name: 'job', code: codeOf(SQUARE) }, 'tester', true, SQUARE);
  const texts = ['1,', '{"a":', '\xff,', `${'['.repeat(2_000)}${']'.repeat(2_000)},`, '5,'].map((text) =>
    Buffer.from(text, 'latin1'),
  );
  const lengths = Uint32Array.from(texts, (text) => text.length);
  await server.core.addInputs(job, 0, texts.length, packColumn(lengths, ValueStatus.json, Buffer.concat(texts)));
  await server.core.closeJob(job, texts.length);
  const socket = textWorker(server.url, server.work, (input) => input);
  cleanUp(t, () => socket.terminate());
  const { done, failed } = await ended(server, job);
  assert.deepEqual({ done, failed }, { done: 2, failed: 3 });
  const values = await recorded(server, job);
  assert.deepEqual([values[0], values[4]], [1, 5]);
  assert.match((values[1] as Error).message, /not given to a worker: the input is not JSON/);
});

test('P5 T-14: what a text worker calls a failure is one, whatever its kind; its result may have any key', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server, { protocol: 'manyhands.v1.json', hello: { slots: 16 } });
  const items = [
    '{"failed":{"kind":"constructor","name":"A","message":"m"}}',
    '{"failed":{"kind":"__proto__","name":{"x":1},"message":7}}',
    '{"failed":{"kind":"poison","message":"mine"}}',
    '{"failed":{"kind":"timeout","name":"T","message":"late","stack":"s","exitCode":3,"signal":"SIGTERM","x":1}}',
    '{"value":{"__proto__":{"polluted":1},"constructor":{"prototype":[2]}}}',
    `{"value":${'['.repeat(900)}${']'.repeat(900)}}`,
  ];
  const job = await submitRange(server, items.length);
  await waitFor(() => worker.granted.length === items.length, { what: 'all tasks' });
  for (const [lease, index] of worker.granted) {
    const head = JSON.stringify({ kind: 'outcomes', lease, job, runs: [[index, 1]], micros: 1 });
    worker.wire.raw(`${head.slice(0, -1)},"values":[${items[index]}]}`);
  }
  const { done, failed } = await ended(server, job);
  assert.deepEqual({ done, failed }, { done: 2, failed: 4 });
  const values = await recorded(server, job);
  assert.deepEqual(values[0], { kind: 'error', name: 'A', message: 'm' });
  assert.deepEqual(values[1], { kind: 'error', name: 'Error', message: '' });
  assert.deepEqual(values[2], { kind: 'error', name: 'Error', message: 'mine' });
  const late = { kind: 'timeout', name: 'T', message: 'late', stack: 's', exitCode: 3, signal: 'SIGTERM' };
  assert.deepEqual(values[3], late);
  assert.equal(JSON.stringify(values[4]), '{"__proto__":{"polluted":1},"constructor":{"prototype":[2]}}');
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

const BAD_ITEMS: Record<string, [item: string, sentence: RegExp]> = {
  'no object': ['7', /values\[0\] is not an object/],
  'nothing known': ['{"val":1}', /none of value, undefined, base64, blob, failed/],
  'undefined that is not true': ['{"undefined":1}', /none of value/],
  'base64 with a stray letter': ['{"base64":"AB*D"}', /values\[0\]\.base64 is not base64/],
  'base64 of an impossible length': ['{"base64":"ABCDE"}', /is not base64/],
  'a blob without a hash': ['{"blob":{"size":1},"as":"json"}', /values\[0\] is not a blob/],
  'a blob of a negative size': [`{"blob":{"sha256":"${'a'.repeat(64)}","size":-1},"as":"json"}`, /is not a blob/],
  'a blob that says not what it is': [`{"blob":{"sha256":"${'a'.repeat(64)}","size":1}}`, /is not a blob/],
  'a failure that is none': ['{"failed":"no"}', /values\[0\]\.failed is not an object/],
  'a value without a bottom': [`{"value":${'['.repeat(2_000)}${']'.repeat(2_000)}}`, /nested deeper than 1000/],
};

for (const [title, [item, sentence]] of Object.entries(BAD_ITEMS)) {
  test(`P5 F-5: an item of values with ${title} is refused by its place`, async (t) => {
    const server = await LiveServer.start(t);
    const worker = await RawWorker.join(t, server, { protocol: 'manyhands.v1.json' });
    worker.wire.raw(`{"kind":"outcomes","lease":1,"job":1,"runs":[[0,1]],"micros":1,"values":[${item}]}`);
    const refused = await worker.wire.hears('refused');
    assert.match(String(refused.detail), sentence);
    assert.equal((await worker.wire.closed).code, 4400);
  });
}

test('P10 F-8: outcomes of what was never given are answered unknown, counted, and change nothing', async (t) => {
  const server = await LiveServer.start(t);
  const holder = await RawWorker.join(t, server);
  const job = await submitRange(server, 1);
  await waitFor(() => holder.granted.length === 1);
  const [lease] = holder.granted[0] as [number, number];
  const forger = await RawWorker.join(t, server);
  forger.report(job, lease, [0], ['forged']);
  assert.deepEqual(await forger.wire.hears('ack'), { kind: 'ack', lease, verdict: 'unknown', runs: [[0, 1]] });
  forger.report(job, lease + 1_000, [0], ['forged']);
  assert.equal((await forger.wire.hears('ack', 2)).verdict, 'unknown');
  forger.report(job + 7, lease, [0], ['forged']);
  assert.equal((await forger.wire.hears('ack', 3)).verdict, 'unknown');
  holder.report(job, lease, [0, 1, 2], ['honest', 'beyond', 'beyond']);
  assert.equal((await holder.wire.hears('ack', 2)).verdict, 'unknown', 'tasks beyond the lease');
  assert.equal(holder.wire.of('ack')[0]?.verdict, 'recorded');
  await ended(server, job);
  assert.deepEqual(await recorded(server, job), ['honest']);
  assert.deepEqual(server.core.workerGateway.verdicts, { recorded: 1, duplicate: 0, superseded: 0, unknown: 5 });
  const metrics = await (await server.api('GET', '/metrics')).text();
  assert.match(metrics, /^manyhands_verdicts_total\{verdict="unknown"\} 5$/m);
});

test('P10: the same outcome again is a duplicate; after another one of its task it is superseded', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server);
  const job = await submitRange(server, 1);
  await waitFor(() => worker.granted.length === 1);
  const [lease] = worker.granted[0] as [number, number];
  worker.report(job, lease, [0], ['first']);
  worker.report(job, lease, [0], ['second']);
  assert.equal((await worker.wire.hears('ack', 2)).verdict, 'duplicate');
  await ended(server, job);
  assert.deepEqual(await recorded(server, job), ['first']);
});

/** A job that grows, its only task given to a worker that speaks text. */
async function growing(t: TestContext) {
  const server = await LiveServer.start(t);
  const spec = { name: 'job', code: codeOf(SQUARE), spawns: true };
  const { job } = await server.core.submit(spec, 'tester', true, SQUARE);
  await server.core.addInputs(job, 0, 1, columnOfValues(['root']));
  await server.core.closeJob(job, 1);
  const worker = await RawWorker.join(t, server, { protocol: 'manyhands.v1.json' });
  await waitFor(() => worker.granted.length === 1, { what: 'the task' });
  const { lease } = worker.wire.of('tasks')[0] as unknown as { lease: number };
  return { server, job, worker, outcome: { kind: 'outcomes', lease, job, runs: [[0, 1]], micros: 1 } };
}

test('P28: tasks give their job further ones, over text too', async (t) => {
  const { server, job, worker, outcome } = await growing(t);
  assert.equal((worker.wire.of('job')[0] as unknown as { spawns: boolean }).spawns, true);
  const values = [{ value: 'done' }, { value: 'child' }, { undefined: true }];
  worker.wire.say({ ...outcome, spawned: [[0, 2]], values });
  await waitFor(() => worker.granted.length === 3, { what: 'what it gave' });
  const given = worker.wire.of('tasks').slice(1) as unknown as { lease: number; runs: unknown; values: unknown[] }[];
  assert.deepEqual(
    given.flatMap((message) => message.values),
    [{ value: 'child' }, { undefined: true }],
  );
  for (const { lease, runs, values } of given)
    worker.wire.say({ ...outcome, lease, runs, values: values.map(() => ({ value: 1 })) });
  assert.equal((await ended(server, job)).done, 3);
  assert.deepEqual(await recorded(server, job), ['done', 1, 1]);
});

for (const [what, spawned, value] of [
  ['another task', [[1, 1]], { value: 2 }],
  ['more than there are', [[0, 2]], { value: 2 }],
  ['a failure', [[0, 1]], { failed: { kind: 'error', name: 'E', message: 'm' } }],
] as const) {
  test(`P28 P20: inputs given by ${what} are refused, and the task is free for others`, async (t) => {
    const { server, job, worker, outcome } = await growing(t);
    worker.wire.say({ ...outcome, spawned, values: [{ value: 1 }, value] });
    await waitFor(() => worker.wire.of('refused').length === 1, { what: 'a refusal' });
    const socket = textWorker(server.url, server.work, (input) => input);
    cleanUp(t, () => socket.terminate());
    assert.equal((await ended(server, job)).done, 1);
    assert.deepEqual(await recorded(server, job), ['root']);
  });
}

test('P28: a job of a range takes nothing more, and says so', async (t) => {
  const server = await LiveServer.start(t);
  const range = { start: 0, step: 1, count: 5 };
  await assert.rejects(
    server.core.submit({ name: 'job', code: codeOf(SQUARE), spawns: true, range }, 'tester', false, SQUARE),
    { message: 'a job whose tasks add others takes its inputs one by one, not as a range' },
  );
});
