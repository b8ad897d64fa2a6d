import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { routes } from '../../../test/support/described.ts';
import { ask } from '../../../test/support/http.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { SOCKETS } from '../auth/authority.ts';
import { startServer } from '../server.ts';

const SITE = 'https://school.example';
const farm = await ServedFarm.start({ after }, { allowOrigins: [`${SITE}/`] });
const strict = await ServedFarm.start({ after });
const BLOB = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';

async function asked(method: string, path: string, headers: Record<string, string>, on = farm) {
  const answer = await ask(on.port, {
    method,
    path,
    headers: { authorization: `Bearer ${on.tokens.work}`, ...headers },
  });
  answer.upgraded?.destroy();
  return answer;
}

const from = (origin: string) => ({ origin, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' });
const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
};

describe('T-2, T-4: pages of a site that the server was told of', () => {
  test('may do what a lent device needs', async () => {
    const ticket = await ask(farm.port, {
      method: 'POST',
      path: '/v1/tickets',
      token: farm.tokens.work,
      headers: { ...from(SITE), 'content-type': 'application/json' },
      body: '{"path":"/v1/worker"}',
    });
    assert.equal(ticket.status, 201);
    assert.equal(ticket.headers['access-control-allow-origin'], SITE);
    assert.equal(ticket.headers['access-control-allow-credentials'], undefined);
    const put = await ask(farm.port, {
      method: 'PUT',
      path: `/v1/blobs/${BLOB}`,
      token: farm.tokens.work,
      headers: { ...from(SITE), 'content-type': 'application/octet-stream' },
      body: 'hello',
    });
    assert.equal(put.status, 201, put.text);
    assert.equal((await asked('GET', `/v1/blobs/${BLOB}`, from(SITE))).text, 'hello');
    const socket = await asked('GET', '/v1/worker', {
      ...from(SITE),
      ...upgrade,
      'sec-websocket-protocol': 'manyhands.v1',
    });
    assert.equal(socket.status, 101);
  });

  test('are told what they may ask, before they ask', async () => {
    const headers = { ...from(SITE), 'access-control-request-method': 'PUT' };
    const answer = await asked('OPTIONS', `/v1/blobs/${BLOB}`, headers);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], SITE);
    assert.match(`${answer.headers['access-control-allow-headers']}`, /authorization/);
    assert.equal(answer.headers['vary'], 'origin');
  });

  test('may not do anything else, and nobody else may do that', async () => {
    const others = routes.filter(({ lends, page }) => lends !== true && page !== true);
    assert.ok(others.length > 20);
    for (const { method, path } of others) {
      const address = path
        .replace(':sha256', BLOB)
        .replace(/:(job|index)/g, '99')
        .replace(/:\w+/g, 'aa');
      const answer = await asked(method, address, from(SITE));
      assert.equal(answer.status, 403, `${method} ${address}`);
      assert.equal(answer.headers['access-control-allow-origin'], undefined, `${method} ${address}`);
      const preflight = { ...from(SITE), 'access-control-request-method': method };
      assert.equal((await asked('OPTIONS', address, preflight)).status, 403, `OPTIONS for ${method} ${address}`);
    }
    for (const path of Object.keys(SOCKETS).filter((each) => each !== '/v1/worker')) {
      assert.equal((await asked('GET', path, { ...from(SITE), ...upgrade })).status, 403, path);
    }
    const strangers = ['https://evil.test', 'http://school.example', `${SITE}:444`, `${SITE}.evil.test`, 'null'];
    for (const origin of strangers) {
      assert.equal((await asked('GET', `/v1/blobs/${BLOB}`, from(origin))).status, 403, origin);
      assert.equal((await asked('GET', '/v1/worker', { ...from(origin), ...upgrade })).status, 403, origin);
    }
    for (const method of ['GET', 'OPTIONS']) {
      const headers = { ...from(SITE), 'access-control-request-method': 'GET' };
      assert.equal(
        (await asked(method, `/v1/blobs/${BLOB}`, headers, strict)).status,
        403,
        'a server that was not told',
      );
      const rebound = { ...headers, host: `evil.test:${farm.port}` };
      const answer = await asked(method, `/v1/blobs/${BLOB}`, rebound);
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [403, undefined]);
    }
  });

  test('may have the frame in which tasks run, and no page', async () => {
    const policyOf = async (path: string, on = farm) =>
      `${(await asked('GET', path, {}, on)).headers['content-security-policy']}`;
    assert.match(await policyOf('/sandbox'), /frame-ancestors 'self' https:\/\/school\.example$/);
    assert.match(await policyOf('/sandbox', strict), /frame-ancestors 'self'$/);
    const join = await ask(farm.port, { path: '/join', headers: { accept: 'text/html' } });
    assert.match(`${join.headers['content-security-policy']}`, /frame-ancestors 'none'/);
  });

  test('an origin that is none is refused when the server starts', async () => {
    for (const origin of ['*', 'school.example', 'https://school.example/page', 'null']) {
      await assert.rejects(startServer({ port: 0, allowOrigins: [origin] }), /an allowed origin looks like https:/);
    }
  });
});
