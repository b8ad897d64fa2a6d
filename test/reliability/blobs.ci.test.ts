import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BlobRef, Farm } from '../../src/index.ts';
import type { WorkerView } from '../../src/model/feed.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { type Running, runManyhands, startManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { needs } from './needs.ts';
import { Served } from './served.ts';
import { SmallDisk } from './small-disk.ts';

const MiB = 2 ** 20;

/** The size and the first byte of a blob, read as a file. */
async function lookAt(blob: BlobRef, ctx: { file(blob: BlobRef): Promise<string> }): Promise<[number, number]> {
  const { open } = await import('node:fs/promises');
  const file = await open(await ctx.file(blob), 'r');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
  const { size } = await file.stat();
  await file.close();
  return [size, buffer[0] ?? -1];
}

/** A worker that reaches its server by way of a proxy which counts. */
async function behindProxy(t: TestContext, served: Served, ...options: string[]) {
  const proxy = await CuttingProxy.start(t, served.port);
  const url = served.joinUrl.replace(`:${served.port}/`, `:${proxy.port}/`);
  const join = async (env: Record<string, string> = {}): Promise<Running> => {
    const worker = startManyhands(t, ['join', url, '--json', '--slots', '2', ...options], { env });
    await worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
    return worker;
  };
  return { proxy, join };
}

async function stored(farm: Farm, size: number): Promise<{ bytes: Buffer; blob: BlobRef }> {
  const bytes = randomBytes(size);
  return { bytes, blob: await farm.upload(bytes) };
}

test('100 tasks that read the same blob on one worker fetch it once, and none after a restart with --cache', async (t) => {
  const served = await Served.start(t);
  const cache = temporaryDirectory(t, 'cache');
  const { proxy, join } = await behindProxy(t, served, '--cache', cache);
  const farm = await served.connect();
  const { bytes, blob } = await stored(farm, 40 * MiB);
  const worker = await join();
  const job = await farm.map(
    lookAt,
    Array.from({ length: 100 }, () => blob),
  );
  assert.deepEqual(
    await job.values(),
    Array.from({ length: 100 }, () => [bytes.length, bytes[0]]),
  );
  assert.ok(proxy.passed.down < 41 * MiB, `${proxy.passed.down} bytes for one of ${bytes.length}`);

  worker.signal('SIGKILL');
  await worker.exited;
  const { down } = proxy.passed;
  await join();
  assert.deepEqual(await farm.run(lookAt, blob), [bytes.length, bytes[0]]);
  assert.ok(proxy.passed.down - down < MiB, 'what one worker has kept the next one finds');
});

test('F-9: inputs and results that are cut half-way go on from there, while the task waits', async (t) => {
  const served = await Served.start(t);
  const { proxy, join } = await behindProxy(t, served);
  const farm = await served.connect();
  await join();
  assert.equal(await farm.run((x: number) => x + 1, 1), 2);
  const bytes = new Uint8Array(randomBytes(40 * MiB));
  proxy.cutAfter(20 * MiB, 'down');
  const down = proxy.passed.down;
  const sum = async (input: Uint8Array) => (await import('node:crypto')).hash('sha256', input);
  assert.equal(await farm.run(sum, bytes), hash('sha256', bytes));
  assert.equal(proxy.cuts, 1);
  assert.ok(proxy.passed.down - down < 48 * MiB, `${proxy.passed.down - down} bytes`);

  proxy.cutAfter(20 * MiB, 'up');
  const up = proxy.passed.up;
  const made = await farm.run((size: number) => new Uint8Array(size).fill(7), 40 * MiB);
  assert.ok(made.length === 40 * MiB && made.every((byte) => byte === 7));
  assert.equal(proxy.cuts, 2);
  assert.ok(proxy.passed.up - up < 48 * MiB, `${proxy.passed.up - up} bytes`);
});

test('a killed worker leaves nothing for long: the next one on the machine removes it', async (t) => {
  const served = await Served.start(t);
  const tmp = temporaryDirectory(t, 'tmp');
  const { join } = await behindProxy(t, served);
  const farm = await served.connect();
  const { blob } = await stored(farm, MiB);
  const worker = await join({ TMPDIR: tmp });
  await farm.run(lookAt, blob);
  worker.signal('SIGKILL');
  await worker.exited;
  const [left = ''] = readdirSync(tmp).filter((name) => name.startsWith('manyhands-worker-'));
  assert.ok(existsSync(path.join(tmp, left, 'blobs', blob.sha256)));
  const next = await join({ TMPDIR: tmp });
  await waitFor(() => !existsSync(path.join(tmp, left)), { what: 'what was left to be gone' });
  next.signal('SIGTERM');
  await next.exited;
  assert.deepEqual(
    readdirSync(tmp).filter((name) => name.startsWith('manyhands-worker-')),
    [],
  );
});

const full = needs('root', 'a Linux kernel');

test('on a full disk a worker gives its task back and says so; another runs it', full, async (t) => {
  const served = await Served.start(t);
  const disk = new SmallDisk(t, '24m');
  const { join } = await behindProxy(t, served, '--label', 'disk=small');
  const farm = await served.connect();
  const small = await join({ TMPDIR: disk.directory });
  const { bytes, blob } = await stored(farm, 30 * MiB);
  const input = new Uint8Array(bytes);
  const length = (x: Uint8Array) => x.length;
  const where = async () => (await served.get<{ workers: WorkerView[] }>('/v1/workers')).workers;

  // As an input, as a file that a task asks for, and as a result.
  const jobs = [
    await farm.map(length, [input]),
    await farm.map(async (ref: BlobRef, ctx) => (await ctx.blob(ref.sha256)).length, [blob]),
    await farm.map((size: number) => new Uint8Array(size), [30 * MiB]),
  ];
  await small.output(/"unable","reason":"its disk is full"/, { stream: 'stdout', timeout: 60_000 });
  await waitFor(async () => (await where()).some(({ unable }) => unable === 'its disk is full'), {
    what: 'the server to know why',
    timeout: 30_000,
  });
  const why = async () => (await served.ask({ path: `/v1/jobs/${jobs[0]!.id}/tasks/0/explain` })).text;
  await waitFor(async () => /resting, since it gave tasks back: its disk is full/.test(await why()), {
    what: 'the explanation of it',
    timeout: 30_000,
  });

  const env = { MANYHANDS_URL: served.url, MANYHANDS_TOKEN: served.admin };
  const { stdout } = await runManyhands(t, ['workers'], { env });
  assert.match(stdout, / unable: its disk is full /);

  await served.join('--slots', '2');
  const values = await Promise.all(jobs.map((job) => job.values()));
  assert.deepEqual(values.slice(0, 2), [[bytes.length], [bytes.length]]);
  assert.equal((values[2] as Uint8Array[])[0]?.length, 30 * MiB);
  for (const job of jobs) {
    const { progress } = await job.status();
    assert.deepEqual([progress.done, progress.failed, progress.retried, progress.lost], [1, 0, 0, 0]);
  }
  // With what it has room for it is of use again.
  const fitting = await farm.map(length, [new Uint8Array(10 * MiB)], { requires: { disk: 'small' } });
  assert.deepEqual(await fitting.values(), [10 * MiB]);
  assert.deepEqual(
    (await where()).map(({ unable }) => unable),
    [undefined, undefined],
  );
});

test('a command whose file finds no room on one worker runs on another', full, async (t) => {
  const served = await Served.start(t);
  const disk = new SmallDisk(t, '24m');
  const { join } = await behindProxy(t, served, '--allow', 'exec');
  const small = await join({ TMPDIR: disk.directory });
  const directory = temporaryDirectory(t, 'sent');
  writeFileSync(path.join(directory, 'big.bin'), randomBytes(30 * MiB));
  const env = { MANYHANDS_URL: served.url, MANYHANDS_TOKEN: served.admin };
  const args = ['exec', '--quiet', '--send', '{}', '--', 'wc -c <{}', ':::', 'big.bin'];
  const running = startManyhands(t, args, { env, cwd: directory });
  await small.output(/"unable","reason":"its disk is full"/, { stream: 'stdout', timeout: 60_000 });
  await served.join('--allow', 'exec');
  const { code, stdout, stderr } = await running.exit(60_000);
  assert.deepEqual([code, stdout.trim(), stderr], [0, `${30 * MiB}`, '']);
});

test('where the disk of a worker is full before a command begins, it goes elsewhere, code and all', full, async (t) => {
  const served = await Served.start(t);
  const disk = new SmallDisk(t, '24m');
  const { join } = await behindProxy(t, served, '--allow', 'exec', '--label', 'disk=small');
  const small = await join({ TMPDIR: disk.directory });
  const farm = await served.connect();
  const task = { runner: 'exec', code: JSON.stringify({ command: 'echo' }), sourceName: 'echo' } as const;
  const inputs = Array.from({ length: 8 }, (_, i) => [String(i)]);
  assert.equal((await (await farm.map(task, inputs)).values()).length, 8);
  disk.fill();
  const other = { ...task, code: JSON.stringify({ command: 'echo other' }) };
  const jobs = [await farm.map(task, inputs), await farm.map(other, inputs)];
  await small.output(/"unable","reason":"its disk is full"/, { stream: 'stdout', timeout: 60_000 });
  await served.join('--slots', '2', '--allow', 'exec');
  for (const job of jobs) {
    assert.equal((await job.values()).length, inputs.length);
    const { progress } = await job.status();
    assert.deepEqual([progress.failed, progress.retried], [0, 0]);
  }
  disk.free();
  const here = await farm.map(other, inputs, { requires: { disk: 'small' } });
  assert.equal((await here.values()).length, inputs.length);
});

test('R32 P23: tasks are given to the worker that has fetched their file already', async (t) => {
  const served = await Served.start(t);
  const farm = await served.connect();
  const blobs: BlobRef[] = [];
  for (let each = 0; each < 8; each++) blobs.push((await stored(farm, 9 * MiB)).blob);
  const ways = await Promise.all([behindProxy(t, served), behindProxy(t, served)]);
  for (const { join } of ways) await join();
  const task = async (blob: BlobRef, ctx: { file(blob: BlobRef): Promise<string> }) => {
    const { statSync } = await import('node:fs');
    const { size } = statSync(await ctx.file(blob));
    await new Promise((resolve) => setTimeout(resolve, 300));
    return size;
  };
  const down = () => ways.reduce((sum, { proxy }) => sum + proxy.passed.down, 0);
  const fetched = async (all: readonly BlobRef[]): Promise<number> => {
    const before = down();
    const job = await farm.map(task, all);
    assert.deepEqual(
      await job.values(),
      all.map(({ size }) => size),
    );
    return (down() - before) / (9 * MiB);
  };
  const first = await fetched(blobs);
  // By chance half of them would be fetched again.
  const again = await fetched([...blobs].reverse());
  t.diagnostic(`fetched ${first.toFixed(1)} of 8, then ${again.toFixed(1)}`);
  assert.ok(again < 2.5, `${again} of 8 were fetched again`);
});
