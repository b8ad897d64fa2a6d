import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import { startWorker } from '../worker/node/join.ts';
import { connectWith } from './connect.ts';
import { range } from './range.ts';
import type { TaskContext } from './task.ts';

const server = await LiveServer.start({ after });
const worker = startWorker({ url: server.running.joinUrl, slots: 2 });
after(() => worker.stop());
const farm = await connectWith({ url: server.url, token: server.admin }, undefined);
after(() => farm.close());

describe('R34: a job whose tasks add others', () => {
  test('ends with all of them done, in index order and in the order in which they came', async () => {
    const leaves = (n: number, ctx: TaskContext): number | undefined => {
      if (n < 2) return n;
      ctx.spawn(n - 1);
      ctx.spawn(n - 2);
      return undefined;
    };
    const job = await farm.map(leaves, [12, 10], { spawns: true });
    const values = await job.values();
    assert.equal(values.filter((value) => value === 1).length, 144 + 55);
    const { progress, spec } = await job.status();
    assert.equal(progress.total, values.length);
    assert.equal(spec.spawns, true);
    const seen = new Set<number>();
    for await (const { index } of job.results({ ordered: false })) seen.add(index);
    assert.equal(seen.size, values.length);
  });

  test('takes a range, values of every kind, and blobs by name', async () => {
    const task = async (input: unknown, ctx: TaskContext): Promise<unknown> => {
      if (typeof input === 'number') {
        ctx.spawn(new Map([[input, new Date(input)]]));
        ctx.spawn(undefined);
        ctx.spawn(await ctx.blob(new Uint8Array(100_000).fill(input)));
        return input;
      }
      if (input instanceof Map) return input.get(1)?.getTime() ?? [...input.keys()][0];
      if (input === undefined) return 'nothing';
      return (await ctx.blob((input as { sha256: string }).sha256))[99_999];
    };
    const values = await (await farm.map(task, range(1, 3), { spawns: true })).values();
    assert.deepEqual(values.map(String).sort(), ['1', '1', '1', '2', '2', '2', 'nothing', 'nothing']);
  });

  test('gets nothing of an attempt that failed', async () => {
    const task = async (n: number, ctx: TaskContext): Promise<string> => {
      ctx.spawn(n + 1);
      if (n === 1) ctx.spawn(() => 'no value');
      return ctx.key;
    };
    const job = await farm.map(task, [0], { spawns: true, maxFailures: 100, retries: 1 }).then(async (running) => {
      for await (const record of running.results()) if (record.index > 20) await running.cancel();
      return running;
    });
    const records = await job.settled();
    assert.equal(records.length, 2);
    assert.equal(records[1]?.status, 'failed');
    assert.match(String(records[1]?.status === 'failed' && records[1].error.message), /function/);
  });

  test('keeps to what it said', async () => {
    const fails = async (task: (n: number, ctx: TaskContext) => unknown, options: object, message: RegExp) => {
      const job = await farm.map(task, [1], options);
      await assert.rejects(job.values(), { message });
    };
    await fails((_, ctx) => ctx.spawn(1), {}, /: ctx\.spawn is for jobs that were submitted with the option spawns/);
    await fails(
      (_, ctx) => {
        for (let i = 0; i <= 4_096; i++) ctx.spawn(i);
      },
      { spawns: true },
      /: ctx\.spawn: a task adds at most 4096 others; give some of them several inputs to spread$/,
    );
    await fails((_, ctx) => ctx.spawn(() => 1), { spawns: true }, /: ctx\.spawn: its input is a function/);
    await fails(
      (_, ctx) => ctx.spawn('x'.repeat(200_000)),
      { spawns: true },
      /: ctx\.spawn: the inputs that a task adds have at most 128 KiB together; store what is large by ctx\.blob, and spawn its name$/,
    );
    await assert.rejects(
      farm.map((n: number) => n, [1], { spawns: 'yes' as never }),
      /the option spawns must be true or false/,
    );
  });

  test('grows by four thousand from one task, and by one from each of a thousand', async () => {
    const wide = (n: number, ctx: TaskContext): number => {
      if (n === 0) for (let i = 0; i < 4_096; i++) ctx.spawn(i + 1);
      else if (n % 4 === 0) ctx.spawn(n + 4_097);
      return n;
    };
    const values = await (await farm.map(wide, [0], { spawns: true })).values();
    assert.equal(new Set(values).size, values.length);
    assert.equal(values.length, 1 + 4_096 + 1_024);
  });
});
