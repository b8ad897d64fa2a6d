import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../../../test/support/http.ts';
import { helloOf } from '../../../test/support/raw-worker.ts';
import { jsonBody, ROLES, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor, within } from '../../../test/support/wait.ts';

const farm = await ServedFarm.start({ after });

interface Known {
  readonly id: string;
  readonly role: string;
  readonly name: string;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
}
const list = async () => (await farm.json<{ tokens: Known[] }>('GET', '/v1/tokens')).tokens;
const works = async (token: string) => (await farm.ask('GET', '/v1/me', { token })).status === 200;

test('T-26: tokens are made, listed without their texts, and revoked', async () => {
  for (const role of ROLES) {
    const made = await farm.json<Known & { token: string }>('POST', '/v1/tokens', { role, name: `for ${role}` });
    assert.match(made.token, /^mh_[A-Za-z0-9_-]{43}$/);
    assert.ok(await works(made.token));
    const listed = await farm.ask('GET', '/v1/tokens');
    assert.ok(!listed.text.includes(made.token.slice(3)) && !listed.text.includes('hash'), 'not its text');
    const { token: _token, ...known } = made;
    assert.deepEqual(
      (await list()).find(({ id }) => id === made.id),
      known,
    );
    for (let twice = 0; twice < 2; twice++)
      assert.equal((await farm.ask('DELETE', `/v1/tokens/${made.id}`)).status, 204);
    assert.ok(!(await works(made.token)));
    assert.ok(((await list()).find(({ id }) => id === made.id)?.revokedAt ?? 0) > 0);
  }
  assert.equal((await farm.ask('DELETE', '/v1/tokens/nobody')).status, 404);
  assert.equal((await farm.ask('DELETE', '/v1/tokens/NOBODY!')).status, 400);
});

test('T-26: a token with an expiry ends by itself', async () => {
  const { token } = await farm.makeToken({ role: 'read', expiresIn: 400 });
  assert.ok(await works(token));
  await waitFor(async () => !(await works(token)), { what: 'the expiry' });
});

test('wishes that make no sense are refused in a sentence', async () => {
  for (const [body, expected] of [
    [{}, /the body needs role/],
    [{ role: 'root' }, /role must be "admin", "submit", "work", "read" or "enrol"/],
    [{ role: 'read', expiresIn: 0 }, /expiresIn must be >= 1/],
    [{ role: 'read', expiresIn: -5 }, /expiresIn must be >= 1/],
    [{ role: 'read', expiresIn: '7d' }, /expiresIn must be integer/],
    [{ role: 'read', name: 'n'.repeat(257) }, /name must not have more than 256/],
    [{ role: 'read', scope: 'all' }, /unknown field: scope/],
  ] as const) {
    const answer = await farm.ask('POST', '/v1/tokens', jsonBody(body));
    assert.equal(answer.status, 400, answer.text);
    assert.match((answer.json as { detail: string }).detail, expected);
  }
});

for (const how of ['revoked', 'expired']) {
  test(`T-26, P19: what a token has opened is cut within 5 seconds once it is ${how}`, async () => {
    const expiry = how === 'expired' ? { expiresIn: 1_500 } : {};
    const { token, id } = await farm.makeToken({ role: 'admin', ...expiry });
    const job = await farm.submit({ code: 'export default 1', open: true });
    const { message: events } = await farm.begin('/v1/events', { token });
    const { message: results } = await farm.begin(`/v1/jobs/${job}/results?follow`, { token });
    const closed = [events, results].map((message) => {
      message.resume();
      message.on('error', () => {});
      return new Promise((resolve) => message.once('close', resolve));
    });
    const codes = ['/v1/client', '/v1/worker'].map(async (path) => {
      const protocol = path === '/v1/client' ? 'manyhands.client.v1' : 'manyhands.v1';
      const socket = farm.socket(path, [protocol], { authorization: `Bearer ${token}` });
      await new Promise((resolve) => socket.once('open', resolve));
      if (path === '/v1/worker') socket.send(JSON.stringify(helloOf({ name: how })));
      return await new Promise<number>((resolve) => socket.once('close', resolve));
    });
    await waitFor(async () => (await farm.ask('GET', '/v1/workers')).text.includes(`"${how}"`), { what: 'the worker' });
    if (how === 'revoked') await farm.json('DELETE', `/v1/tokens/${id}`);
    const started = performance.now();
    await within(Promise.all(closed), 15_000, 'the end of both answers');
    assert.deepEqual(await within(Promise.all(codes), 15_000, 'the end of both sockets'), [4401, 4401]);
    assert.ok(performance.now() - started < 5_000);
    assert.ok(!(await works(token)));
  });
}

/** One wrong ticket after the other is told to wait, which is a refusal as well. (T-27) */
const refused = (status: number | string) => assert.ok([401, 429].includes(Number(status)), `${status}`);

const ticketFor = async (path: string, token = farm.tokens.admin) => {
  const answer = await farm.ask('POST', '/v1/tickets', { token, ...jsonBody({ path }) });
  assert.equal(answer.status, 201, answer.text);
  return (answer.json as { ticket: string }).ticket;
};

test('T-32: a ticket opens one download, once, and of nothing else', async () => {
  const job = await farm.submit({ code: 'export default 1', inputs: [5] });
  const path = `/v1/jobs/${job}/tasks/0/input`;
  const use = async (ticket: string, at = path, method = 'GET') =>
    (await ask(farm.port, { method, path: `${at}?ticket=${ticket}` })).status;
  const ticket = await ticketFor(path, farm.tokens.read);
  assert.equal(await use(ticket), 200);
  refused(await use(ticket)); // used
  refused(await use(await ticketFor('/v1/jobs'))); // of another path
  const wasted = await ticketFor(path);
  refused(await use(wasted, `/v1/jobs/${job}/results`));
  refused(await use(wasted)); // tried elsewhere, it is used up
  refused(await use(await ticketFor('/v1/jobs'), '/v1/jobs')); // not a download
  refused(await use(await ticketFor('/v1/tokens'), '/v1/tokens')); // not a download
  refused(await use(await ticketFor(`/v1/jobs/${job}`), `/v1/jobs/${job}`, 'DELETE')); // not a download
  assert.equal(await use(await ticketFor(path, farm.tokens.work)), 403, 'with the rights of who asked');
});

test('P1, T-4, T-32: a ticket opens one socket, as a subprotocol', async () => {
  const open = async (path: string, ticket: string, protocol: string) => {
    const socket = farm.socket(path, [protocol, `manyhands.ticket.${ticket}`], {
      origin: `http://127.0.0.1:${farm.port}`,
    });
    return await new Promise<string>((resolve) => {
      socket.once('open', () => resolve(socket.protocol));
      socket.once('unexpected-response', (_, { statusCode }) => resolve(`${statusCode}`));
      socket.once('error', () => {});
    });
  };
  const client = 'manyhands.client.v1';
  const ticket = await ticketFor('/v1/client');
  assert.equal(await open('/v1/client', ticket, client), client, 'the ticket itself is not repeated');
  refused(await open('/v1/client', ticket, client));
  refused(await open('/v1/client', await ticketFor('/v1/worker'), client));
  assert.equal(await open('/v1/client', await ticketFor('/v1/client', farm.tokens.work), client), '403');
  assert.equal(
    await open('/v1/worker', await ticketFor('/v1/worker', farm.tokens.work), 'manyhands.v1.json'),
    'manyhands.v1.json',
  );
  refused(await open('/v1/client', '', client));
});

test('T-26: tickets die with their token', async () => {
  const { token, id } = await farm.makeToken({ role: 'read' });
  const ticket = await ticketFor('/v1/jobs/1/results', token);
  await farm.json('DELETE', `/v1/tokens/${id}`);
  await sleep(1);
  refused((await ask(farm.port, { path: `/v1/jobs/1/results?ticket=${ticket}` })).status);
});

test('a ticket is for a path of the API', async () => {
  for (const path of ['/', 'https://evil.test/', '/v1/jobs?x=1', '/v1/../x', '', '/v1/']) {
    assert.equal((await farm.ask('POST', '/v1/tickets', jsonBody({ path }))).status, 400, path);
  }
});
