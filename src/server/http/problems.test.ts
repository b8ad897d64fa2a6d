import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '../../../test/support/described.ts';
import { Wire } from '../../../test/support/http.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { JSON_BODY_BYTES } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });
const json = { 'content-type': 'application/json' };

interface Told {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly line?: number;
  readonly column?: number;
  readonly error?: string;
}

/** The problem in a bare answer. */
function problemIn(answer: string): Told {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  assert.match(head, /content-type: application\/problem\+json/i, answer);
  assert.match(head, /x-content-type-options: nosniff/i);
  return JSON.parse(body) as Told;
}

async function tell(bytes: string): Promise<string> {
  const wire = await Wire.open(farm.port);
  wire.write(bytes);
  return await wire.end();
}

test('malformed JSON is told with its line and column, whatever it is sent to', async () => {
  const takers = routes.filter(({ body }) => body?.type === 'application/json');
  assert.ok(takers.length >= 4);
  for (const { method, path: address } of takers) {
    for (const [body, line, column] of [
      ['{"code": nope}', 1, 10],
      ['{\n  "code": "x",\n  "inputs": [1, 2,]\n}', 3, 19],
      ['{"code": "x"', 1, 13],
      ["{'code': 1}", 1, 2],
      ['\n\n}', 3, 1],
    ] as const) {
      const answer = await farm.ask(method, address.replace(/:\w+/g, '1'), { headers: json, body });
      const { status, detail, ...told } = answer.json as Told;
      assert.deepEqual([status, told.line, told.column], [400, line, column], answer.text);
      assert.match(
        detail,
        new RegExp(`^the body is not JSON: at line ${line}, column ${column} (there is|the text ends)`),
      );
    }
  }
});

test('bodies that are not text, too deep, empty or of the wrong kind are told so', async () => {
  const cases: [string | Uint8Array, Record<string, string>, number, RegExp][] = [
    [Buffer.from([0x7b, 0xff, 0x7d]), json, 400, /^the body is not UTF-8$/],
    ['['.repeat(5_000_000), json, 400, /^the body is nested deeper than 1000 levels$/],
    ['', json, 400, /^the body must be object$/],
    ['null', json, 400, /^the body must be object$/],
    ['{}', {}, 415, /^send the header Content-Type: application\/json$/],
    ['{}', { 'content-type': 'text/json' }, 415, /application\/json, not text\/json$/],
    ['{}', { 'content-type': 'Application/JSON; charset=utf-8' }, 400, /^the body needs code$/],
  ];
  for (const [body, headers, status, expected] of cases) {
    const answer = await farm.ask('POST', '/v1/jobs', { headers, body });
    assert.equal(answer.status, status, answer.text);
    assert.match((answer.json as Told).detail, expected);
  }
});

describe('a body that is too large', () => {
  const expected = new RegExp(`^the body has more than ${JSON_BODY_BYTES} bytes: upload inputs as NDJSON$`);
  const head = `POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.submit}\r\nContent-Type: application/json\r\n`;
  test('is refused by its length, before it is sent', async () => {
    const wire = await Wire.open(farm.port);
    wire.write(`${head}Content-Length: ${JSON_BODY_BYTES + 1}\r\n\r\n{`);
    while (!wire.text.includes('\r\n\r\n{')) await sleep(5);
    assert.match(problemIn(wire.text).detail, expected);
    assert.equal(wire.status, 413);
    wire.close();
  });
  test('is refused once it has been sent without a length, and the sender hears it', async () => {
    async function* endless() {
      const part = Buffer.alloc(1_000_000, ' ');
      for (let i = 0; i < 40; i++) yield part;
    }
    const answer = await farm.ask('POST', '/v1/jobs', { headers: json, body: endless() });
    assert.equal(answer.status, 413);
    assert.match((answer.json as Told).detail, expected);
  });
  test('and one of just that length is read', async () => {
    const start = '{"code":"x","inputs":["';
    const body = `${start}${'x'.repeat(JSON_BODY_BYTES - start.length - 3)}"]}`;
    assert.equal(Buffer.byteLength(body), JSON_BODY_BYTES);
    assert.equal((await farm.ask('POST', '/v1/jobs', { headers: json, body })).status, 201);
  });
});

test('what is not there is 404, what is not done there 405 with what is', async () => {
  for (const address of [
    '/v1',
    '/v1/',
    '/v1/nothing',
    '/v1/jobs/1/nothing',
    '/v1/jobs/1/tasks',
    '/v2/jobs',
    '/nothing',
    '/v1/jobs%2f1',
    '//v1/jobs',
    '/v1/%',
    '/favicon.png',
  ]) {
    const answer = await farm.ask('GET', address);
    assert.equal(answer.status, 404, address);
    const { detail, title, type, code } = answer.json as Told;
    assert.deepEqual(
      [detail, title, type, code],
      [`there is nothing at ${address}`, 'Not here', 'urn:manyhands:unknown', 'unknown'],
    );
  }
  const wrong = await farm.ask('PATCH', '/v1/jobs');
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'POST, GET']);
  assert.equal((wrong.json as Told).detail, 'PATCH is not for /v1/jobs: use POST, GET');
  const socket = await farm.ask('GET', '/v1/worker');
  assert.deepEqual([socket.status, socket.headers.upgrade], [426, 'websocket']);
  assert.match((socket.json as Told).detail, /^\/v1\/worker is a WebSocket: open it as one$/);
});

test('P1: what is no HTTP, too much of it, or no WebSocket is told so and cut', async () => {
  const head = `Host: localhost\r\nAuthorization: Bearer ${farm.tokens.admin}\r\n`;
  const upgrade = `GET /v1/client HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n`;
  const protocol = 'Sec-WebSocket-Protocol: manyhands.client.v1\r\n';
  const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n`;
  const cases: [string, number, RegExp][] = [
    ['\x16\x03\x01\x02\x00\x01\x00', 400, /^this is not HTTP/],
    ['SSH-2.0-OpenSSH_9.6\r\n\r\n', 400, /^this is not HTTP/],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431, /^the headers are too large$/],
    [
      `POST /v1/jobs HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      /^this is not HTTP/,
    ],
    [`POST /v1/jobs HTTP/1.1\r\n${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400, /^this is not HTTP/],
    [`${upgrade}${protocol}\r\n`, 400, /^no WebSocket: .*Sec-WebSocket-Key/],
    [`${upgrade}${protocol}${key}Sec-WebSocket-Version: 7\r\n\r\n`, 400, /^no WebSocket: .*Version/],
    [
      `${upgrade}Sec-WebSocket-Version: 13\r\n${key}\r\n`,
      400,
      /^offer a subprotocol of this server: manyhands.client.v1$/,
    ],
    [`${upgrade.replace('client', 'nothing')}${protocol}\r\n`, 404, /^there is no socket at \/v1\/nothing$/],
    [`${upgrade.replace('GET', 'POST')}${protocol}\r\n`, 405, /^a socket is opened with GET$/],
  ];
  for (const [bytes, status, expected] of cases) {
    const told = problemIn(await tell(bytes));
    assert.equal(told.status, status, bytes);
    assert.match(told.detail, expected);
  }
});

test('nothing is written into an answer that has begun: it is cut, so that it does not look whole', async () => {
  const wire = await Wire.open(farm.port);
  wire.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.read}\r\n\r\n`);
  while (!wire.text.includes('boundary')) await sleep(5);
  wire.write('this is no HTTP\r\n\r\n');
  const answer = await wire.end();
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, answer);
  assert.ok(!answer.endsWith('0\r\n\r\n'));
});

test('who offers another protocol than WebSocket is answered in this one', async () => {
  const answer = await tell(
    `GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.read}\r\n` +
      'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
});

test('T-29: a fault of ours has a number instead of a story, and nothing says what we are made of', async () => {
  // A blob that is a link to itself is something that no caller could have caused.
  const name = 'c'.repeat(64);
  symlinkSync(name, path.join(farm.server.dataDir, 'blobs', name));
  const answer = await farm.ask('GET', `/v1/blobs/${name}`);
  const told = answer.json as Told;
  assert.equal(answer.status, 500);
  assert.match(told.detail, /^the server made a mistake; its log has the story under [0-9a-f]{8}$/);
  assert.ok(told.detail.endsWith(told.error ?? '?'));
  assert.doesNotMatch(answer.text, /ELOOP|node:|\.ts|stack|manyhands-/);
  for (const [method, address] of [
    ['GET', '/healthz'],
    ['GET', '/v1/jobs'],
    ['GET', '/nothing'],
    ['POST', '/v1/jobs'],
  ] as const) {
    const { headers } = await farm.ask(method, address);
    assert.deepEqual([headers.server, headers['x-powered-by'], headers.via], [undefined, undefined, undefined]);
  }
});

test('T-29: health says ok and nothing else, to anybody; metrics only to those who may read', async () => {
  const health = await farm.ask('GET', '/healthz', { token: null });
  assert.deepEqual([health.status, health.text, health.headers['content-type']], [200, 'ok\n', 'text/plain']);
  const head = await farm.ask('HEAD', '/healthz', { token: null });
  assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', '3']);
  assert.equal((await farm.ask('GET', '/metrics', { token: null })).status, 401);
  assert.equal((await farm.ask('GET', '/metrics', { token: farm.tokens.work })).status, 403);
});

test('metrics are in the text format of Prometheus, and count', async () => {
  const read = async () => {
    const answer = await farm.ask('GET', '/metrics', { token: farm.tokens.read });
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    return answer.text;
  };
  const before = samplesOf(await read());
  await farm.ask('POST', '/v1/jobs', jsonBody({ code: 'export default 1', inputs: [1] }));
  await farm.ask('GET', '/v1/jobs/424242');
  const later = samplesOf(await read());
  const grew = (name: string) => (later.get(name) ?? 0) - (before.get(name) ?? 0);
  assert.equal(grew('manyhands_jobs_open'), 1);
  assert.equal(grew('manyhands_http_request_seconds_count{method="POST",route="/v1/jobs",status="201"}'), 1);
  assert.equal(grew('manyhands_http_request_seconds_count{method="GET",route="/v1/jobs/:job",status="404"}'), 1);
  assert.ok(grew('manyhands_commits_total') > 0 && (later.get('manyhands_connections') ?? 0) > 0);
});

/** Reads the format strictly: every sample belongs to a described family, has its type's name and a number. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let family = '';
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n')) {
    const described = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (described !== null) {
      family = described[2] as string;
      if (described[1] === 'TYPE') types.set(family, described[3] as string);
      continue;
    }
    if (line === '') continue;
    const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
    const sample = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{${label}(?:,${label})*\\})? (\\S+)$`).exec(line);
    assert.ok(sample !== null, line);
    const [, name = '', value] = sample;
    assert.match(types.get(family) ?? '', /^(counter|gauge|histogram|summary)$/, line);
    const suffix = types.get(family) === 'histogram' ? '(_bucket|_sum|_count)' : '';
    assert.match(name, new RegExp(`^${family}${suffix}$`), `${line} of ${family}`);
    assert.ok(/^[+-]?Inf$/.test(value as string) || !Number.isNaN(Number(value)), line);
    const key = line.slice(0, line.lastIndexOf(' '));
    assert.ok(!samples.has(key), `${key} is there twice`);
    samples.set(key, Number(value));
  }
  assert.ok(samples.size > 30);
  return samples;
}
