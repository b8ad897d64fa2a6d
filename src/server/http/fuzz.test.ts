import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { routes } from '../../../test/support/described.ts';
import { ask, Wire } from '../../../test/support/http.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';

const farm = await ServedFarm.start({ after });
const { port } = farm;
const here = `127.0.0.1:${port}`;

const wild = fc.string({ unit: fc.constantFrom(...'aZ0-.:[]/@#?%,;= \t\0\x7f\x80\xff"\\'), maxLength: 40 });
const tame = fc.string({ unit: fc.constantFrom(...'aZ0-.:[]/@#?%,;="\\'), maxLength: 40 });
const odd = fc.oneof({ weight: 12, arbitrary: tame }, { weight: 1, arbitrary: wild });
const host = fc.oneof(
  { weight: 3, arbitrary: fc.constant(here) },
  fc.constantFrom('evil.test', 'localhost', '[::1]', '127.0.0.1.', '', 'a'.repeat(5_000), '[::ffff:127.0.0.1]'),
  odd,
  odd.map((text) => here + text),
);
const origin = fc.oneof(fc.constantFrom(`http://${here}`, 'null', 'https://evil.test', 'http://', '://'), odd);
const value = fc.oneof(
  odd,
  fc.constantFrom('0', '-1', '1e9', '99999999999999999999', 'chunked', 'gzip, chunked', 'websocket'),
);
const header = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('Host', 'host', 'HOST'), host) },
  fc.tuple(fc.constant('Origin'), origin),
  fc.tuple(
    fc.constantFrom('Sec-Fetch-Site', 'Sec-Fetch-Mode', 'Authorization', 'Upgrade', 'Expect', 'Accept', 'Range'),
    value,
  ),
  {
    weight: 5,
    arbitrary: fc.tuple(
      fc.constantFrom('Content-Type', 'Content-Range', 'Idempotency-Key', 'Last-Event-ID', 'Connection'),
      value,
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('Content-Length', 'Transfer-Encoding', 'Host ', 'TE'), value) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom('Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Sec-WebSocket-Protocol', 'Cookie'),
      value,
    ),
  },
  { weight: 1, arbitrary: fc.tuple(odd, odd) },
);
const target = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...routes.map((route) => route.path.replace(/:\w+/g, '1'))) },
  fc.constantFrom(
    '/v1/jobs?limit=%zz',
    '/v1/worker',
    '/v1/client',
    '*',
    '//',
    '/%',
    '/%00',
    '/v1/../v1/jobs',
    'http://x/',
  ),
  odd.map((text) => `/${text}`),
  odd.map((text) => `/v1/jobs/${text}?${text}`),
);
const head = fc
  .record({
    method: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH') },
      { weight: 1, arbitrary: fc.constantFrom('get', 'CONNECT', '') },
    ),
    target,
    version: fc.oneof(
      { weight: 12, arbitrary: fc.constant('HTTP/1.1') },
      { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', '') },
    ),
    headers: fc
      .tuple(fc.constantFrom([], [['Host', here]]), fc.array(header, { maxLength: 6 }))
      .map((both) => both.flat()),
    ending: fc.oneof(
      { weight: 12, arbitrary: fc.constant('\r\n') },
      { weight: 1, arbitrary: fc.constantFrom('\n', '\r') },
    ),
  })
  .map(({ method, target: at, version, headers, ending }) =>
    [`${method} ${at} ${version}`, ...headers.map(([name, text]) => `${name}: ${text}`), '', ''].join(ending),
  );

/** The status of the answer; 0 where there is none within a moment, since a request may not be whole. */
async function statusOf(bytes: string): Promise<number> {
  const wire = await Wire.open(port);
  wire.write(bytes);
  for (let waited = 0; wire.isOpen && wire.status === 0 && waited < 100; waited += 5) await sleep(waited < 20 ? 1 : 5);
  const { status } = wire;
  wire.close();
  return status;
}

test('T-5: 10,000 sets of headers: the server lives, makes no mistake, and lets nobody in', async () => {
  const seed = 20_261_130;
  const heads = fc.sample(head, { numRuns: 10_000, seed });
  const statuses = new Map<number, number>();
  const public200 =
    /^(GET|HEAD) \/(healthz|join|run|boot|sandbox|assets\/\S*|jobs\/1|jobs\/1\/tasks\/1|workers\/1)?([?#]\S*)? /;
  const next = heads.values();

  const work = async (): Promise<void> => {
    for (const bytes of next) {
      const status = await statusOf(bytes);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status < 400 && status !== 0 && status !== 100) assert.match(bytes, public200);
      assert.ok(status < 500, `${status} to ${JSON.stringify(bytes)}`);
    }
  };
  await Promise.all(Array.from({ length: 64 }, work));
  // Each kind of refusal was met, so the sets are neither all garbage nor all well-formed.
  for (const status of [200, 400, 401, 403, 404, 405])
    assert.ok((statuses.get(status) ?? 0) > 10, `${status}: ${statuses.get(status)}`);
  assert.equal((await farm.ask('GET', '/v1/jobs')).status, 200);
  await waitFor(async () => (await connections()) < 8, { what: 'the connections to be closed' });
});

async function connections(): Promise<number> {
  const { text } = await farm.ask('GET', '/metrics');
  return Number(/^manyhands_connections (\d+)/m.exec(text)?.[1]);
}

/** What changes a prototype where an object is built carelessly. */
const POLLUTION = ['"__proto__":{"x":1}', '"constructor":{"prototype":{"x":1}}', '"prototype":{"x":1}'];

test('T-14: no body, query or path reaches a prototype', async () => {
  const code = 'export default (x) => x';
  const clean = () => assert.equal(({} as Record<string, unknown>)['x'], undefined);
  const told = async (method: string, address: string, body: string, type = 'application/json') => {
    const answer = await farm.ask(method, address, { headers: { 'content-type': type }, body });
    clean();
    return answer;
  };
  for (const evil of POLLUTION) {
    const bodies = [`{${evil}}`, `{"code":"${code}","inputs":[1],${evil}}`, `{"code":{${evil}},"inputs":[1]}`];
    for (const place of ['requires', 'resources', 'range'])
      bodies.push(`{"code":"${code}","open":true,"${place}":{${evil}}}`);
    for (const body of bodies) {
      for (const address of ['/v1/jobs', '/v1/tokens', '/v1/tickets'])
        assert.equal((await told('POST', address, body)).status, 400, body);
    }
    const id = await farm.submit({ code, open: true });
    // A user's value is the user's, and comes back as it was.
    const line = `{${evil}}`;
    assert.equal((await told('POST', `/v1/jobs/${id}/inputs`, `${line}\n`, 'application/x-ndjson')).status, 200);
    assert.equal((await farm.ask('GET', `/v1/jobs/${id}/tasks/0/input`)).text, line);
    const { status, text } = await ask(port, { path: `/v1/jobs/${id}/tasks/0`, token: farm.tokens.read });
    assert.ok(status === 200 && text.includes(`"input":{"value":${line}}`), text);
    const inline = await told('POST', '/v1/jobs', `{"code":"${code}","inputs":[${line}]}`);
    const { id: other } = inline.json as { id: number };
    assert.equal((await farm.ask('GET', `/v1/jobs/${other}/tasks/0/input`)).text, line);
    clean();
  }
  // As names of labels and amounts they would pass for what the shape asks.
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    for (const options of [`"requires":{"${key}":"x"}`, `"resources":{"${key}":1}`]) {
      const answer = await told('POST', '/v1/jobs', `{"code":"${code}","open":true,${options}}`);
      assert.deepEqual([answer.status, answer.text.includes(`the body has the key ${key}`)], [400, true], answer.text);
    }
  }
  for (const name of ['__proto__', 'constructor', 'toString', '__proto__[x]']) {
    assert.equal((await farm.ask('GET', `/v1/jobs?${encodeURIComponent(name)}=1`)).status, 400, name);
    assert.ok([400, 404].includes((await farm.ask('GET', `/v1/jobs/${name}`)).status), name);
    assert.ok([400, 404].includes((await farm.ask('GET', `/v1/${name}`)).status), name);
    clean();
  }
});

test('T-21: no name of a blob, job, worker or file leads out of where it belongs', async () => {
  const blobs = path.join(farm.server.dataDir, 'blobs');
  const before = readdirSync(blobs, { recursive: true });
  const sha = 'a'.repeat(64);
  const names = [
    ...['..', '../..', '%2e%2e', '..%2f..%2fadmin.token', '..%5c..%5cadmin.token', '%2fetc%2fpasswd', 'admin.token'],
    ...[`${sha}/..`, `${sha}%2f..%2f..%2fadmin.token`, `../${sha}`, `${sha}%00`, `${sha}.`, `${sha}a`, sha.slice(1)],
    ...[
      sha.toUpperCase(),
      `A${sha.slice(1)}`,
      `${sha.slice(1)}\u0131`,
      `${sha}%0a`,
      ` ${sha}`,
      `%61${sha}`,
      'partial',
      '..;',
      '',
    ],
  ];
  const more = fc.sample(fc.string({ unit: fc.constantFrom(...'./\\%a2e0fF5c;~:'), minLength: 1, maxLength: 70 }), {
    numRuns: 400,
    seed: 1,
  });
  for (const name of [...names, ...more]) {
    for (const method of ['GET', 'PUT', 'HEAD']) {
      const address = `/v1/blobs/${name.replaceAll(' ', '%20')}`;
      const answer = await farm.ask(method, encodeURI(decodeSafely(address)), jsonBody({}));
      assert.ok([400, 404, 405, 415].includes(answer.status), `${method} ${address}: ${answer.status} ${answer.text}`);
      assert.ok(!answer.text.includes(farm.tokens.admin));
    }
  }
  assert.deepEqual(readdirSync(blobs, { recursive: true }), before);
});

/** What is percent-encoded well stays as it is; the rest is encoded once. */
function decodeSafely(address: string): string {
  return address.replace(/%(?![\da-f]{2})/gi, '%25').replace(/%([\da-f]{2})/gi, '%$1');
}
