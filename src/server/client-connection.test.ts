import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelServer } from '../../test/support/model-server.ts';
import { columnOfValues, submitOf } from '../../test/support/raw-client.ts';
import { CLIENT_REQUEST_BYTES, CLIENT_STREAMS } from '../model/limits.ts';
import { encodeFrame } from '../protocol/frames.ts';

const range = { start: 0, step: 1, count: 10 };

async function withJob(server: ModelServer, client = server.client(), fields: object = { range }): Promise<number> {
  client.say({ kind: 'submit', request: 1, ...submitOf({ ...fields }) });
  await server.clock.settle();
  return (client.last('answer') as unknown as { value: { job: number } }).value.job;
}

test('P18: a stream that is given up while it is being opened sends nothing', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client);
  client.say({ kind: 'act', request: 2, job, action: 'cancel' });
  await server.clock.settle();
  client.say({ kind: 'results', request: 3, job, order: 'completion', credit: 1_000 });
  client.say({ kind: 'unsubscribe', stream: 3 });
  await server.clock.settle();
  assert.equal(client.of('resultsEnd').length, 0);
  client.say({ kind: 'results', request: 4, job, order: 'completion', credit: 1_000 });
  await server.clock.settle();
  assert.equal(client.last('resultsEnd')?.stream, 4);
});

test('P18: a stream has a number of its own, and there are no more than a connection may have', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client);
  for (let request = 2; request < 2 + CLIENT_STREAMS; request++)
    client.say({ kind: 'results', request, job, order: 'index', credit: 1 });
  client.say({ kind: 'results', request: 2, job, order: 'index', credit: 1 });
  await server.clock.settle();
  const refused = client.of('answer').filter(({ ok }) => ok === false);
  assert.deepEqual(
    refused.map(({ request, code, message }) => [request, code, message]),
    [[2, 'invalid', 'there is a stream 2 already']],
  );
  client.say({ kind: 'results', request: 5_000, job, order: 'index', credit: 1 });
  await server.clock.settle();
  assert.equal(client.last('answer')?.code, 'busy');
  client.say({ kind: 'unsubscribe', stream: 2 });
  client.say({ kind: 'results', request: 5_001, job, order: 'index', credit: 1 });
  await server.clock.settle();
  assert.equal(client.last('answer')?.ok, true);
});

test('P22 F-23: a client is not read on while too many bytes of its requests wait for the disk', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client, {});
  server.gate.hold();
  const column = columnOfValues(['x'.repeat(60_000)]);
  let turn: Promise<void> | undefined;
  let sent = 0;
  for (let index = 0; turn === undefined; index++) {
    const frame = encodeFrame({ kind: 'inputs', request: 10 + index, job, runs: [[index, 1]] }, column);
    sent += frame.length;
    turn = client.connection.receive(frame);
    assert.ok(sent < 2 * CLIENT_REQUEST_BYTES, 'it was never asked to wait');
  }
  assert.ok(sent > CLIENT_REQUEST_BYTES);
  let calm = false;
  void turn.then(() => {
    calm = true;
  });
  await server.clock.settle();
  assert.equal(calm, false);
  server.gate.release();
  await server.clock.settle();
  assert.equal(calm, true);
});

test('F-36: a fault of the server ends one request, is told to its log, and nothing else', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client);
  const faults: unknown[] = [];
  server.core.onFault = (error) => faults.push(error);
  server.store.readJob = () => Promise.reject(new TypeError('a bug'));
  client.say({ kind: 'status', request: 2, job: 99 });
  await server.clock.settle();
  const answer = client.last('answer');
  assert.deepEqual([answer?.code, answer?.message], ['internal', 'the server made a mistake; its log says more']);
  assert.equal((faults[0] as Error).message, 'a bug');
  client.say({ kind: 'status', request: 3, job });
  await server.clock.settle();
  assert.equal(client.last('answer')?.ok, true);
});

test('P16 F-21: while the disk is full every request that writes is answered full, and none is lost afterwards', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client, {});
  server.gate.refuses = 'full';
  client.say({ kind: 'submit', request: 2, ...submitOf({ range }) });
  client.say({ kind: 'inputs', request: 3, job, runs: [[0, 1]] }, columnOfValues([1]));
  await server.clock.settle();
  client.say({ kind: 'inputs', request: 4, job, runs: [[0, 1]] }, columnOfValues([1]));
  client.say({ kind: 'act', request: 5, job, action: 'pause' });
  await server.clock.settle();
  for (const request of [2, 3, 4, 5]) {
    const answer = client.of('answer').find((each) => each.request === request);
    assert.equal(answer?.code, 'full', `${request}: ${answer?.message}`);
    assert.match(String(answer?.message), /not saved, since there is no room/);
  }
  server.gate.refuses = undefined;
  await server.clock.advance(2_000);
  client.say({ kind: 'inputs', request: 6, job, runs: [[0, 1]] }, columnOfValues([1]));
  await server.clock.settle();
  assert.equal(client.last('answer')?.ok, true);
});

test('P18: when its socket closes, nothing of a client stays', async () => {
  const server = await ModelServer.start();
  const client = server.client();
  const job = await withJob(server, client);
  client.say({ kind: 'results', request: 2, job, order: 'completion', credit: 1 });
  client.say({ kind: 'status', request: 3, job, follow: true });
  await server.clock.settle();
  assert.equal(server.clients.connected, 1);
  client.connection.closed('gone');
  client.say({ kind: 'submit', request: 4, ...submitOf({ range }) });
  await server.clock.advance(60_000);
  assert.equal(server.clients.connected, 0);
  assert.equal(client.of('answer').length, 3, 'and nothing that it still says is heard');
  assert.equal(server.disk.jobs.size, 1);
});
