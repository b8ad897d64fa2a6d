import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskError } from '../../src/index.ts';
import { POISON_WORKERS } from '../../src/model/limits.ts';
import type { Running } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Served } from './served.ts';
import { killWorkers } from './worker-kills.ts';

test('workers that are killed cost no task anything but time (F-1, S1, S4, S9)', async (t) => {
  assert.ok((await killWorkers(t, 5)) > 0, 'some of them had tasks');
});

test('a task that takes its workers down is given up after three of them, and no other task suffers (F-14, S9)', async (t) => {
  const served = await Served.start(t);
  const farm = await served.connect();
  let deaths = 0;
  let over = false;
  const running = new Set<Running>();
  // As a supervisor does it.
  const supervise = async (): Promise<void> => {
    while (!over) {
      const worker = served.launchWorker('--slots', '1');
      running.add(worker);
      await worker.exited;
      running.delete(worker);
      if (!over) deaths += 1;
    }
  };
  const supervised = [supervise(), supervise()];
  const job = await farm.map(
    async (input: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (input === 17) process.kill(process.ppid, 'SIGKILL');
      return input;
    },
    Array.from({ length: 60 }, (_, at) => at),
  );
  const records = await job.settled();
  over = true;
  for (const record of records) {
    if (record.index !== 17)
      assert.deepEqual(record, { index: record.index, status: 'done', value: record.index, attempts: 1 });
  }
  const poison = records[17];
  assert.ok(poison?.status === 'failed' && poison.error instanceof TaskError);
  assert.equal(poison.error.kind, 'poison', poison.error.message);
  assert.equal(deaths, POISON_WORKERS);
  for (const worker of running) await worker.kill();
  await Promise.all(supervised);
});

test('the death of a task process is charged to its task alone, and the worker lives (F-14, S9)', async (t) => {
  const served = await Served.start(t);
  const worker = await served.join('--slots', '2');
  const farm = await served.connect();
  const job = await farm.map(
    (input: number) => {
      if (input === 33) process.abort();
      return input;
    },
    Array.from({ length: 200 }, (_, at) => at),
    { retries: 1 },
  );
  const records = await job.settled();
  for (const record of records) {
    if (record.index !== 33)
      assert.deepEqual(record, { index: record.index, status: 'done', value: record.index, attempts: 1 });
  }
  const crash = records[33];
  assert.ok(crash?.status === 'failed');
  assert.deepEqual([crash.attempts, crash.error.kind, crash.error.signal], [2, 'crash', 'SIGABRT']);
  assert.equal(worker.child.exitCode, null);
  const { progress } = await job.status();
  assert.deepEqual([progress.done, progress.failed, progress.lost], [199, 1, 0]);
});

test('a worker on which everything fails is set aside, and no task pays for it (F-15, R26)', async (t) => {
  const served = await Served.start(t);
  const counter = await Counter.start(t);
  await served.join('--slots', '1', '--name', 'good');
  const broken = await served.join('--slots', '1', '--name', 'broken', '--label', 'broken=yes', '--env', 'PATH');
  const farm = await served.connect();
  const job = await farm.map(
    async ({ url, index }: { url: string; index: number }, ctx: { key: string; attempt: string }) => {
      // Only the broken worker lets its tasks see a PATH.
      if (process.env['PATH'] !== undefined) {
        await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
        throw new Error('nothing works here');
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
      return index;
    },
    Array.from({ length: 800 }, (_, index) => ({ url: counter.url, index })),
    { retries: 3 },
  );
  const suspended = waitFor(
    async () => {
      const { workers } = await served.get<{ workers: { name: string; state: string }[] }>('/v1/workers');
      return workers.find(({ name, state }) => name === 'broken' && state === 'suspended');
    },
    { what: 'the broken worker to be suspended', timeout: 30_000 },
  );
  const [values] = await Promise.all([job.values(), suspended]);
  assert.deepEqual(
    values,
    Array.from({ length: 800 }, (_, index) => index),
  );
  const failures = [...counter.starts.values()].flat().length;
  assert.ok(failures >= 10 && failures < 80, `${failures} of 800 tasks were tried there`);
  assert.equal(broken.child.exitCode, null);
});
