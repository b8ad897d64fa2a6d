import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { connectWith } from '../../src/client/connect.ts';
import { startWorker } from '../../src/worker/node/join.ts';
import { cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { Door } from '../support/door.ts';
import { freePort } from '../support/free-port.ts';
import { runManyhands } from '../support/processes.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { nameFor } from '../support/several-addresses.ts';
import { waitFor, within } from '../support/wait.ts';

/** Milliseconds: MOVE_SILENCE, a second of doubt, and some air for a busy machine. */
const NOTICED = 15_000;

test('P30: a server that is stopped is left for the next within seconds, with tasks, streams and transfers on their way', async (t) => {
  const farm = await ServedFarm.start(t);
  const door = await Door.open(t, farm.port);
  const urls = [door.url, farm.server.url];
  const worker = startWorker({ url: urls, token: farm.tokens.work, slots: 2 });
  cleanUp(t, () => worker.stop());
  let movedAt = 0;
  worker.on('status', ({ state }) => {
    if (state === 'moving') movedAt = performance.now();
  });
  assert.equal(await worker.joined, true);
  const client = await connectWith({ url: urls, token: farm.tokens.submit }, undefined);
  cleanUp(t, () => client.close().catch(() => {}));
  const job = await client.map(
    async (ms: number) => {
      const began = Date.now();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return began;
    },
    [2_000, 3_000],
  );
  await waitFor(async () => (await job.status()).progress.startedAt, { what: 'the start of the tasks' });
  const values = job.values();
  const bytes = randomBytes(64 * 1024 * 1024);
  const file = path.join(temporaryDirectory(t), 'large');
  writeFileSync(file, bytes);
  let stoppedAt = 0;
  let stoppedOn = 0;
  const uploading = client.upload(pathToFileURL(file), (moved) => {
    if (stoppedAt > 0 || moved === bytes.length) return;
    door.running.signal('SIGSTOP');
    stoppedAt = performance.now();
    stoppedOn = Date.now();
  });
  await waitFor(() => stoppedAt > 0, { what: 'a beginning of the upload' });

  // Programs that begin now are not kept for long by the stopped one.
  const env = { MANYHANDS_TOKEN: farm.tokens.admin, MANYHANDS_URL: urls.join() };
  const listed = await runManyhands(t, ['jobs', '--json'], { env });
  assert.deepEqual([listed.code, JSON.parse(listed.stdout).id], [0, job.id]);
  const paused = await runManyhands(t, ['pause', String(job.id)], { env });
  assert.equal(paused.code, 0, paused.stderr);
  const late = await connectWith({ url: urls, token: farm.tokens.submit }, undefined);
  await late.job(job.id).resume();
  await late.close();
  assert.ok(performance.now() - stoppedAt < NOTICED, 'a command or a new program waited for the stopped server');

  await waitFor(() => movedAt > 0, { what: 'the worker to move', timeout: NOTICED });
  t.diagnostic(`the worker moved ${((movedAt - stoppedAt) / 1_000).toFixed(1)} s after the stop`);
  assert.ok(movedAt - stoppedAt < NOTICED);
  for (const began of await within(values, NOTICED, 'the values')) assert.ok(began < stoppedOn, 'it was begun again');
  t.diagnostic(`the client had its values ${((performance.now() - stoppedAt) / 1_000).toFixed(1)} s after the stop`);
  const ref = await within(uploading, NOTICED, 'the upload');
  t.diagnostic(`the upload was done ${((performance.now() - stoppedAt) / 1_000).toFixed(1)} s after the stop`);
  assert.ok(bytes.equals(await client.download(ref)));
  assert.deepEqual([(await job.status()).progress.lost, client.url], [0, farm.server.url]);
  door.running.signal('SIGCONT');
});

test('P30: of a name with several addresses a server that is stopped is left for the next as soon', async (t) => {
  const port = await freePort('127.0.0.2');
  const url = `http://farm.test:${port}`;
  const farm = await ServedFarm.start(t, { publicUrl: url });
  const door = await Door.open(t, farm.port, { host: '127.0.0.2', port });
  await Door.open(t, farm.port, { host: '127.0.0.3', port });
  nameFor(t, 'farm.test', ['127.0.0.2', '127.0.0.3']);
  const worker = startWorker({ url, token: farm.tokens.work, slots: 1 });
  cleanUp(t, () => worker.stop());
  let joined = 0;
  worker.on('status', ({ state }) => {
    if (state === 'joined') joined += 1;
  });
  assert.equal(await worker.joined, true);
  const client = await connectWith({ url, token: farm.tokens.submit }, undefined);
  cleanUp(t, () => client.close().catch(() => {}));
  const job = await client.map((n: number) => n, [1]);
  await job.values();
  door.running.signal('SIGSTOP');
  const next = client.map((n: number) => n, [2]);
  assert.deepEqual(await within((await within(next, NOTICED, 'the submit')).values(), NOTICED, 'the task'), [2]);
  await waitFor(() => joined === 2, { what: 'the worker to move', timeout: NOTICED });
  door.running.signal('SIGCONT');
});
