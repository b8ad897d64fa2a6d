import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { clientFarm, moduleFiles } from '../../test/support/client-farm.ts';
import { FarmError } from './farm-error.ts';
import { TaskError } from './task-error.ts';

const suite = { after };
const { farm, connectAgain } = await clientFarm(suite);

const double = (n: number): number => n * 2;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The id of the newest job. */
async function newestJob(): Promise<number> {
  return (await farm.map(double, [])).id;
}

describe('farm.run', () => {
  test('2,000 one after the other share one job', async () => {
    const program = await connectAgain();
    const before = await newestJob();
    for (let i = 0; i < 2_000; i++) assert.equal(await program.run(double, i), 2 * i);
    assert.equal(await newestJob(), before + 2);
    const { progress } = await farm.job(before + 1).status();
    assert.deepEqual([progress.total, progress.done, progress.open], [2_000, 2_000, true]);
    await program.close();
    assert.equal((await farm.job(before + 1).status()).progress.state, 'done');
  });

  test('20,000 at once, more than a message holds, also before their job is known', async () => {
    const program = await connectAgain();
    const answers = await Promise.all(upTo(20_000).map((n) => program.run(double, n)));
    assert.deepEqual(answers, upTo(20_000).map(double));
  });

  test('of functions of another text, or with other options, have another job', async () => {
    const before = await newestJob();
    const functions = [(n: number) => n + 1, (n: number) => n + 2];
    const answers = await Promise.all([
      ...functions.map((task) => farm.run(task, 1)),
      farm.run((n: number) => n + 1, 5),
      farm.run((n: number) => n + 1, 5, { priority: 1 }),
    ]);
    assert.deepEqual(answers, [2, 3, 6, 6]);
    assert.equal(await newestJob(), before + 4);
  });

  test('gives undefined, and takes a function without an input', async () => {
    assert.equal(await farm.run(() => undefined), undefined);
    assert.equal(await farm.run(() => 7), 7);
  });

  test('of a module bundles it once', async () => {
    const module = moduleFiles(suite, { 'add.ts': 'export default ([a, b]: [number, number]): number => a + b;\n' });
    const add = module('add.ts');
    assert.deepEqual(await Promise.all([farm.run(add, [1, 2]), farm.run(add, [3, 4])]), [3, 7]);
  });

  test('that fails is one failure, however many there were before it', async () => {
    const picky = (n: number): number => {
      if (n >= 0) return n;
      throw new RangeError(`no ${n}`);
    };
    for (let i = 1; i <= 30; i++) {
      await assert.rejects(
        farm.run(picky, -i),
        (error) => error instanceof TaskError && error.cause.message === `no ${-i}`,
      );
    }
    assert.equal(await farm.run(picky, 5), 5);
  });

  test('of many functions does not remember them all', async () => {
    for (let i = 0; i < 300; i++) {
      const task = new Function('n', `return n + ${i};`) as (n: number) => number;
      assert.equal(await farm.run(task, 1), i + 1);
    }
  });

  test('close() closes what runs shared, rejects who still waits, and is the end', async () => {
    const program = await connectAgain();
    await program.run(double, 1);
    const shared = (await newestJob()) - 1;
    const never = async (n: number): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return n;
    };
    const waiting = [program.run(never, 1), program.run(double, 2)];
    for (const each of waiting) each.catch(() => {});
    const closing = program.close();
    assert.equal(program.close(), closing);
    await closing;
    for (const each of waiting) {
      await assert.rejects(each, (error) => error instanceof FarmError && error.code === 'closed');
    }
    assert.deepEqual((await farm.job(shared).ended()).total, 2);
    await assert.rejects(program.run(double, 1), /the farm was closed by this program: connect\(\) again/);
    await assert.rejects(program.map(double, [1]), /the farm was closed by this program/);
    await assert.rejects(program.job(shared).status(), /the farm was closed by this program/);
  });

  test('await using closes at the end of the block, after the inputs were sent', async () => {
    let id = 0;
    {
      await using program = await connectAgain();
      ({ id } = await program.map(double, upTo(50_000)));
    }
    assert.deepEqual(await farm.job(id).values(), upTo(50_000).map(double));
  });
});
