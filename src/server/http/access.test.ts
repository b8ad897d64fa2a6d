import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '../../../test/support/described.ts';
import { begin } from '../../../test/support/http.ts';
import { ROLES, ServedFarm } from '../../../test/support/served-farm.ts';
import type { Role } from '../../model/records.ts';
import { SOCKETS } from '../auth/authority.ts';
import type { Route } from './route.ts';

const paths = Map.groupBy(routes, ({ path }) => path);

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];
/** CONNECT asks for a tunnel and never gets to a route: it is tested with the guard. */
const others = METHODS.filter((method) => !methods.includes(method) && method !== 'CONNECT');

const farm = await ServedFarm.start({ after });
const good = Object.entries(farm.tokens) as [Role, string][];
const expired = await farm.makeToken({ role: 'admin', expiresIn: 20 });
const revoked = await farm.makeToken({ role: 'admin' });
await farm.json('DELETE', `/v1/tokens/${revoked.id}`);
await sleep(30);
/** What opens nothing. One wrong after the other is told to wait, which is a refusal as well. (T-27) */
const bad: [string, string | undefined][] = [
  ['no token', undefined],
  ['a wrong token', `mh_${'A'.repeat(43)}`],
  ['an expired token', expired.token],
  ['a revoked token', revoked.token],
];

/** Names of things that are not there, so that nothing happens where something may be done. */
const NOWHERE: Record<string, string> = {
  job: '999999',
  index: '7',
  worker: 'aaaaaaaaaa',
  sha256: 'a'.repeat(64),
  token: 'nobody',
  session: 'b'.repeat(32),
  download: 'c'.repeat(32),
  file: 'nothing.js',
};

/** What is named is not there, and this server boots nobody. */
function mayBeAbsent(path: string): boolean {
  return path.includes(':') || path.startsWith('/boot/');
}

function addressOf(path: string): string {
  return path.replace(/:(\w+)/g, (_, name: string) => {
    assert.ok(NOWHERE[name] !== undefined, `say what may stand for :${name}`);
    return NOWHERE[name] as string;
  });
}

async function statusOf(method: string, path: string, token: string | undefined, headers: Record<string, string> = {}) {
  const { message, upgraded } = await begin(farm.port, {
    method,
    path,
    headers,
    ...(token === undefined ? {} : { token }),
  });
  const { statusCode = 0, headers: answered } = message;
  // An answer may be a stream without an end.
  if (/event-stream/.test(answered['content-type'] ?? '')) message.destroy();
  else message.resume();
  upgraded?.destroy();
  return { status: statusCode, allow: answered.allow };
}

/** A page asked for with a token is asked for by a program, which gets what is at /v1. */
function seenWithToken(path: string, method: string): { path: string; here: readonly Route[] } {
  const here = paths.get(path) ?? [];
  const asData = method === 'GET' && here.some((each) => each.method === 'GET' && each.machine === true);
  return asData ? { path: `/v1${path}`, here: paths.get(`/v1${path}`) ?? [] } : { path, here };
}

const isPublic = (here: readonly Route[]) => here.some(({ access }) => access === 'public');
const listed = (here: readonly Route[]) => [...new Set(here.map(({ method }) => method))].sort().join();

describe('T-1: every route × every method × every kind of token', () => {
  test('the table is not empty, and holds what design section 10 names', () => {
    for (const path of [
      '/v1/jobs',
      '/v1/jobs/:job',
      '/v1/tokens/:token',
      '/v1/blobs/:sha256',
      '/metrics',
      '/healthz',
    ]) {
      assert.ok(paths.has(path), path);
    }
    assert.ok([...(paths.get('/v1/jobs/:job') ?? [])].some(({ method }) => method === 'DELETE'));
  });
  for (const [path] of paths) {
    test(`${path}: nobody gets in without a good token`, async () => {
      for (const [kind, token] of bad) {
        for (const method of methods) {
          const seen = token === undefined ? { path, here: paths.get(path) ?? [] } : seenWithToken(path, method);
          const { status } = await statusOf(method, addressOf(path), token);
          const what = `${method} ${path} with ${kind}`;
          const route = seen.here.find((each) => each.method === method);
          if (!isPublic(seen.here))
            assert.ok(status === 401 || (status === 429 && token !== undefined), `${what}: ${status}`);
          else if (route === undefined) assert.equal(status, 405, what);
          else assert.ok(status === 200 || (status === 404 && mayBeAbsent(path)), `${what}: ${status}`);
        }
      }
    });
    test(`${path}: each role gets what the table says`, async () => {
      for (const [role, token] of good) {
        for (const method of methods) {
          const { here } = seenWithToken(path, method);
          const { status, allow } = await statusOf(method, addressOf(path), token);
          const route = here.find((each) => each.method === method);
          const what = `${method} ${path} as ${role}: ${status}`;
          if (route === undefined)
            assert.deepEqual([status, allow?.split(', ').sort().join()], [405, listed(here)], what);
          else if (route.access !== 'public' && !route.access.includes(role)) assert.equal(status, 403, what);
          else assert.ok(status in route.answers || (route.body !== undefined && [400, 415].includes(status)), what);
        }
      }
    });
  }
  test('methods that no route has are refused everywhere', async () => {
    assert.ok(others.length > 20 && routes.every(({ method }) => methods.includes(method)));
    for (const [path, here] of paths) {
      for (const method of others) {
        const { status } = await statusOf(method, addressOf(path), undefined);
        assert.equal(status, isPublic(here) ? 405 : 401, `${method} ${path}`);
      }
    }
  });
  test('what is not there is told to those who are of the farm only', async () => {
    for (const method of [...methods, ...others]) {
      assert.equal((await statusOf(method, '/v1/nothing', undefined)).status, 401, method);
      assert.equal((await statusOf(method, '/v1/nothing', farm.tokens.work)).status, 404, method);
      assert.equal((await statusOf(method, '/nothing', undefined)).status, 404, method);
    }
  });
});

describe('T-1: every address × every method × every kind of token, asked to become a WebSocket', () => {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  };
  const addresses = [
    ...new Set([...Object.keys(SOCKETS), ...[...paths.keys()].map(addressOf), '/v1/nothing', '/nothing']),
  ];
  for (const address of addresses) {
    test(address, async () => {
      const socket = SOCKETS[address];
      const headers = { ...upgrade, 'sec-websocket-protocol': socket?.protocols[0] ?? 'manyhands.v1' };
      for (const method of methods) {
        for (const [kind, token] of bad) {
          const { status } = await statusOf(method, address, token, headers);
          assert.ok(status === 401 || (status === 429 && token !== undefined), `${method} with ${kind}: ${status}`);
        }
        for (const [role, token] of good) {
          const { status } = await statusOf(method, address, token, headers);
          const may = socket?.roles.includes(role) === true;
          const expected = socket === undefined ? 404 : method !== 'GET' ? 405 : may ? 101 : 403;
          assert.equal(status, expected, `${method} as ${role}`);
        }
      }
    });
  }
  test('each role can open some socket or none, as the table says', () => {
    const openers = ROLES.filter((role) => Object.values(SOCKETS).some(({ roles }) => roles.includes(role)));
    assert.deepEqual(openers, ['admin', 'submit', 'work', 'read']);
  });
});
