import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { connectWith } from '../../src/client/connect.ts';
import type { Farm } from '../../src/client/farm.ts';
import { startWorker } from '../../src/worker/node/join.ts';
import type { WorkerStatus } from '../../src/worker/session-io.ts';
import { cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { Door } from '../support/door.ts';
import { freePort } from '../support/free-port.ts';
import { runManyhands, startManyhands } from '../support/processes.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { nameFor } from '../support/several-addresses.ts';
import { waitFor, within } from '../support/wait.ts';

const PATIENCE = 30_000;

async function connected(t: TestContext, url: string | string[], token: string): Promise<Farm> {
  const farm = await connectWith({ url, token }, undefined);
  cleanUp(t, () => farm.close().catch(() => {}));
  return farm;
}

test('P29, F-40: a server is killed: workers and clients go to the next, what runs is kept, and each value comes once', async (t) => {
  const data = temporaryDirectory(t, 'farm');
  const [a, b] = [await freePort(), await freePort()];
  const serve = async (port: number) => {
    const server = startManyhands(t, ['serve', '--json', '--port', String(port), '--data', data]);
    await server.output(/^\{.*\}$/m, { stream: 'stdout', timeout: PATIENCE });
    return server;
  };
  const first = await serve(a);
  const [token = ''] = readFileSync(path.join(data, 'admin.token'), 'utf8').split('\n');
  const [work = ''] = readFileSync(path.join(data, 'join.token'), 'utf8').split('\n');
  const urls = [`http://127.0.0.1:${a}`, `http://127.0.0.1:${b}`];
  const worker = startManyhands(t, ['join', `${urls[0]}/join#${work},${urls[1]}`, '--slots', '3', '--json']);
  await worker.output(/"state":"joined"/, { timeout: PATIENCE });
  const farm = await connected(t, urls, token);

  // Two tasks run over the change of servers, and tell when they began; the third slot streams small ones.
  const long = await farm.map(
    async (ms: number) => {
      const began = Date.now();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return began;
    },
    [5_000, 5_000],
  );
  await waitFor(async () => (await long.status()).progress.startedAt, { what: 'the start of the long tasks' });
  const count = 4_000;
  const small = await farm.map(
    async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return 2 * n;
    },
    Array.from({ length: count }, (_, i) => i),
  );
  const times = new Map<number, number>();
  const reading = (async () => {
    for await (const record of small.results({ ordered: false })) {
      assert.ok(record.status === 'done' && record.value === 2 * record.index);
      times.set(record.index, (times.get(record.index) ?? 0) + 1);
    }
  })();
  await waitFor(() => times.size > 100, { what: 'first results' });
  const killed = Date.now();
  first.signal('SIGKILL');
  await first.exited;
  const seen = times.size;
  // What is asked while no server runs is asked of the next one.
  const later = farm.map((n: number) => -n, [1, 2, 3]);
  await serve(b);
  await within(reading, PATIENCE, 'the rest of the results');
  assert.ok(seen < count, 'it was killed while results came');
  assert.deepEqual([times.size, new Set(times.values())], [count, new Set([1])]);
  for (const began of await within(long.values(), PATIENCE, 'the long tasks'))
    assert.ok(began < killed, 'a long task was begun again');
  assert.deepEqual(await (await later).values(), [-1, -2, -3]);
  const { progress } = await long.status();
  assert.deepEqual([progress.done, progress.lost, progress.retried], [2, 0, 0]);
  assert.equal(farm.url, urls[1]);
  assert.match(worker.stdout, new RegExp(`"state":"moving".*127.0.0.1:${b}`));
});

test('P29: a first server that is dead or wrong costs a worker and a client nothing but the next', async (t) => {
  const farm = await ServedFarm.start(t);
  const wrong = await ServedFarm.start(t);
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const seen: WorkerStatus[] = [];
  const worker = startWorker({ url: [nobody, wrong.server.url, farm.server.url], token: farm.tokens.work, slots: 1 });
  cleanUp(t, () => worker.stop());
  worker.on('status', (status) => seen.push(status));
  assert.equal(await within(worker.joined, PATIENCE, 'the join'), true);
  const reasons = seen.map((status) => ('reason' in status ? status.reason : status.state));
  assert.match(reasons[0] ?? '', /nothing listens/);
  assert.match(reasons[1] ?? '', /does not know the token/);
  assert.equal(reasons[2], 'joined');
  const client = await connected(t, `${nobody},${farm.server.url}`, farm.tokens.submit);
  assert.deepEqual(await (await client.map((n: number) => n + 1, [1])).values(), [2]);

  const env = { MANYHANDS_TOKEN: farm.tokens.admin, MANYHANDS_URL: `${nobody},${farm.server.url}` };
  const { code, stdout, stderr } = await runManyhands(t, ['jobs', '--json'], { env });
  assert.deepEqual([code, stderr, (JSON.parse(stdout.split('\n')[0] ?? '') as { id: number }).id], [0, '', 1]);
  const none = await runManyhands(t, ['jobs', '--url', `${nobody},${nobody}/x`], { env });
  assert.equal(none.code, 3);
  assert.match(
    none.stderr,
    /^manyhands: none of the 2 servers can be had: no server answers at .*; no server answers at .*\n$/,
  );
});

test('P29: transfers by HTTP go to the server that the session is with now, and an upload that was cut goes on there', async (t) => {
  const farm = await ServedFarm.start(t);
  const door = await Door.open(t, farm.port);
  const urls = [door.url, farm.server.url];
  const worker = startWorker({ url: urls, token: farm.tokens.work, slots: 1 });
  cleanUp(t, () => worker.stop());
  await worker.joined;
  const client = await connected(t, urls, farm.tokens.submit);
  assert.equal(client.url, door.url);
  const bytes = randomBytes(64 * 1024 * 1024);
  const file = path.join(temporaryDirectory(t), 'large');
  writeFileSync(file, bytes);
  let killing: Promise<void> | undefined;
  const ref = await within(
    client.upload(pathToFileURL(file), (moved) => {
      if (moved > 0 && moved < bytes.length) killing ??= door.kill();
    }),
    PATIENCE,
    'the upload',
  );
  assert.notEqual(killing, undefined, 'it was cut');
  assert.ok(bytes.equals(await client.download(ref)));
  assert.equal(client.url, farm.server.url);
  // Code that is too large to stand in a message.
  const source = `export default () => ${JSON.stringify('x'.repeat(300_000))}.length;`;
  const task = path.join(temporaryDirectory(t), 'task.mjs');
  writeFileSync(task, source);
  const job = await client.map<() => number>(pathToFileURL(task), [1]);
  assert.deepEqual(await within(job.values(), PATIENCE, 'the task'), [300_000]);
});

test('P29: of a name with several addresses a dead one, or one that dies, gives way to the others', async (t) => {
  const port = await freePort('127.0.0.3');
  const url = `http://farm.test:${port}`;
  const farm = await ServedFarm.start(t, { publicUrl: url });
  const doors: Door[] = [];
  for (const host of ['127.0.0.3', '127.0.0.4']) doors.push(await Door.open(t, farm.port, { host, port }));
  nameFor(t, 'farm.test', ['127.0.0.2', '127.0.0.3', '127.0.0.4']);
  const worker = startWorker({ url, token: farm.tokens.work, slots: 1 });
  cleanUp(t, () => worker.stop());
  assert.equal((await within(worker.joined, PATIENCE, 'the join')) || (await worker.ended).reason, true);
  const client = await connected(t, url, farm.tokens.submit);
  const job = await client.map(
    async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return n;
    },
    [1],
  );
  await waitFor(async () => (await job.status()).progress.startedAt, { what: 'the start of the task' });
  await doors[0]?.kill();
  const began = performance.now();
  assert.deepEqual(await within(job.values(), PATIENCE, 'the task'), [1]);
  assert.ok(performance.now() - began < 5_000);
  assert.equal((await job.status()).progress.lost, 0);
});
