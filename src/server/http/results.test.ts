import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { linesOf } from '../../../test/support/described.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';
import { BLOCK_TASKS, INLINE_VALUE_BYTES } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });
await farm.join(2);
const ndjson = { 'content-type': 'application/x-ndjson' };

interface Line {
  readonly index: number;
  readonly status: string;
  readonly value?: unknown;
  readonly error?: { name: string; message: string; stack?: string };
  readonly attempts?: number;
  readonly cursor?: string;
}

const results = async (job: number, query = '') => {
  const answer = await farm.ask('GET', `/v1/jobs/${job}/results?${query}`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/x-ndjson');
  return linesOf(answer.text) as Line[];
};
const records = (lines: readonly Line[]) => lines.filter(({ cursor }) => cursor === undefined);
const cursors = (lines: readonly Line[]) => lines.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor]));
const sorted = (lines: readonly Line[]) => [...records(lines)].sort((a, b) => a.index - b.index);
const ended = async (job: number) =>
  await waitFor(async () => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress.state !== 'active', {
    what: 'the end of the job',
    timeout: 30_000,
  });

/** Some results are undefined, some failures, some large, in more than one block. */
const mixed = `export default (x) => {
  if (x % 1000 === 7) throw new RangeError('no ' + x);
  if (x % 3 === 0) return undefined;
  if (x % 2000 === 5) return 'x'.repeat(${INLINE_VALUE_BYTES + 1});
  if (x % 2000 === 11) return new Uint8Array(${INLINE_VALUE_BYTES + 2}).fill(x);
  return x % 1000 === 1 ? new Date(x) : { x };
};`;
const count = BLOCK_TASKS + 900;
const job = await farm.submit({ code: mixed, range: { start: 0, step: 1, count }, maxFailures: 1_000 });

function expected(x: number): Line {
  if (x % 1000 === 7)
    return { index: x, status: 'failed', attempts: 1, error: { name: 'RangeError', message: `no ${x}` } };
  if (x % 3 === 0) return { index: x, status: 'done' };
  if (x % 2000 === 5) return { index: x, status: 'done', value: 'x'.repeat(INLINE_VALUE_BYTES + 1) };
  if (x % 2000 === 11) {
    const base64 = Buffer.alloc(INLINE_VALUE_BYTES + 2, x).toString('base64');
    return {
      index: x,
      status: 'done',
      value: {
        $mh: [
          ['Uint8Array', 1],
          ['ArrayBuffer', base64],
        ],
      },
    };
  }
  return { index: x, status: 'done', value: x % 1000 === 1 ? { $mh: [['Date', new Date(x).toISOString()]] } : { x } };
}

function withoutStack({ error, ...rest }: Line): Line {
  if (error === undefined) return rest;
  assert.match(error.stack ?? '', /RangeError: no \d+\n {4}at /);
  return { ...rest, error: { name: error.name, message: error.message } };
}

const all = Array.from({ length: count }, (_, x) => expected(x));

describe('results of a job', () => {
  test('only failures, in either order, and of a job that was retried only those of the last time', async () => {
    const failures = all.filter(({ status }) => status === 'failed');
    assert.ok(failures.length > 3);
    for (const order of ['index', 'completion'])
      assert.deepEqual(sorted(await results(job, `failed&follow&order=${order}`)).map(withoutStack), failures);
    const told = await results(job, 'failed&order=completion&cursors');
    const whole = await results(job, 'order=completion&cursors');
    assert.equal(cursors(told).at(-1), cursors(whole).at(-1), 'cursors go on where nothing is told');
    const code = `export default (n) => { if (n % 4 === 0 || n === 5) throw new Error('no ' + n); return n; };`;
    const again = await farm.submit({ code, inputs: [0, 1, 2, 3, 4, 5], maxFailures: 99 });
    await ended(again);
    const before = await results(again, 'failed&order=completion');
    await farm.json('POST', `/v1/jobs/${again}/retry`);
    await ended(again);
    const after = await results(again, 'failed&order=completion');
    assert.deepEqual(
      [before, after].map((lines) => sorted(lines).map(({ index }) => index)),
      [
        [0, 4, 5],
        [0, 4, 5],
      ],
      'each of them is told once',
    );
  });

  test('in index order, followed to the end', async () => {
    const lines = await results(job, 'follow');
    assert.deepEqual(lines.map(withoutStack), all);
    await ended(job);
    assert.deepEqual((await results(job)).map(withoutStack), all, 'and read again without following');
  });
  test('in the order of completion', async () => {
    await ended(job);
    const lines = await results(job, 'order=completion');
    assert.deepEqual(sorted(lines).map(withoutStack), all);
  });
  for (const order of ['index', 'completion']) {
    test(`from each cursor of ${order} order on, nothing twice and nothing missing`, async () => {
      await ended(job);
      const lines = await results(job, `order=${order}&cursors`);
      const given = cursors(lines);
      assert.ok(given.length > 2, `${given.length} cursors`);
      assert.equal(lines.at(-1)?.cursor, given.at(-1));
      const picked = given.filter((_, i) => i % Math.ceil(given.length / 6) === 0);
      for (const cursor of picked) {
        const rest = records(lines.slice(lines.findIndex((line) => line.cursor === cursor)));
        // A text is compared at once, which a list of thousands of objects is not.
        const told = JSON.stringify(rest);
        assert.equal(JSON.stringify(await results(job, `order=${order}&after=${cursor}`)), told, cursor);
        assert.equal(JSON.stringify(await results(job, `after=${cursor}`)), told, 'the cursor knows its order');
      }
      assert.deepEqual(await results(job, `after=${given.at(-1)}&follow`), []);
      const [again] = await results(job, `after=${given.at(-1)}&cursors`);
      assert.deepEqual(again, { cursor: given.at(-1) });
    });
    test(`only what is defined, in ${order} order`, async () => {
      await ended(job);
      const lines = await results(job, `order=${order}&defined&cursors`);
      const wanted = all.filter(({ status, value }) => status === 'failed' || value !== undefined);
      assert.deepEqual(sorted(lines).map(withoutStack), wanted);
      const cursor = cursors(lines)[Math.floor(cursors(lines).length / 2)] as string;
      const rest = records(lines.slice(lines.findIndex((line) => line.cursor === cursor)));
      assert.deepEqual(await results(job, `order=${order}&defined&after=${cursor}`), rest);
    });
  }
});

test('an open job is followed as its inputs come, and a reader that was cut goes on with its cursor', async () => {
  const open = await farm.submit({ code: 'export default (x) => x + 1;', open: true });
  const add = async (from: number, values: number[]) => {
    const answer = await farm.ask('POST', `/v1/jobs/${open}/inputs?from=${from}`, {
      headers: ndjson,
      body: values.join('\n'),
    });
    assert.equal(answer.status, 200, answer.text);
  };
  const { message } = await farm.begin(`/v1/jobs/${open}/results?follow&cursors`);
  let seen = '';
  message.on('data', (part) => (seen += part));
  message.on('error', () => {});
  await add(0, [1, 2, 3]);
  const [, cursor] = await waitFor(() => /"index":2,.*\n\{"cursor":"(i\d+)"\}\n/s.exec(seen), {
    what: 'the third result',
  });
  assert.equal(cursor, 'i3');
  message.destroy();
  await add(3, [4, 5]);
  const rest = farm.ask('GET', `/v1/jobs/${open}/results?follow&after=${cursor}`);
  await waitFor(async () => (await results(open)).length === 5, { what: 'the other results' });
  assert.equal((await farm.ask('POST', `/v1/jobs/${open}/close`)).status, 200);
  const values = linesOf((await rest).text).map((line) => (line as Line).value);
  assert.deepEqual(values, [5, 6], 'the answer ends with the job');
});

test('without following, an answer ends before the first task that has not ended, or with what is recorded', async (t) => {
  const idle = await ServedFarm.start(t);
  const waiting = await idle.submit({ code: 'export default 1', inputs: [1, 2] });
  for (const order of ['index', 'completion']) {
    const answer = await idle.ask('GET', `/v1/jobs/${waiting}/results?order=${order}&cursors`);
    assert.deepEqual(linesOf(answer.text), [{ cursor: order === 'index' ? 'i0' : 'c0' }]);
  }
  const empty = await idle.submit({ code: 'export default 1', inputs: [] });
  assert.equal((await idle.ask('GET', `/v1/jobs/${empty}/results?follow`)).text, '');
  await idle.json('POST', `/v1/jobs/${waiting}/cancel`);
  for (const order of ['index', 'completion']) {
    assert.equal((await idle.ask('GET', `/v1/jobs/${waiting}/results?follow&order=${order}`)).text, '');
  }
});

test('after a retry each task is told once in index order, and in the order of completion the newest last', async () => {
  const code = "export default (until) => { if (Date.now() < until) throw new Error('early'); return 'now'; };";
  const id = await farm.submit({ code, inputs: [0, Date.now() + 800, 0], maxFailures: 5 });
  await ended(id);
  assert.deepEqual(
    (await results(id)).map(({ status }) => status),
    ['done', 'failed', 'done'],
  );
  const before = cursors(await results(id, 'order=completion&cursors')).at(-1);
  await waitFor(async () => {
    const { progress } = await farm.json<JobView>('GET', `/v1/jobs/${id}`);
    if (progress.state === 'failed') await farm.json('POST', `/v1/jobs/${id}/retry`);
    return progress.state === 'done';
  });
  assert.deepEqual(
    (await results(id)).map(({ index, status }) => [index, status]),
    [
      [0, 'done'],
      [1, 'done'],
      [2, 'done'],
    ],
  );
  const newer = await results(id, `after=${before}`);
  assert.deepEqual([newer.at(-1)?.index, newer.at(-1)?.status], [1, 'done']);
});

test('cursors are those of this order; other queries are refused in a sentence', async () => {
  for (const [query, expected] of [
    ['order=index&after=c1', /c1 is not a cursor of index order/],
    ['order=completion&after=i1', /i1 is not a cursor of completion order/],
    ['after=7', /after must match/],
    ['after=i99999999999999999999', /after must match/],
    ['after=i9999999999999999', /is not a cursor/],
    ['order=sideways', /order must be "index" or "completion"/],
    ['follow=maybe', /follow must be boolean/],
    ['cursor=i1', /no query parameter "cursor"/],
  ] as const) {
    const answer = await farm.ask('GET', `/v1/jobs/${job}/results?${query}`);
    assert.equal(answer.status, 400, query);
    assert.match((answer.json as { detail: string }).detail, expected);
  }
});

test('a reader may stop in the middle of a large answer, many times, and the server keeps nothing of it', async () => {
  await ended(job);
  const streams = async () =>
    Number(/^manyhands_connections (\d+)/m.exec((await farm.ask('GET', '/metrics')).text)?.[1]);
  const before = await streams();
  for (let i = 0; i < 20; i++) {
    const { message } = await farm.begin(`/v1/jobs/${job}/results`);
    await new Promise((resolve) => message.once('data', resolve));
    message.destroy();
  }
  await waitFor(async () => (await streams()) <= before, { what: 'the connections to be gone' });
  assert.equal((await farm.ask('POST', '/v1/jobs', jsonBody({ code: 'export default 1', inputs: [] }))).status, 201);
});
