import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wire } from '../../../test/support/http.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';

const farm = await ServedFarm.start({ after });
const octets = { 'content-type': 'application/octet-stream' };
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const put = (sha256: string, body: Uint8Array | AsyncIterable<Uint8Array>, headers: Record<string, string> = {}) =>
  farm.ask('PUT', `/v1/blobs/${sha256}`, { token: farm.tokens.work, headers: { ...octets, ...headers }, body });
const get = (sha256: string, headers: Record<string, string> = {}) =>
  farm.ask('GET', `/v1/blobs/${sha256}`, { headers });
const head = (sha256: string) => farm.ask('HEAD', `/v1/blobs/${sha256}`);
const partials = () => readdirSync(path.join(farm.server.dataDir, 'blobs', 'partial'));

test('bytes go up and come back as they were, also none and many', async () => {
  for (const size of [0, 1, 100_000, 5_000_000]) {
    const bytes = randomBytes(size);
    const sha256 = hash(bytes);
    assert.equal((await get(sha256)).status, 404);
    assert.equal((await put(sha256, bytes)).status, 201);
    const again = await put(sha256, bytes);
    assert.equal(again.status, 200, 'it was here already');
    const answer = await get(sha256);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(bytes));
    assert.deepEqual([answer.headers['content-length'], answer.headers.etag], [`${size}`, `"${sha256}"`]);
    const known = await head(sha256);
    assert.deepEqual([known.status, known.headers['content-length'], known.body.length], [200, `${size}`, 0]);
  }
  assert.deepEqual(partials(), []);
});

test('bytes without a length, part by part, are as good', async () => {
  const parts = Array.from({ length: 40 }, () => randomBytes(10_000));
  const sha256 = hash(Buffer.concat(parts));
  async function* slowly() {
    for (const part of parts) {
      yield part;
      await sleep(1);
    }
  }
  assert.equal((await put(sha256, slowly())).status, 201);
  assert.ok((await get(sha256)).body.equals(Buffer.concat(parts)));
});

test('bytes that have another SHA-256 are refused, and nothing of them is kept', async () => {
  const sha256 = hash(Buffer.from('right'));
  const answer = await put(sha256, Buffer.from('wrong'));
  assert.equal(answer.status, 400);
  assert.match(answer.text, new RegExp(`the bytes named ${sha256} have the SHA-256 ${hash(Buffer.from('wrong'))}`));
  assert.equal((await get(sha256)).status, 404);
  assert.equal((await head(sha256)).headers['upload-offset'], '0');
  assert.deepEqual(partials(), []);
});

test('ranges: from, to, the last, beyond, none, several', async () => {
  const bytes = randomBytes(3_000_000);
  const sha256 = hash(bytes);
  await put(sha256, bytes);
  const size = bytes.length;
  const cases: [string, number, number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=0-999999', 0, 1_000_000],
    ['bytes=1000001-2500000', 1_000_001, 2_500_001],
    ['bytes=2999999-', 2_999_999, size],
    ['bytes=-5', size - 5, size],
    ['bytes=-99999999', 0, size],
    ['bytes=10-99999999', 10, size],
  ];
  for (const [range, start, end] of cases) {
    const answer = await get(sha256, { range });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.headers['content-range'], `bytes ${start}-${end - 1}/${size}`, range);
    assert.equal(answer.headers['content-length'], `${end - start}`);
    assert.ok(answer.body.equals(bytes.subarray(start, end)), range);
  }
  for (const range of ['bytes=3000000-', 'bytes=5-4', 'bytes=-0']) {
    const answer = await get(sha256, { range });
    assert.deepEqual([answer.status, answer.headers['content-range']], [416, `bytes */${size}`], range);
  }
  for (const range of ['bytes=0-1,5-6', 'lines=0-1', 'bytes=-', 'bytes', 'nonsense', 'bytes=a-b']) {
    assert.deepEqual([(await get(sha256, { range })).status, range], [200, range], 'the whole is allowed');
  }
});

test('an upload in parts goes on where HEAD says; a wrong place is told the right one', async () => {
  const bytes = randomBytes(1_000_000);
  const sha256 = hash(bytes);
  const part = (first: number, end: number, total = bytes.length) =>
    put(sha256, bytes.subarray(first, end), { 'content-range': `bytes ${first}-${end - 1}/${total}` });
  const first = await part(0, 400_000);
  assert.deepEqual([first.status, first.headers['upload-offset']], [202, '400000']);
  const kept = await head(sha256);
  assert.deepEqual([kept.status, kept.headers['upload-offset']], [404, '400000']);
  assert.equal((await get(sha256)).status, 404, 'a part is no blob');
  for (const start of [0, 399_999, 400_001]) {
    const wrong = await part(start, 500_000);
    assert.deepEqual(
      [wrong.status, wrong.headers['upload-offset'], (wrong.json as { offset: number }).offset],
      [409, '400000', 400_000],
    );
  }
  assert.equal((await part(400_000, 1_000_000)).status, 201);
  assert.ok((await get(sha256)).body.equals(bytes));
  assert.deepEqual([(await head(sha256)).headers['upload-offset'], partials().length], [undefined, 0]);
  assert.equal((await part(0, 10)).status, 200, 'it is whole already');
});

test('an upload whose bytes are all here, but whose end nobody heard of, is asked for its end', async () => {
  const bytes = randomBytes(100_000);
  const sha256 = hash(bytes);
  const end = () => put(sha256, Buffer.alloc(0), { 'content-range': `bytes */${bytes.length}` });
  const early = await end();
  assert.deepEqual([early.status, early.headers['upload-offset']], [409, '0']);
  // As a server that is killed at the very end leaves it.
  writeFileSync(path.join(farm.server.dataDir, 'blobs', 'partial', sha256), bytes);
  assert.equal((await end()).status, 201);
  assert.ok((await get(sha256)).body.equals(bytes));
  assert.equal((await end()).status, 200);
});

test('parts whose numbers do not fit are refused', async () => {
  const sha256 = hash(Buffer.from('0123456789'));
  for (const range of [
    'bytes 5-4/10',
    'bytes 0-10/10',
    'bytes 0-9/*',
    'bytes */10',
    '0-9/10',
    'bytes 0-9',
    'bytes -1-9/10',
    'bytes 0-4/10',
  ]) {
    const answer = await put(sha256, Buffer.from('0123456789'), { 'content-range': range });
    assert.equal(answer.status, 400, range);
  }
  const wrong = await put(sha256, Buffer.from('012345678X'), { 'content-range': 'bytes 0-9/10' });
  assert.equal(wrong.status, 400);
  assert.equal((await head(sha256)).headers['upload-offset'], '0', 'nothing of it is kept');
  assert.deepEqual(partials(), []);
});

test('an upload that is cut off goes on from what arrived', async () => {
  const bytes = randomBytes(2_000_000);
  const sha256 = hash(bytes);
  const wire = await Wire.open(farm.port);
  wire.write(
    `PUT /v1/blobs/${sha256} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.submit}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  );
  wire.write(bytes.subarray(0, 1_234_567));
  await sleep(100);
  wire.close();
  const offset = await waitFor(async () => Number((await head(sha256)).headers['upload-offset']), {
    what: 'what is kept',
  });
  assert.ok(offset > 0 && offset <= 1_234_567);
  const rest = await put(sha256, bytes.subarray(offset), {
    'content-range': `bytes ${offset}-${bytes.length - 1}/${bytes.length}`,
  });
  assert.equal(rest.status, 201);
  assert.ok((await get(sha256)).body.equals(bytes));
});

test('ten uploads of one blob at once make one blob', async () => {
  const bytes = randomBytes(500_000);
  const sha256 = hash(bytes);
  const answers = await Promise.all(Array.from({ length: 10 }, () => put(sha256, bytes)));
  for (const { status, text } of answers) assert.ok(status === 200 || status === 201, text);
  assert.ok((await get(sha256)).body.equals(bytes));
  assert.deepEqual(partials(), []);
});

test('who asks first sends a body only when it is wanted', async () => {
  const bytes = randomBytes(1_000);
  const sha256 = hash(bytes);
  const open = async (token: string) => {
    const wire = await Wire.open(farm.port);
    wire.write(
      `PUT /v1/blobs/${sha256} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nExpect: 100-continue\r\n` +
        `Content-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    await waitFor(() => wire.status, { what: 'an answer' });
    return wire;
  };
  const refused = await open(farm.tokens.read);
  assert.match(await refused.end(), /^HTTP\/1\.1 403 /, 'and nothing before it');
  const welcome = await open(farm.tokens.work);
  assert.equal(welcome.status, 100);
  welcome.write(bytes);
  await waitFor(() => /HTTP\/1\.1 201 /.test(welcome.text), { what: 'the end of the upload' });
  welcome.close();
});

test('T-7: what people uploaded is never a page: not shown, not guessed at, not run, not embedded', async () => {
  const pages = [
    '<!doctype html><script>alert(1)</script>',
    '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    '%PDF-1.4',
    'GIF89a/*',
    'alert(1)',
    '\ufeff<html>',
  ];
  const wanted = {
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'cross-origin-resource-policy': 'same-origin',
    'content-type': 'application/octet-stream',
  };
  for (const page of pages) {
    const bytes = Buffer.from(page);
    const sha256 = hash(bytes);
    assert.equal(
      (await farm.ask('PUT', `/v1/blobs/${sha256}`, { headers: { 'content-type': 'text/html' }, body: bytes })).status,
      415,
    );
    await put(sha256, bytes);
    for (const headers of [{}, { range: 'bytes=0-3' }, { accept: 'text/html' }]) {
      const answer = await get(sha256, headers as Record<string, string>);
      for (const [name, value] of Object.entries(wanted)) assert.equal(answer.headers[name], value, name);
    }
  }
});

test('T-7: neither are inputs, results and logs of tasks', async () => {
  await farm.join();
  const evil = '<script>alert(1)</script>';
  const code = `export default (x) => { console.log(x); return x.length > 20 ? new TextEncoder().encode(x) : x; };`;
  const job = await farm.submit({ code, name: evil, inputs: [evil, '<b>'] });
  const { message } = await farm.begin(`/v1/jobs/${job}/results?follow`);
  message.resume();
  await new Promise((resolve) => message.once('end', resolve));
  const paths = [
    '/tasks/0/input',
    '/tasks/1/input',
    '/tasks/0/output',
    '/tasks/1/output',
    '/results',
    '/logs',
    '/tasks/0',
    '',
  ];
  for (const each of paths) {
    const { headers, status } = await farm.ask('GET', `/v1/jobs/${job}${each}`, {
      headers: { accept: 'text/html,*/*' },
    });
    assert.equal(status, 200, each);
    assert.match(headers['content-type'] ?? '', /^application\/(json|x-ndjson|octet-stream)$/, each);
    assert.equal(`${headers['x-content-type-options']}`, 'nosniff', each);
    assert.match(`${headers['content-security-policy']}`, /default-src 'none'.*sandbox/, each);
    if (/input|output|results/.test(each)) assert.match(headers['content-disposition'] ?? '', /^attachment/, each);
  }
});
