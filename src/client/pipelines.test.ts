import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import { waitFor } from '../../test/support/wait.ts';
import { startWorker } from '../worker/node/join.ts';
import { connectWith } from './connect.ts';
import { range } from './range.ts';

const server = await LiveServer.start({ after });
const worker = startWorker({ url: server.running.joinUrl, slots: 2 });
after(() => worker.stop());
const farm = await connectWith({ url: server.url, token: server.admin }, undefined);
after(() => farm.close());

const square = (n: number): number => n * n;

describe('R31: a job whose inputs are the results of another', () => {
  test('takes them in the order of its tasks, leaves out what is undefined, and ends after it', async () => {
    const numbers = await farm.map((n: number) => (n % 3 === 0 ? n : undefined), range(0, 10_000));
    const squares = await farm.map(square, numbers);
    const texts = await farm.map((n: number) => `${n}`, squares);
    const expected = Array.from({ length: 3_334 }, (_, i) => `${(3 * i) ** 2}`);
    assert.deepEqual(await texts.values(), expected);
    assert.deepEqual((await squares.status()).progress.total, 3_334);
  });

  test('is begun while the other still runs', async () => {
    const slow = await farm.map(
      async (n: number) => {
        if (n === 3) await new Promise((resolve) => setTimeout(resolve, 60_000));
        return n;
      },
      [0, 1, 2, 3],
    );
    const squares = await farm.map(square, slow);
    const stream = squares.results();
    const got: unknown[] = [];
    for await (const record of stream) {
      if (record.status === 'done') got.push(record.value);
      if (got.length === 3) break;
    }
    assert.deepEqual(got, [0, 1, 4]);
    assert.equal((await slow.status()).progress.done, 3);
    await slow.cancel();
    await waitFor(async () => (await squares.status()).progress.state === 'cancelled');
    assert.match((await squares.status()).progress.reason ?? '', /^job \d+, which it comes after, was cancelled$/);
  });

  test('large values and bytes pass as they are', async () => {
    const made = await farm.map((n: number) => new Uint8Array(n).fill(n % 251), [3, 100_000, 200_000]);
    const sizes = await farm.map((bytes: Uint8Array) => [bytes.length, bytes.at(-1)], made);
    assert.deepEqual(await sizes.values(), [
      [3, 3],
      [100_000, 100_000 % 251],
      [200_000, 200_000 % 251],
    ]);
  });

  test('what has ended is as good, what failed is not, and what is not there is told', async () => {
    const numbers = await farm.map((n: number) => n, [1, 2, 3]);
    await numbers.values();
    assert.deepEqual(await (await farm.map(square, numbers)).values(), [1, 4, 9]);
    const broken = await farm.map((): number => {
      throw new Error('no');
    }, [1]);
    await broken.settled();
    await assert.rejects(farm.map(square, broken), {
      code: 'conflict',
      message: new RegExp(`job ${broken.id} failed: nothing can come after it`),
    });
    await assert.rejects(farm.map(square, farm.job<number>(9_999)), { message: /there is no job 9999 to come after/ });
  });

  test('goes on where it was after a restart of the server', async () => {
    const gate = await farm.map(
      async (n: number) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return n;
      },
      range(0, 400),
    );
    const squares = await farm.map(square, gate);
    await waitFor(async () => (await squares.status()).progress.total > 20);
    await server.restart();
    const expected = Array.from({ length: 400 }, (_, i) => i * i);
    assert.deepEqual(await squares.values(), expected);
  });

  test('takes no other inputs', async () => {
    const slow = await farm.map(() => new Promise<number>(() => {}), [0]);
    const next = await farm.map(square, slow);
    const answer = await server.api('POST', `/v1/jobs/${next.id}/close`, {});
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), new RegExp(`the inputs of job ${next.id} are the results of job ${slow.id}`));
    await slow.cancel();
  });
});

test('R31: a job that comes after others begins when they are done', async () => {
  const wait = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(Date.now()), ms));
  const first = await farm.map(wait, [150]);
  const second = await farm.map(wait, [20]);
  const third = await farm.map(() => Date.now(), [0], { after: [first, second.id] });
  await third.submitted;
  const explained = await server.api('GET', `/v1/jobs/${third.id}/tasks/0/explain`);
  assert.match(await explained.text(), /It comes after job \d+, which has not ended\./);
  const [[one], [two], [three]] = await Promise.all([first.values(), second.values(), third.values()]);
  assert.ok((three as number) >= Math.max(one as number, two as number));
});

test('R31: over plain HTTP, too', async () => {
  const code = 'export default (n) => n + 1;';
  const submit = async (body: object) => (await (await server.api('POST', '/v1/jobs', body)).json()) as { id: number };
  const first = await submit({ code, inputs: [1, 2] });
  const next = await submit({ code, source: first.id });
  assert.deepEqual(await farm.job(next.id).values(), [3, 4]);
  const both = await server.api('POST', '/v1/jobs', { code, source: first.id, inputs: [1] });
  assert.equal(both.status, 400);
});
