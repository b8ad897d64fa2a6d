import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { clientFarm } from '../../test/support/client-farm.ts';
import { waitFor, within } from '../../test/support/wait.ts';
import { FarmError } from './farm-error.ts';
import type { JobOptions } from './job-options.ts';
import { range } from './range.ts';
import { TaskError } from './task-error.ts';

const { farm, worker, connectAgain } = await clientFarm({ after }, { labels: { gpu: 'none' }, resources: { lens: 2 } });

const identity = (n: number): number => n;
const slow = async (n: number): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return n;
};

async function failureOf(waiting: Promise<unknown>): Promise<TaskError> {
  const error = await waiting.then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof TaskError, String(error));
  return error;
}

describe('options', () => {
  test('retries run a failed task again, and records tell how often', async () => {
    const third = (_: number, context: { key: string }): number => {
      const memory = globalThis as { tries?: Map<string, number> };
      memory.tries ??= new Map();
      const tries = (memory.tries.get(context.key) ?? 0) + 1;
      memory.tries.set(context.key, tries);
      if (tries < 3) throw new Error(`try ${tries}`);
      return tries;
    };
    const job = await farm.map(third, [0, 1], { retries: 2 });
    assert.deepEqual(await job.values(), [3, 3]);
    assert.deepEqual(
      (await job.settled()).map((record) => record.status === 'done' && record.attempts),
      [3, 3],
    );
    const error = await failureOf((await farm.map(third, [0], { retries: 1 })).values());
    assert.deepEqual([error.attempts, error.cause.message, error.cause.cause], [2, 'try 2', undefined]);
  });

  test('a failure says why, as far as the task said it', async () => {
    const fetches = (): never => {
      throw new TypeError('fetch failed', { cause: new Error('connect EACCES') });
    };
    const error = await failureOf((await farm.map(fetches, [0])).values());
    assert.ok(error.cause.cause instanceof Error);
    assert.equal(error.cause.cause.message, 'connect EACCES');
    const { cause } = JSON.parse(JSON.stringify(error)) as { cause: unknown };
    assert.deepEqual(cause, { name: 'Error', message: 'connect EACCES' });
  });

  test('maxFailures ends a job early; without it, twenty first failures do', async () => {
    const bad = (n: number): number => {
      throw new Error(`no ${n}`);
    };
    const job = await farm.map(bad, range(0, 100_000), { maxFailures: 3 });
    const { state, failed, reason } = await job.ended();
    assert.equal(state, 'failed');
    assert.ok(failed >= 4 && failed < 100_000, `${failed} failed`);
    assert.match(reason ?? '', /fail/);
    assert.equal((await (await farm.map(bad, range(0, 100_000))).ended()).state, 'failed');
    const records = await job.settled();
    assert.equal(records.length, 100_000);
    assert.equal(records.at(-1)?.status, 'cancelled');
  });

  test('timeout ends an attempt, and only that', async () => {
    const stuck = async (n: number): Promise<number> => (n === 1 ? new Promise<number>(() => {}) : n);
    const job = await farm.map(stuck, [0, 1, 2], { timeout: 300, maxFailures: 5 });
    const [first, second, third] = await job.settled();
    assert.deepEqual([first?.status, third?.status], ['done', 'done']);
    assert.ok(second?.status === 'failed' && second.error.kind === 'timeout');
    assert.match(second.error.message, /task 1 of job \d+ ran out of time/);
  });

  test('a task whose process dies is told with its exit code', async () => {
    const job = await farm.map((n: number) => (n === 1 ? process.exit(7) : n), [0, 1, 2], { maxFailures: 5 });
    const [first, second, third] = await job.settled();
    assert.deepEqual([first?.status, third?.status], ['done', 'done']);
    assert.ok(second?.status === 'failed');
    assert.deepEqual([second.error.kind, second.error.exitCode], ['crash', 7]);
    assert.match(second.error.message, /task 1 of job \d+ crashed/);
  });

  test('memory ends the task that takes more, and only that', async () => {
    const greedy = (n: number): number => {
      const held: Uint8Array[] = [];
      while (n === 1) held.push(new Uint8Array(8 << 20).fill(1));
      return n;
    };
    const job = await farm.map(greedy, [0, 1, 2], { memory: 160 << 20, maxFailures: 5 });
    const [first, second, third] = await job.settled();
    assert.deepEqual([first?.status, third?.status], ['done', 'done']);
    assert.ok(second?.status === 'failed' && second.error.kind === 'memory', JSON.stringify(second));
  });

  test('requires, cpus, memory and resources choose workers', async () => {
    const fits: JobOptions[] = [
      { requires: { gpu: 'none' } },
      { cpus: 1 },
      { memory: 64 << 20 },
      { resources: { lens: 2 } },
    ];
    for (const options of fits) assert.deepEqual(await (await farm.map(identity, [1], options)).values(), [1]);
    const fitsNot: JobOptions[] = [
      { requires: { gpu: 'big' } },
      { cpus: 64 },
      { memory: 2 ** 50 },
      { resources: { lens: 3 } },
    ];
    for (const options of fitsNot) {
      const job = await farm.map(identity, [1], options);
      await farm.run(identity, 1);
      assert.equal((await job.status()).progress.done, 0);
      await job.cancel();
    }
  });

  test('priority goes first', async () => {
    const low = await farm.map(slow, range(0, 500), { priority: -5 });
    const high = await farm.map(slow, range(0, 10), { priority: 5 });
    await high.values();
    assert.ok((await low.status()).progress.done < 250);
    await low.cancel();
    assert.equal((await high.status()).spec.priority, 5);
  });

  test('F-17: the same idempotencyKey is the same job, in another program too, also if the inputs were cut off', async () => {
    const inputs = Array.from({ length: 30_000 }, (_, i) => i);
    const options = { idempotencyKey: 'the first of May' };
    const first = await farm.map(identity, inputs, options);
    const other = await connectAgain();
    const second = await other.map(identity, inputs, options);
    assert.equal(second.id, first.id);
    assert.deepEqual(await second.values(), inputs);
    assert.deepEqual((await first.status()).progress.total, 30_000);
    await Promise.allSettled([first.submitted, second.submitted]);

    // A program that dies while it sends leaves its job open; the next goes on.
    async function* cut(): AsyncGenerator<number> {
      yield* inputs.slice(0, 7_000);
      await new Promise(() => {});
    }
    const dying = await connectAgain();
    const half = await dying.map(identity, cut(), { idempotencyKey: 'cut' });
    await waitFor(async () => (await half.status()).progress.total >= 4_096, { what: 'a part of the inputs' });
    const whole = await farm.map(identity, inputs, { idempotencyKey: 'cut' });
    assert.equal(whole.id, half.id);
    assert.deepEqual(await whole.values(), inputs);

    await assert.rejects(
      farm.map(slow, inputs, options),
      (error) => error instanceof FarmError && error.code === 'conflict' && /belongs to job/.test(error.message),
    );
    await assert.rejects(
      farm.map(identity, [1, 2], options),
      /the idempotencyKey belongs to job \d+, which has 30000 inputs, not 2/,
    );
    assert.equal((await first.status()).progress.state, 'done');
  });

  const wrong: [unknown, RegExp][] = [
    [{ retries: -1 }, /^the option retries must be a whole number from 0 to 1000, but is -1$/],
    [{ timeout: '30s' }, /^the option timeout must be a whole number of milliseconds from 1 up, but is "30s"$/],
    [{ timeout: 0.5 }, /the option timeout .*, but is 0\.5/],
    [{ priority: 5_000 }, /the option priority .*-1000 to 1000/],
    [{ cpus: 0 }, /the option cpus must be a number above 0/],
    [{ memory: Number.NaN }, /the option memory .*bytes.*NaN/],
    [{ requires: { os: 1 } }, /the option requires must be an object of texts.*\{"os":1\}/],
    [{ resources: { gpu: -1 } }, /the option resources/],
    [{ weight: Number.POSITIVE_INFINITY }, /the option weight/],
    [{ maxFailures: 1.5 }, /the option maxFailures/],
    [{ idempotencyKey: '' }, /the option idempotencyKey must be a text of 1 to 256/],
    [{ name: 5 }, /the option name must be a text, but is 5/],
    [{ fenced: 'yes' }, /the option fenced must be true or false/],
    [{ signal: {} }, /the option signal must be an AbortSignal/],
    [{ retires: 1 }, /^there is no option "retires"; there are name, /],
  ];
  test('that the server would not take are refused before anything is sent', async () => {
    for (const [options, says] of wrong) {
      const refused = (error: unknown): boolean => error instanceof TypeError && says.test(error.message);
      await assert.rejects(farm.map(identity, [1], options as JobOptions), refused);
      await assert.rejects(farm.run(identity, 1, options as JobOptions), refused);
    }
    assert.deepEqual(await farm.run(identity, 1, { retries: undefined } as unknown as JobOptions), 1);
    const long = await farm.map(identity, [1], { name: 'n'.repeat(1_000) });
    assert.equal((await long.status()).spec.name.length, 256);
  });
});

describe('a job', () => {
  test('S8: cancel() is final, and its values say so', async () => {
    const job = await farm.map(slow, range(0, 1_000));
    await job.results().next();
    await job.cancel();
    const progress = await job.ended();
    assert.equal(progress.state, 'cancelled');
    const error = await failureOf(job.values());
    assert.deepEqual([error.kind, error.attempts], ['cancelled', 0]);
    const { done } = (await job.status()).progress;
    await farm.run(identity, 1);
    assert.equal((await job.status()).progress.done, done);
    assert.equal((await job.settled()).filter(({ status }) => status === 'cancelled').length, 1_000 - done);
    await job.cancel();
  });

  test('a signal cancels it, before it was submitted too, and whoever waits gets its reason', async () => {
    const control = new AbortController();
    const job = await farm.map(slow, range(0, 1_000), { signal: control.signal });
    const values = job.values();
    await job.results().next();
    control.abort(new Error('enough'));
    await assert.rejects(values, /^Error: enough$/);
    assert.equal((await job.ended().catch((error: unknown) => error)) instanceof Error, true);
    assert.equal((await job.status()).progress.state, 'cancelled');
    await assert.rejects(farm.map(slow, [1], { signal: control.signal }), /^Error: enough$/);
    await assert.rejects(farm.run(slow, 1, { signal: control.signal }), /^Error: enough$/);

    const late = new AbortController();
    const over = await farm.map(identity, [1], { signal: late.signal });
    await over.values();
    late.abort();
    assert.deepEqual(await over.values(), [1]);
  });

  test('pauses and goes on', async () => {
    const job = await farm.map(slow, range(0, 40));
    await job.pause();
    await farm.run(identity, 1);
    const { state, done } = (await job.status()).progress;
    assert.equal(state, 'paused');
    await farm.run(identity, 2);
    assert.ok((await job.status()).progress.done <= done + 2);
    await job.resume();
    assert.equal((await job.values()).length, 40);
    await assert.rejects(job.pause(), /has ended \(done\): there is nothing to pause/);
  });

  test('tells its progress until its end, to several', async () => {
    const job = await farm.map(slow, range(0, 50));
    const [a, b] = await Promise.all(
      [job, farm.job(job.id)].map(async (each) => {
        const reports: number[] = [];
        for await (const { progress } of each.progress()) reports.push(progress.done);
        return reports;
      }),
    );
    for (const reports of [a, b]) {
      assert.ok(reports !== undefined && reports.length >= 2);
      assert.equal(reports.at(-1), 50);
      assert.deepEqual(
        reports,
        reports.toSorted((x, y) => x - y),
      );
    }
    for await (const { progress } of job.progress()) assert.equal(progress.state, 'done');
  });

  test('is found again by its id, read by several at once, and forgotten', async () => {
    const { id } = await farm.map(identity, [1, 2, 3]);
    const other = (await connectAgain()).job<number>(id);
    const all = await Promise.all([farm.job<number>(id).values(), other.values(), other.reduce((a, b) => a + b)]);
    assert.deepEqual(all, [[1, 2, 3], [1, 2, 3], 6]);
    await other.forget();
    await assert.rejects(other.values(), /there is no job/);
  });

  test('that was lost with its worker goes on when there is one again', async () => {
    const job = await farm.map(slow, range(0, 10));
    for (const pid of worker.taskPids) process.kill(pid, 'SIGKILL');
    assert.deepEqual((await within(job.settled(), 20_000, 'the job')).length, 10);
  });
});
