import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import {
  codeOf,
  ended,
  RawWorker,
  recorded,
  SQUARE,
  submitInputs,
  submitRange,
} from '../../test/support/raw-worker.ts';
import { waitFor } from '../../test/support/wait.ts';
import { ValueStatus } from '../model/envelope.ts';
import { packColumn } from '../protocol/column.ts';

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A column of one value that names a blob. */
function blobColumn(sha256: string, size: number): Uint8Array {
  const text = Buffer.from(`${JSON.stringify({ sha256, size })},`);
  return packColumn(Uint32Array.of(text.length), ValueStatus.bytesBlob, text);
}

async function upload(server: LiveServer, bytes: Uint8Array): Promise<string> {
  const sha256 = sha256Of(bytes);
  const headers = { authorization: `Bearer ${server.work}`, 'content-type': 'application/octet-stream' };
  const answer = await fetch(`${server.url}/v1/blobs/${sha256}`, { method: 'PUT', headers, body: Buffer.from(bytes) });
  assert.ok(answer.ok, `${answer.status}`);
  return sha256;
}

test('P15 S5: an outcome whose blob is not here, or has another size, is refused, and its task runs elsewhere', async (t) => {
  const server = await LiveServer.start(t);
  const content = Buffer.from('a large result');
  const sha256 = await upload(server, content);
  const job = await submitRange(server, 1);
  for (const [hash, size] of [
    ['0'.repeat(64), 5],
    [sha256, content.length + 1],
  ] as const) {
    const worker = await RawWorker.join(t, server);
    await waitFor(() => worker.granted.length === 1, { what: 'the task' });
    const [lease] = worker.granted[0] as [number, number];
    const message = { kind: 'outcomes', lease, job, runs: [[0, 1]], micros: 1 };
    worker.wire.say(message, blobColumn(hash, size));
    const refused = await worker.wire.hears('refused');
    assert.match(String(refused.detail), new RegExp(`the blob ${hash} of ${size} bytes, which was not uploaded`));
    assert.equal((await worker.wire.closed).code, 4400);
  }
  const honest = await RawWorker.join(t, server);
  await waitFor(() => honest.granted.length === 1);
  const [lease] = honest.granted[0] as [number, number];
  honest.wire.say({ kind: 'outcomes', lease, job, runs: [[0, 1]], micros: 1 }, blobColumn(sha256, content.length));
  assert.equal((await ended(server, job)).done, 1);
  assert.deepEqual(await server.core.store.unreferenced([sha256]), [], 'the job refers to it');
});

test('P10 P14: what follows an outcome with a blob waits for it: a goodbye does not overtake', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitRange(server, 1, { fenced: true });
  const sha256 = await upload(server, Buffer.from('x'));
  const worker = await RawWorker.join(t, server);
  await waitFor(() => worker.granted.length === 1);
  const [lease] = worker.granted[0] as [number, number];
  worker.wire.say({ kind: 'outcomes', lease, job, runs: [[0, 1]], micros: 1 }, blobColumn(sha256, 1));
  worker.wire.say({ kind: 'bye' });
  const { done, lost } = await ended(server, job);
  assert.deepEqual({ done, lost }, { done: 1, lost: 0 });
  assert.equal((await worker.wire.closed).code, 1001);
});

test('P10: failures are recorded with the name and message that the worker gave', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server);
  const job = await submitRange(server, 4, { retries: 1 });
  const record = (kind: string) => `{"kind":"${kind}","name":"N","message":"first line\\nsecond"},`;
  const kinds = ['failed', 'timeout', 'crash', 'memory'] as const;
  await waitFor(() => worker.granted.length === 4);
  for (const [lease, index] of worker.granted) {
    const kind = kinds[index] as (typeof kinds)[number];
    worker.fail(job, lease, [index], ValueStatus[kind], record(kind === 'failed' ? 'error' : kind));
  }
  for (const [index, kind] of kinds.entries()) {
    await waitFor(async () => (await server.core.store.readTask(job, index)).attempts.length > 0, { what: kind });
    const { attempts } = await server.core.store.readTask(job, index);
    assert.deepEqual(
      attempts.map(({ outcome, message }) => [outcome, message]),
      [[kind, 'N: first line']],
    );
  }
});

const BAD_FAILURES: Record<string, [status: number, record: string, sentence: RegExp]> = {
  'poison, which only the server says': [ValueStatus.poison, '{"name":"a","message":"b"},', /only the server gives/],
  'a status that does not exist': [200, '{"name":"a","message":"b"},', /only the server gives/],
  'a record that is not JSON': [ValueStatus.failed, 'oops,', /not a failure in JSON/],
  'a record without a name': [ValueStatus.failed, '{"message":"b"},', /with its name and message/],
  'a record whose message is an object': [ValueStatus.crash, '{"name":"a","message":{}},', /name and message/],
  'a null': [ValueStatus.memory, 'null,', /not a failure in JSON/],
};

for (const [title, [status, record, sentence]] of Object.entries(BAD_FAILURES)) {
  test(`P5 F-5: a failure with ${title} is refused`, async (t) => {
    const server = await LiveServer.start(t);
    const worker = await RawWorker.join(t, server);
    worker.fail(1, 1, [0], status as ValueStatus, record);
    assert.match(String((await worker.wire.hears('refused')).detail), sentence);
    assert.equal((await worker.wire.closed).code, 4400);
  });
}

test('P12 S8: a cancelled job is revoked, its late outcomes are superseded, and the worker may forget it', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server);
  const job = await submitRange(server, 1);
  await waitFor(() => worker.granted.length === 1);
  const [lease] = worker.granted[0] as [number, number];
  await server.core.act(job, 'cancel');
  assert.deepEqual(await worker.wire.hears('revoke'), { kind: 'revoke', lease, runs: [[0, 1]] });
  assert.deepEqual(await worker.wire.hears('jobOver'), { kind: 'jobOver', job });
  worker.report(job, lease, [0], ['late']);
  assert.equal((await worker.wire.hears('ack')).verdict, 'superseded');
  assert.equal((await server.core.readJob(job))?.progress.state, 'cancelled');
});

test('P12: a drained worker is asked for what it has not started, and is told so', async (t) => {
  const server = await LiveServer.start(t);
  const worker = await RawWorker.join(t, server);
  await submitRange(server, 100);
  await waitFor(() => worker.granted.length > 1);
  await server.core.actOnWorker(worker.id, 'drain');
  const recall = await worker.wire.hears('recall');
  assert.ok((recall.runs as unknown[]).length > 0);
  assert.equal((await worker.wire.hears('dismiss')).how, 'drain');
  worker.wire.say({ kind: 'released', lease: recall.lease, runs: recall.runs });
  const other = await RawWorker.join(t, server);
  await waitFor(() => other.granted.length > 0, { what: 'the tasks to be given to another' });
});

test('P14: a goodbye frees the tasks at once; who is stopped is dismissed and closed', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitRange(server, 2);
  const first = await RawWorker.join(t, server);
  await waitFor(() => first.granted.length === 2);
  first.wire.say({ kind: 'bye', reason: 'enough' });
  assert.deepEqual(await first.wire.closed, { code: 1001, reason: 'goodbye' });
  const second = await RawWorker.join(t, server);
  await waitFor(() => second.granted.length === 2);
  await server.core.actOnWorker(second.id, 'stop');
  assert.equal((await second.wire.hears('dismiss')).how, 'stop');
  assert.equal((await second.wire.closed).code, 1001);
  const third = await RawWorker.join(t, server);
  third.work(job, (i) => i);
  const { done, lost } = await ended(server, job);
  assert.deepEqual({ done, lost }, { done: 2, lost: 0 });
});

test('P14: a worker that says it is leaving gets nothing more', async (t) => {
  const server = await LiveServer.start(t);
  const leaving = await RawWorker.join(t, server);
  leaving.wire.say({ kind: 'leaving' });
  await leaving.wire.hears('dismiss');
  const job = await submitRange(server, 3);
  const other = await RawWorker.join(t, server);
  other.work(job, (i) => i);
  await ended(server, job);
  assert.equal(leaving.granted.length, 0);
});

test('T-12: a worker writes only in the logs of jobs that it was told of', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitRange(server, 1);
  const other = await submitInputs(server, [1], { requires: { place: 'elsewhere' } });
  const worker = await RawWorker.join(t, server);
  await waitFor(() => worker.granted.length === 1);
  const [lease] = worker.granted[0] as [number, number];
  const log = { kind: 'log', lease, index: 0, stream: 'stdout' };
  worker.wire.say({ ...log, job: other, text: 'forged' });
  worker.wire.say({ ...log, job: 4_000, text: 'forged' });
  worker.wire.say({ ...log, job, text: 'mine' });
  const logs = (of: number) => server.core.store.readLogs(of, { after: 0, limit: 10 });
  await waitFor(async () => (await logs(job)).length > 0, { what: 'the log' });
  assert.deepEqual(
    (await logs(job)).map(({ log: { text } }) => text),
    ['mine'],
  );
  assert.deepEqual(await logs(other), []);
});

test('P8 F-26: tasks whose code is gone fail with a sentence, instead of waiting for ever', async (t) => {
  const server = await LiveServer.start(t);
  const code = `${SQUARE}//${'x'.repeat(1000)}`;
  const { job } = await server.core.submit(
    { name: 'job', code: codeOf(code), range: { start: 0, step: 1, count: 2 } },
    'tester',
    false,
    code,
  );
  await server.core.blobs.delete(codeOf(code).sha256);
  // After a restart the code is not in memory either.
  await server.restart();
  const worker = await RawWorker.join(t, server);
  const { failed } = await ended(server, job);
  assert.equal(failed, 2);
  const { message } = (await recorded(server, job))[0] as Error;
  assert.match(message, /^not given to a worker: the job's code, blob [0-9a-f]{64}, is gone/);
  assert.equal(worker.granted.length, 0);
});

test('P8 P11: what a worker brings along it may still speak of, and it is told when that is over', async (t) => {
  const server = await LiveServer.start(t);
  const job = await submitRange(server, 1);
  const first = await RawWorker.join(t, server);
  await waitFor(() => first.granted.length === 1);
  const [lease] = first.granted[0] as [number, number];
  first.wire.socket.terminate();
  const held = [{ lease, runs: [[0, 1]] }];
  const back = await RawWorker.join(t, server, { hello: { key: first.hello.key, held } });
  back.wire.say({ kind: 'log', lease, job, index: 0, stream: 'stdout', text: 'still here' });
  back.report(job, lease, [0], ['x']);
  assert.equal((await back.wire.hears('jobOver')).job, job);
  assert.deepEqual(back.wire.of('job'), [], 'it knows the job');
  const logs = await server.core.store.readLogs(job, { after: 0, limit: 10 });
  assert.deepEqual(
    logs.map(({ log }) => log.text),
    ['still here'],
  );
});
