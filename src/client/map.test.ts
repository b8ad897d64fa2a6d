import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientFarm, moduleFiles } from '../../test/support/client-farm.ts';
import { waitFor } from '../../test/support/wait.ts';
import { INPUTS_AHEAD } from '../model/client-limits.ts';
import type { TaskCodeError } from './code/task-code-error.ts';
import { FarmError } from './farm-error.ts';
import { range } from './range.ts';
import { TaskError } from './task-error.ts';

const suite = { after };
const { farm, connectAgain } = await clientFarm(suite);

const square = (n: number): number => n * n;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('inputs', () => {
  test('an array, also an empty one, and one of many blocks', async () => {
    assert.deepEqual(await (await farm.map(square, [3, 4])).values(), [9, 16]);
    assert.deepEqual(await (await farm.map(square, [])).values(), []);
    assert.deepEqual(await (await farm.map(square, upTo(20_000))).values(), upTo(20_000).map(square));
  });

  test('a range, which excludes its end and may go down', async () => {
    assert.deepEqual(await (await farm.map(square, range(3, 6))).values(), [9, 16, 25]);
    assert.deepEqual(await (await farm.map(square, range(0, 0))).values(), []);
    assert.deepEqual(await (await farm.map((n: number) => n, range(2, -2, -1.5))).values(), [2, 0.5, -1]);
  });

  test('an iterable and an async iterable, which are told when nothing more is wanted', async () => {
    const over: string[] = [];
    function* some(): Generator<number> {
      try {
        yield* [1, 2, 3];
      } finally {
        over.push('iterable');
      }
    }
    async function* later(): AsyncGenerator<number> {
      try {
        yield* some();
        await sleep(10);
        yield 4;
      } finally {
        over.push('async');
      }
    }
    assert.deepEqual(await (await farm.map(square, some())).values(), [1, 4, 9]);
    assert.deepEqual(await (await farm.map(square, later())).values(), [1, 4, 9, 16]);
    assert.deepEqual(await (await farm.map(square, new Set([5]))).values(), [25]);
    assert.deepEqual(over, ['iterable', 'iterable', 'async']);
  });

  test('of an async iterable run while more is waited for', async () => {
    const go = Promise.withResolvers<void>();
    async function* patient(): AsyncGenerator<number> {
      yield 1;
      await go.promise;
      yield 2;
    }
    const job = await farm.map(square, patient());
    const results = job.results();
    assert.deepEqual(await results.next(), { done: false, value: { index: 0, status: 'done', value: 1, attempts: 1 } });
    go.resolve();
    assert.equal((await results.next()).value?.index, 1);
    assert.equal((await results.next()).done, true);
  });

  for (const kind of ['iterable', 'async iterable'] as const) {
    test(`an ${kind} without end is pulled no further than a bound ahead of a slow reader`, async () => {
      let pulled = 0;
      let over = false;
      function* endless(): Generator<number> {
        try {
          for (;;) yield pulled++;
        } finally {
          over = true;
        }
      }
      async function* endlessLater(): AsyncGenerator<number> {
        yield* endless();
      }
      const job = await farm.map((n: number) => n, kind === 'iterable' ? endless() : endlessLater());
      let read = 0;
      for await (const record of job.results()) {
        assert.equal(record.index, read);
        read += 1;
        if (read % 1_000 === 0) await sleep(10);
        // The first block is looked at before anybody reads.
        assert.ok(pulled <= read + INPUTS_AHEAD + 2 * 4_096, `${pulled} were pulled when ${read} had been read`);
        if (read === 20_000) break;
      }
      await job.cancel();
      await job.submitted;
      assert.ok(over);
      assert.equal((await job.status()).progress.state, 'cancelled');
    });
  }

  test('that go wrong midway cancel the job and are told by whoever waits for it', async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error('the source has dried up');
    }
    const job = await farm.map(square, broken());
    await assert.rejects(job.values(), /the source has dried up/);
    await assert.rejects(job.submitted, /the source has dried up/);
    await assert.rejects(async () => {
      for await (const _ of job.results());
    }, /the source has dried up/);
    assert.equal((await job.status()).progress.state, 'cancelled');
  });

  test('that are no inputs are refused before there is a job', async () => {
    for (const nothing of [undefined, null, 7, 'abc', {}]) {
      await assert.rejects(farm.map(square, nothing as unknown as number[]), /inputs must be an array, a range/);
    }
    assert.throws(() => range(5, 1), /range\(5, 1\) leads away from its end: swap the first two/);
    assert.throws(() => range(0, Number.NaN), /range: stop must be a finite number, but is NaN/);
    assert.throws(() => range(0, 1, 0), /step must not be 0/);
    assert.throws(() => range(0, 1e300), /more than 2\^53/);
  });
});

describe('tasks', () => {
  const module = moduleFiles(suite, {
    'square.ts': 'import { twice } from "./inner.ts";\nexport default (n: number): number => twice(n) * n / 2;\n',
    'inner.ts': 'export const twice = (n: number): number => n + n;\n',
    'thrower.ts': [
      'interface Input {',
      '  deep: number;',
      '}',
      '',
      'function inner(input: Input): never {',
      "  throw new RangeError('no ' + input.deep);",
      '}',
      '',
      'export default (input: Input): unknown => inner(input);',
    ].join('\n'),
    'nameless.ts': 'export const square = (n: number) => n * n;\n',
    'throws.ts': '\nthrow new Error("no licence here");\nexport default () => 1;\n',
    'broken.ts': 'export default () => {\n  return 1 +;\n};\n',
  });

  test('a module in TypeScript brings what it imports', async () => {
    const job = await farm.map<(n: number) => number>(module('square.ts'), [3]);
    assert.deepEqual(await job.values(), [9]);
  });

  test('a failure in a module is told with the lines that its author wrote', async () => {
    const job = await farm.map(module('thrower.ts'), [{ deep: 7 }]);
    const error = await job.values().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof TaskError);
    assert.equal(error.message, `task 0 of job ${job.id} failed: RangeError: no 7`);
    assert.deepEqual([error.job, error.index, error.kind, error.attempts], [job.id, 0, 'error', 1]);
    assert.deepEqual([error.cause.name, error.cause.message], ['RangeError', 'no 7']);
    assert.match(error.cause.stack ?? '', /at inner \(.*thrower\.ts:6:9\)\n.*thrower\.ts:9:\d+/);
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      name: 'RangeError',
      message: 'no 7',
      stack: error.cause.stack,
      kind: 'error',
    });
  });

  test('an inline function may use what the language has and nothing from around it', async () => {
    const outer = 3;
    const refused = await farm.map((n: number) => n * outer, [1]).catch((error: unknown) => error);
    assert.equal((refused as TaskCodeError).name, 'TaskCodeError');
    assert.match(
      (refused as TaskCodeError).message,
      /uses outer, which is defined outside of it .*pass it in the input/,
    );
    const job = await farm.map(async (n: number) => (await import('node:path')).join('a', String(n)), [1]);
    assert.deepEqual(await job.values(), ['a/1']);
  });

  const refused: [string, RegExp][] = [
    ['nameless.ts', /nameless\.ts has no default export.*export default square/],
    ['broken.ts', /does not compile: broken\.ts:2:\d+: Unexpected ";"/],
    ['absent.ts', /absent\.ts does not exist/],
  ];
  for (const [name, says] of refused) {
    test(`a module that can't be one is refused before there is a job: ${name}`, async () => {
      await assert.rejects(farm.map(module(name), [1]), says);
      await assert.rejects(farm.run(module(name), 1), says);
    });
  }

  test('a module that throws when it is loaded fails each task and says so', async () => {
    const job = await farm.map(module('throws.ts'), [1, 2]);
    const error = await job.values().catch((thrown: unknown) => thrown as TaskError);
    assert.match((error as TaskError).message, /throws\.ts.*no licence here/);
    assert.match((error as TaskError).cause.stack ?? '', /throws\.ts:2/);
    assert.deepEqual(
      (await job.settled()).map(({ status }) => status),
      ['failed', 'failed'],
    );
  });

  test('what is neither a function nor an address is refused', async () => {
    await assert.rejects(
      farm.map('./task.ts' as unknown as URL, [1]),
      /a task is a function, or a module given as new URL/,
    );
    await assert.rejects(farm.map(new URL('https://example.com/a.ts'), [1]), /must be a file on this machine/);
  });

  test('have a context', async () => {
    const job = await farm.map(
      (_: string, context) => ({
        index: context.index,
        key: context.key,
        attempt: typeof context.attempt,
        aborted: context.signal.aborted,
      }),
      ['a', 'b'],
      { name: 'contexts' },
    );
    const [first, second] = await job.values();
    assert.deepEqual([first?.index, second?.index, first?.attempt, first?.aborted], [0, 1, 'string', false]);
    assert.notEqual(first?.key, second?.key);
    assert.equal((await job.status()).spec.name, 'contexts');
  });
});

describe('results', () => {
  const flaky = (n: number): number => {
    if (n % 3 === 1) throw new Error(`no ${n}`);
    return n;
  };

  test('settled() gives a record of each task, values() the first failure', async () => {
    const job = await farm.map(flaky, [0, 1, 2], { maxFailures: 10 });
    const records = await job.settled();
    assert.deepEqual(
      records.map((record) => [record.index, record.status, record.status === 'done' ? record.value : '']),
      [
        [0, 'done', 0],
        [1, 'failed', ''],
        [2, 'done', 2],
      ],
    );
    const [, failed] = records;
    assert.ok(failed?.status === 'failed' && failed.error instanceof TaskError && failed.attempts === 1);
    await assert.rejects(job.values(), /task 1 of job \d+ failed: Error: no 1/);
    assert.equal((await job.ended()).state, 'failed');
  });

  test('come in order, or as they are ready, each once', async () => {
    const slowFirst = async (n: number): Promise<number> => {
      if (n === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      return n;
    };
    // A second worker would run them beside it; with one slot they wait for it.
    const job = await farm.map(slowFirst, upTo(9_000));
    const ordered: number[] = [];
    for await (const { index } of job.results()) ordered.push(index);
    assert.deepEqual(ordered, upTo(9_000));
    const unordered = new Set<number>();
    for await (const { index } of job.results({ ordered: false })) unordered.add(index);
    assert.equal(unordered.size, 9_000);
  });

  test('defined: true gives only the hits, in both orders', async () => {
    const job = await farm.map((n: number) => (n % 1_000 === 7 ? n : undefined), range(0, 10_000));
    const hits = upTo(10).map((i) => i * 1_000 + 7);
    for (const ordered of [true, false]) {
      const found: unknown[] = [];
      for await (const record of job.results({ defined: true, ordered })) {
        found.push(record.status === 'done' ? record.value : record.status);
      }
      assert.deepEqual(found.sort(), hits.sort());
    }
  });

  for (const ordered of [true, false]) {
    test(`${ordered ? 'ordered' : 'unordered'} ones are taken up by a cursor in another program, nothing twice, nothing lost`, async () => {
      const job = await farm.map((n: number) => n, upTo(10_000));
      const seen: number[] = [];
      let cursor: string | undefined;
      while (seen.length < 10_000) {
        const program = await connectAgain();
        const stream = program.job(job.id).results({ ordered, ...(cursor !== undefined && { after: cursor }) });
        for await (const { index } of stream) {
          seen.push(index);
          if (seen.length % 3_333 === 0) break;
        }
        cursor = stream.cursor;
        await program.close();
      }
      if (ordered) assert.deepEqual(seen, upTo(10_000));
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        upTo(10_000),
      );
    });
  }

  test('F-13: leaving a stream closes it, and the job goes on', async () => {
    const job = await farm.map(square, upTo(5_000));
    const stream = job.results();
    for await (const record of stream) if (record.index === 3) break;
    assert.equal((await stream.next()).done, true);
    assert.equal((await job.ended()).done, 5_000);
  });

  test('of a job that does not exist, or a cursor that is none, are refused in one sentence', async () => {
    const nobody = farm.job(999_999);
    await assert.rejects(nobody.values(), (error) => error instanceof FarmError && error.code === 'unknown');
    await assert.rejects(nobody.results().next(), /there is no job 999999/);
    await assert.rejects(nobody.status(), /there is no job 999999/);
    assert.throws(() => nobody.results({ after: 'page 3' }), /is not a cursor of results/);
    assert.throws(() => farm.job(0), /a job's id is a whole number from 1 up, not 0/);
  });

  test('reduce() folds them in order', async () => {
    const job = await farm.map((n: number) => n, range(0, 5_000));
    assert.equal(await job.reduce((sum, n) => sum + n), 12_497_500);
    assert.equal(await job.reduce((text, n, index) => (index < 3 ? `${text}${n}` : text), '>'), '>012');
    const empty = await farm.map((n: number) => n, []);
    assert.equal(await empty.reduce((sum, n) => sum + n, 7), 7);
    await assert.rejects(
      empty.reduce((sum, n) => sum + n),
      /has no tasks to reduce: give an initial value/,
    );
    const failing = await farm.map(flaky, [0, 2, 1], { maxFailures: 10 });
    await assert.rejects(
      failing.reduce((sum, n) => sum + n),
      /task 2 of job/,
    );
  });

  test('values() after retry() are those of the newest generation', async () => {
    // The worker has one slot, whose process remembers.
    const once = (n: number): string => {
      const memory = globalThis as { tried?: boolean };
      if (n === 1 && memory.tried !== true) {
        memory.tried = true;
        throw new Error('not yet');
      }
      return 'there';
    };
    const job = await farm.map(once, [0, 1, 2], { maxFailures: 10 });
    await assert.rejects(job.values(), /not yet/);
    assert.equal((await job.ended()).failed, 1);
    await job.retry();
    await waitFor(async () => (await job.status()).progress.endedAt, { what: 'the second end' });
    assert.deepEqual(await job.values(), ['there', 'there', 'there']);
    assert.deepEqual(
      (await job.settled()).map((record) => [record.index, record.status]),
      [
        [0, 'done'],
        [1, 'done'],
        [2, 'done'],
      ],
    );
  });
});
