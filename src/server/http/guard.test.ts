import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { routes } from '../../../test/support/described.ts';
import { ask, Wire } from '../../../test/support/http.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { SOCKETS } from '../auth/authority.ts';

const farm = await ServedFarm.start({ after }, { publicUrl: 'https://farm.example' });
const { port } = farm;
const here = `127.0.0.1:${port}`;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];
const UPGRADE = [
  ...['connection', 'Upgrade', 'upgrade', 'websocket', 'sec-websocket-version', '13'],
  ...['sec-websocket-key', Buffer.alloc(16).toString('base64'), 'sec-websocket-protocol', 'manyhands.client.v1'],
];
const bearer = ['authorization', `Bearer ${farm.tokens.admin}`];

/** With a good token, so that nothing but the guard can refuse. */
async function statusOf(method: string, path: string, headers: readonly string[]): Promise<number> {
  const { status, upgraded } = await ask(port, { method, path, headers: [...headers, ...bearer] });
  upgraded?.destroy();
  return status;
}

const addresses = [...new Set(routes.map(({ path }) => path))].map((path) =>
  path
    .replace(':sha256', 'a'.repeat(64))
    .replace(':file', 'x.js')
    .replace(/:(job|index)/g, '99')
    .replace(/:\w+/g, 'aa'),
);

/** What a page of somebody else, in the browser of one of us, may come with. Each is enough by itself. */
const foreign: Record<string, readonly string[]> = {
  'a host that is not ours': ['host', `evil.test:${port}`],
  'no host': [],
  'two hosts': ['host', here, 'host', here],
  'an opaque origin': ['host', here, 'origin', 'null'],
  'a foreign origin': ['host', here, 'origin', 'https://evil.test'],
  'two origins': ['host', here, 'origin', `http://${here}`, 'origin', `http://${here}`],
};

describe('T-2, T-3, T-4: the guard stands before every route, method and upgrade', () => {
  for (const address of [...addresses, ...Object.keys(SOCKETS), '/v1/nothing', '/nothing', '/']) {
    test(address, async () => {
      for (const [what, headers] of Object.entries(foreign)) {
        for (const method of METHODS) {
          assert.equal(await statusOf(method, address, headers), 403, `${method} with ${what}`);
          assert.equal(
            await statusOf(method, address, [...headers, ...UPGRADE]),
            403,
            `${method} upgrade with ${what}`,
          );
        }
      }
    });
  }
  test('the same requests without any of that are not refused by it', async () => {
    for (const method of METHODS) assert.notEqual(await statusOf(method, '/v1/jobs', ['host', here]), 403, method);
    assert.equal(await statusOf('GET', '/v1/client', ['host', here, ...UPGRADE]), 101);
  });
});

test('T-3: names that are not ours do not get in, however they are written', async () => {
  const refused = [
    'evil.test',
    `evil.test:${port}`,
    `127.0.0.1.:${port}`,
    `localhost.:${port}`,
    `localhost.evil.test:${port}`,
    `evil.test.localhost:${port}`,
    `127.0.0.1.nip.io:${port}`,
    `127.0.0.1@evil.test:${port}`,
    `evil.test@127.0.0.1:${port}`,
    `evil.test#127.0.0.1:${port}`,
    `evil.test/127.0.0.1`,
    `evil.test?127.0.0.1`,
    `127.0.0.1,evil.test`,
    `127.0.0.1 evil.test`,
    `127.0.0.1:${port}:80`,
    `127.0.0.1:evil`,
    '127.0.0.1:',
    '127.0.0.1:-1',
    '127.0.0.1:1234567',
    `[::ffff:127.0.0.1]:${port}`,
    `[::ffff:7f00:1]:${port}`,
    '[::1',
    '::1',
    `[::1]evil.test`,
    `0x7f000001:${port}`,
    `2130706433:${port}`,
    `0177.0.0.1:${port}`,
    `127.1:${port}`,
    `127.0.0.2:${port}`,
    `0.0.0.0:${port}`,
    `[::]:${port}`,
    `http://127.0.0.1:${port}`,
    `//127.0.0.1`,
    `127.0.0.1\\evil.test`,
    `%31%32%37.0.0.1:${port}`,
    `ⓛocalhost:${port}`,
    `localhost\u0000:${port}`,
    'a'.repeat(300),
    '.',
    '-',
  ];
  for (const host of refused) {
    const wire = await Wire.open(port);
    wire.write(
      `GET /v1/jobs HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${farm.tokens.admin}\r\nConnection: close\r\n\r\n`,
    );
    const answer = await wire.end();
    // What the parser itself does not take is no HTTP, and is told so.
    assert.match(answer, /^HTTP\/1\.1 (403|400) /, host);
    assert.doesNotMatch(answer, /location:/i, 'T-3: no redirect');
  }
  const ours = [here, `localhost:${port}`, 'LOCALHOST', `[::1]:${port}`, '127.0.0.1', 'localhost:1', 'farm.example'];
  for (const host of ours) assert.equal(await statusOf('GET', '/v1/jobs', ['host', host]), 200, host);
});

test('T-3: no host, an empty one, one of HTTP/1.0, one hidden in the target or in a header that proxies add', async () => {
  const token = `Authorization: Bearer ${farm.tokens.admin}\r\nConnection: close\r\n`;
  const cases: [string, RegExp][] = [
    [`GET /v1/jobs HTTP/1.1\r\n${token}\r\n`, /^HTTP\/1\.1 403/],
    [`GET /v1/jobs HTTP/1.1\r\nHost:\r\n${token}\r\n`, /^HTTP\/1\.1 403/],
    [`GET /v1/jobs HTTP/1.0\r\n${token}\r\n`, /^HTTP\/1\.1 403/],
    [
      `GET /v1/jobs HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: 127.0.0.1\r\nForwarded: host=127.0.0.1\r\n${token}\r\n`,
      /^HTTP\/1\.1 403/,
    ],
    [`GET http://127.0.0.1/v1/jobs HTTP/1.1\r\nHost: evil.test\r\n${token}\r\n`, /^HTTP\/1\.1 403/],
    [`GET http://evil.test/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n${token}\r\n`, /^HTTP\/1\.1 404/],
    [`GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n Host: evil.test\r\n${token}\r\n`, /^HTTP\/1\.1 40[03]/],
    [`GET /v1/jobs HTTP/1.1\r\nHost : 127.0.0.1\r\n${token}\r\n`, /^HTTP\/1\.1 400/],
    [`OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n${token}\r\n`, /^HTTP\/1\.1 404/],
    ['CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', /^$/],
  ];
  for (const [request, expected] of cases) {
    const wire = await Wire.open(port);
    wire.write(request);
    assert.match(await wire.end(), expected, request);
  }
});

test('T-2, T-4: a page of another origin gets nothing, whatever form its request has', async () => {
  const get = async (path: string, ...headers: string[]) => await statusOf('GET', path, ['host', here, ...headers]);
  const origins = [
    'null',
    'https://evil.test',
    `http://evil.test:${port}`,
    `http://127.0.0.1:${port + 1}`,
    'http://127.0.0.1',
    `https://127.0.0.1:${port}.evil.test`,
    `http://127.0.0.1:${port}@evil.test`,
    `http://evil.test/#http://127.0.0.1:${port}`,
    `http://localhost:${port}`,
    `ftp://127.0.0.1:${port}`,
    `file://127.0.0.1:${port}`,
    `chrome-extension://127.0.0.1:${port}`,
    `http://127.0.0.1:${port}/`,
    `http://127.0.0.1:${port} http://evil.test`,
    `javascript:http://127.0.0.1:${port}`,
    'http://farm.example',
    'https://farm.example:8443',
    'https://farm.example.evil.test',
    '',
    '127.0.0.1',
  ];
  for (const origin of origins) {
    assert.equal(await get('/v1/jobs', 'origin', origin), 403, origin);
    assert.equal(await get('/v1/client', 'origin', origin, ...UPGRADE), 403, `socket from ${origin}`);
  }
  for (const site of ['cross-site', 'same-site', 'Cross-Site', '', 'nonsense']) {
    assert.equal(await get('/v1/jobs', 'sec-fetch-site', site), 403, site);
    assert.equal(await get('/v1/client', 'sec-fetch-site', site, ...UPGRADE), 403, `socket, ${site}`);
  }
  // Says how a browser fetches, but not from where: no browser does that with a socket.
  assert.equal(await get('/v1/client', 'sec-fetch-mode', 'websocket', ...UPGRADE), 403);
});

test('our own pages, programs, and the address that people were told get in', async () => {
  const get = async (path: string, ...headers: string[]) => await statusOf('GET', path, ['host', here, ...headers]);
  assert.equal(await get('/v1/jobs', 'origin', `http://${here}`, 'sec-fetch-site', 'same-origin'), 200);
  assert.equal(await get('/v1/jobs', 'sec-fetch-site', 'none'), 200);
  assert.equal(await get('/v1/jobs', 'origin', 'https://farm.example'), 200);
  assert.equal(await get('/v1/client', 'origin', `http://${here}`, 'sec-fetch-mode', 'websocket', ...UPGRADE), 101);
  // A link on any page may lead here, since what it opens holds no data.
  assert.equal(await get('/healthz', 'sec-fetch-site', 'cross-site', 'sec-fetch-mode', 'navigate'), 200);
});

test('T-2: a body must be called JSON, which no form of a foreign page can', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
    const headers = ['host', here, ...(type === '' ? [] : ['content-type', type])];
    const body = '{"code":"export default 1","inputs":[1]}';
    const answer = await ask(port, { method: 'POST', path: '/v1/jobs', headers: [...headers, ...bearer], body });
    assert.equal(answer.status, 415, type);
  }
});

test('T-2: nothing is said that would let a page of another origin read an answer', async () => {
  const preflight = ['access-control-request-method', 'DELETE', 'access-control-request-headers', 'authorization'];
  for (const origin of [`http://${here}`, 'https://evil.test', 'null']) {
    for (const method of ['GET', 'OPTIONS', 'DELETE']) {
      const headers = ['host', here, 'origin', origin, ...preflight, ...bearer];
      const answer = await ask(port, { method, path: '/v1/jobs/99', headers });
      const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control'));
      assert.deepEqual(cors, [], `${method} from ${origin}`);
      assert.equal(answer.headers['cross-origin-resource-policy'], 'same-origin');
    }
  }
});
