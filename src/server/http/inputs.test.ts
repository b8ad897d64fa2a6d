import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wire } from '../../../test/support/http.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';
import { BLOCK_TASKS, INLINE_VALUE_BYTES } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });
const code = 'export default (x) => x;';
const ndjson = { 'content-type': 'application/x-ndjson' };

const open = () => farm.submit({ code, open: true });
const add = (job: number, body: string | Uint8Array | AsyncIterable<string | Uint8Array>, from?: number) =>
  farm.ask('POST', `/v1/jobs/${job}/inputs${from === undefined ? '' : `?from=${from}`}`, { headers: ndjson, body });
const close = (job: number, total?: number) =>
  farm.ask('POST', `/v1/jobs/${job}/close`, total === undefined ? {} : jsonBody({ total }));
const progress = async (job: number) => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress;
const inputOf = async (job: number, index: number) =>
  (await farm.ask('GET', `/v1/jobs/${job}/tasks/${index}/input`)).text;
const lines = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ n: first + i })}\n`).join('');

test('an open job takes inputs as lines of JSON, in several requests, until it is closed', async () => {
  const job = await open();
  assert.deepEqual((await add(job, '1\n"two"\n')).json, { job, from: 0, count: 2, total: 2 });
  assert.deepEqual((await add(job, '{"three": [3]}\r\nnull', 2)).json, { job, from: 2, count: 2, total: 4 });
  assert.deepEqual((await add(job, '', 4)).json, { job, from: 4, count: 0, total: 4 });
  assert.deepEqual([await inputOf(job, 0), await inputOf(job, 1), await inputOf(job, 3)], ['1', '"two"', 'null']);
  assert.deepEqual(JSON.parse(await inputOf(job, 2)), { three: [3] });
  assert.equal((await progress(job)).open, true);
  const closed = (await close(job, 4)).json as JobView;
  assert.deepEqual([closed.progress.open, closed.progress.total], [false, 4]);
});

test('a job of many blocks is sent in one stream', async () => {
  const job = await open();
  const count = 3 * BLOCK_TASKS + 17;
  async function* stream() {
    for (let first = 0; first < count; first += 500) yield lines(first, Math.min(500, count - first));
  }
  assert.deepEqual((await add(job, stream())).json, { job, from: 0, count, total: count });
  for (const index of [0, BLOCK_TASKS - 1, BLOCK_TASKS, count - 1])
    assert.equal(await inputOf(job, index), `{"n":${index}}`);
});

test('a cut upload goes on from where the server says, or from anywhere before', async () => {
  const job = await open();
  const whole = lines(0, 2 * BLOCK_TASKS + 100);
  const wire = await Wire.open(farm.port);
  const head = [
    `POST /v1/jobs/${job}/inputs HTTP/1.1`,
    `Host: 127.0.0.1:${farm.port}`,
    `Authorization: Bearer ${farm.tokens.submit}`,
    'Content-Type: application/x-ndjson',
    `Content-Length: ${whole.length}`,
  ];
  wire.write(`${head.join('\r\n')}\r\n\r\n${whole.slice(0, whole.length - 500)}`);
  const kept = await waitFor(async () => (await progress(job)).total, { what: 'the first blocks' });
  wire.close();
  assert.ok(kept >= BLOCK_TASKS && kept < 2 * BLOCK_TASKS + 100, `${kept}`);
  // What has been read and not been stored when the connection breaks may still be added or not.
  await sleep(50);
  const { total } = await progress(job);
  const gap = await add(job, '1\n', total + 5);
  assert.deepEqual([gap.status, (gap.json as { total: number }).total], [409, total]);
  assert.match(gap.text, new RegExp(`job ${job} has ${total} inputs: go on from there`));
  const rest = await add(job, lines(total - 70, 2 * BLOCK_TASKS + 100 - (total - 70)), total - 70);
  assert.equal((rest.json as { total: number }).total, 2 * BLOCK_TASKS + 100);
  assert.equal((await add(job, whole)).status, 200, 'all of it once more');
  assert.equal((await progress(job)).total, 2 * BLOCK_TASKS + 100);
  for (const index of [0, total - 1, total, 2 * BLOCK_TASKS + 99])
    assert.equal(await inputOf(job, index), `{"n":${index}}`);
});

test('another value at a place that is taken is a conflict, and changes nothing', async () => {
  const job = await open();
  await add(job, lines(0, 10));
  const other = await add(job, `${lines(0, 5)}{"n":"other"}\n`);
  assert.equal(other.status, 409);
  assert.match(
    (other.json as { detail: string }).detail,
    /^input 5 of job \d+ is stored already and is another value$/,
  );
  assert.equal((other.json as { total: number }).total, 10);
  assert.equal(await inputOf(job, 5), '{"n":5}');
  const both = await Promise.all(Array.from({ length: 6 }, () => add(job, lines(10, 3_000), 10)));
  assert.ok(both.some(({ status }) => status === 200));
  for (const { status, text } of both) assert.ok(status === 200 || status === 409, text);
  assert.equal((await add(job, lines(10, 3_000), 10)).status, 200);
  assert.equal((await progress(job)).total, 3_010);
});

test('a broken line is numbered; what stood before it is added when the lines are sent again', async () => {
  const cases: [string | Uint8Array, number, RegExp][] = [
    ['1\n2\n{"a":\n4\n', 3, /^line 3 is not JSON: at column 6 the text ends where a value should be$/],
    ['1\nnope\n', 2, /^line 2 is not JSON: at column 1 there is "n" where a value should be$/],
    ['1\n\n3\n', 2, /^line 2 is empty: one JSON value a line$/],
    ['1\n   \n', 2, /^line 2 is empty/],
    ['1\n[1, 2\n3]\n', 2, /^line 2 is not JSON: at column 6 the text ends/],
    ['1\n{"$mh":[["Map",9]]}\n{"$mh":[["No"]]}', 2, /^line 2/],
    [`1\n${'['.repeat(1_001)}${']'.repeat(1_001)}\n`, 2, /^line 2 is nested deeper than 1000 levels$/],
    [Buffer.concat([Buffer.from('1\n2\n"'), Buffer.from([0xff]), Buffer.from('"\n')]), 3, /^line 3 is not UTF-8$/],
    [`${lines(0, BLOCK_TASKS + 10)}x`, BLOCK_TASKS + 11, /^line 4107 is not JSON/],
  ];
  for (const [body, line, expected] of cases) {
    const job = await open();
    const answer = await add(job, body);
    const told = answer.json as { detail: string; line: number; total: number };
    assert.equal(answer.status, 400, answer.text);
    assert.match(told.detail, expected);
    assert.equal(told.line, line);
    assert.equal(told.total, (await progress(job)).total);
    assert.ok(told.total < line);
  }
});

test('a broken line is told also to those who are still sending', async () => {
  const job = await open();
  let sent = 0;
  async function* endless() {
    yield '1\nbroken\n';
    for (; sent < 200; sent++) {
      await sleep(10);
      yield lines(0, 1_000);
    }
  }
  const answer = await add(job, endless());
  assert.equal(answer.status, 400);
  assert.match(answer.text, /line 2 is not JSON/);
  assert.ok(sent < 200, 'it was told before all had been sent');
});

test('values that JSON cannot say come in their tagged form; large ones become blobs', async () => {
  const job = await open();
  const long = JSON.stringify('x'.repeat(INLINE_VALUE_BYTES + 1));
  const date = '{"$mh":[["Date","1970-01-01T00:00:00.000Z"]]}';
  const bytes = (length: number) =>
    `{"$mh":[["Uint8Array",1],["ArrayBuffer","${Buffer.alloc(length, 7).toString('base64')}"]]}`;
  const body = [date, '{"$mh":-1}', bytes(3), long, bytes(INLINE_VALUE_BYTES + 1), long].join('\n');
  assert.equal((await add(job, body)).status, 200);
  assert.equal((await add(job, body)).status, 200, 'the same once more');
  assert.deepEqual([await inputOf(job, 0), await inputOf(job, 1), await inputOf(job, 3)], [date, '{"$mh":-1}', long]);
  for (const [index, length] of [
    [2, 3],
    [4, INLINE_VALUE_BYTES + 1],
  ] as const) {
    const answer = await farm.ask('GET', `/v1/jobs/${job}/tasks/${index}/input`);
    assert.deepEqual(
      [answer.headers['content-type'], answer.body.equals(Buffer.alloc(length, 7))],
      ['application/octet-stream', true],
    );
  }
  const { input } = await farm.json<{ input: object }>('GET', `/v1/jobs/${job}/tasks/3`);
  assert.deepEqual({ ...input, blob: undefined }, { blob: undefined, size: long.length, type: 'json' });
});

test('a byte order mark, lines without an end, and characters cut between two parts are read as text', async () => {
  const job = await open();
  const bytes = Buffer.from('\ufeff"漢字"\n"😀"');
  async function* byByte() {
    for (const byte of bytes) {
      yield Uint8Array.of(byte);
      await sleep(1);
    }
  }
  assert.equal((await add(job, byByte())).status, 200);
  assert.deepEqual([await inputOf(job, 0), await inputOf(job, 1)], ['"漢字"', '"😀"']);
});

test('what is closed, or a range, takes no more; closing says how many were meant', async () => {
  const job = await open();
  await add(job, lines(0, 3));
  for (const total of [2, 4]) assert.equal((await close(job, total)).status, 400, `${total}`);
  assert.equal((await close(job)).status, 200);
  assert.equal((await close(job, 3)).status, 200, 'once more');
  assert.equal((await close(job, 4)).status, 400);
  const ended = await open();
  await farm.json('POST', `/v1/jobs/${ended}/cancel`);
  assert.equal((await close(ended, 4)).status, 409);
  assert.equal((await add(ended, '1\n')).status, 409);
  assert.equal((await add(job, lines(0, 3))).status, 200, 'what is there already');
  const more = await add(job, lines(3, 1), 3);
  assert.deepEqual([more.status, (more.json as { total: number }).total], [409, 3], more.text);
  assert.match(more.text, /is closed: it takes no more inputs/);
  const range = await farm.submit({ code, range: { start: 0, step: 1, count: 5 } });
  assert.match((await add(range, '1\n')).text, /the inputs of job \d+ are a range/);
  assert.equal((await add(999_999, '1\n')).status, 404);
  assert.equal((await close(999_999)).status, 404);
  assert.equal((await farm.ask('POST', `/v1/jobs/${job}/inputs`, jsonBody([1]))).status, 415);
  assert.equal((await farm.ask('POST', `/v1/jobs/${job}/close`, { headers: ndjson, body: '1' })).status, 415);
  assert.equal((await add(job, '1\n', -1)).status, 400);
});
