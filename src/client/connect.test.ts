import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, describe, type TestContext, test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { clientFarm } from '../../test/support/client-farm.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { within } from '../../test/support/wait.ts';
import { type ConnectOptions, connectWith } from './connect.ts';
import { FarmError } from './farm-error.ts';
import { findServer } from './node/find-server.ts';

const { server, farm } = await clientFarm({ after });
const token = server.adminToken;

async function refusal(options: ConnectOptions): Promise<FarmError> {
  const error = await within(connectWith(options, undefined), 5_000, 'the refusal').then(
    () => assert.fail('it connected'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof FarmError, String(error));
  assert.doesNotMatch(error.message, /\n/);
  return error;
}

/** A port of this machine where something else answers, or hangs up. */
async function elsewhere(t: TestContext, kind: 'web' | 'hangs up' | 'nobody'): Promise<string> {
  const other = kind === 'web' ? createServer((_, response) => response.writeHead(404).end('no')) : createTcpServer();
  if (kind === 'hangs up') other.on('connection', (socket: { destroy(): void }) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  if (kind === 'nobody') await new Promise((resolve) => other.close(resolve));
  else cleanUp(t, () => other.close());
  return `http://127.0.0.1:${port}`;
}

describe('what is wrong is said at once, in a sentence', () => {
  test('no server there', async (t) => {
    const error = await refusal({ url: await elsewhere(t, 'nobody'), token });
    assert.equal(error.code, 'unreachable');
    assert.match(
      error.message,
      /^no server answers at http:\/\/127\.0\.0\.1:\d+: start one there with "manyhands serve"/,
    );
  });

  test('another kind of server', async (t) => {
    assert.match(
      (await refusal({ url: await elsewhere(t, 'web'), token })).message,
      /does not answer like a manyhands server \(HTTP 404\)/,
    );
    assert.match((await refusal({ url: await elsewhere(t, 'hangs up'), token })).message, /can't be reached/);
  });

  test('a wrong token, or one that may not submit', async () => {
    const wrong = await refusal({ url: server.url, token: 'x'.repeat(43) });
    assert.match(wrong.message, /does not accept the token.*manyhands token create --role submit/);
    const join = new URL(server.joinUrl).hash.slice(1);
    assert.match((await refusal({ url: server.url, token: join })).message, /refused this client/);
  });

  test('an address that is none', async () => {
    assert.match((await refusal({ url: 'http://[', token })).message, /the url is not an address.*such as http/);
    assert.match(
      (await refusal({ url: 'ftp://a/', token })).message,
      /must begin with http:\/\/ or https:\/\/, not ftp:/,
    );
    assert.match(
      (await refusal({ url: server.url, tokenFile: '/no/such/file' })).message,
      /the token file can't be read/,
    );
    assert.match(
      (await refusal({ url: 'http://no-such-name.invalid', token })).message,
      /is not known|can't be reached/,
    );
  });

  test('a signal gives the attempt up, or closes the farm later', async (t) => {
    const reason = new Error('never mind');
    await assert.rejects(connectWith({ url: server.url, token, signal: AbortSignal.abort(reason) }, undefined), reason);
    const silent = createTcpServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanUp(t, () => silent.close());
    const control = new AbortController();
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const connecting = connectWith({ url, token, signal: control.signal }, undefined);
    setTimeout(() => control.abort(reason), 50);
    await within(assert.rejects(connecting, reason), 5_000, 'the end of the attempt');

    const later = new AbortController();
    const program = await connectWith({ url: server.url, token, signal: later.signal }, undefined);
    const job = await program.map(() => new Promise<number>(() => {}), [1]);
    const values = job.values();
    later.abort();
    await assert.rejects(values, (error) => error instanceof FarmError && error.code === 'closed');
    await farm.job(job.id).cancel();
  });
});

describe('the server that is meant', () => {
  const found = async (query: Parameters<typeof findServer>[0]) => {
    const server = await findServer(query);
    return [server?.url.href, server?.token, server?.source];
  };

  test('is the one that is named, a join link too, else that of the environment', async () => {
    const env = { MANYHANDS_URL: 'farm.example:7071', MANYHANDS_TOKEN: 'secret' };
    assert.deepEqual(await found({ env }), ['http://farm.example:7071/', 'secret', 'environment']);
    assert.deepEqual(await found({ env, url: 'https://a.example/farm' }), [
      'https://a.example/farm/',
      'secret',
      'given',
    ]);
    assert.deepEqual(await found({ env: {}, url: 'http://a.example/join#abc%2F' }), [
      'http://a.example/',
      'abc/',
      'given',
    ]);
    assert.deepEqual(await found({ env: {}, url: 'ws://a.example', token: 't' }), ['http://a.example/', 't', 'given']);
    assert.deepEqual(await found({ env: {}, url: 'http://a.example' }), ['http://a.example/', undefined, 'given']);
  });

  test('is the one on this machine, as long as it answers', async (t) => {
    assert.deepEqual(await found({ env: {}, data: server.dataDir }), [`${server.url}/`, token, 'local']);
    assert.equal(await findServer({ env: {}, data: temporaryDirectory(t) }), undefined);
    const left = temporaryDirectory(t);
    const { writeFileSync } = await import('node:fs');
    writeFileSync(`${left}/server.json`, JSON.stringify({ url: await elsewhere(t, 'nobody') }));
    assert.equal(await findServer({ env: {}, data: left }), undefined);
    writeFileSync(`${left}/server.json`, '{"url":');
    assert.equal(await findServer({ env: {}, data: left }), undefined);
  });

  test('must be there where no other can be started', async (t) => {
    const error = await refusal({ data: temporaryDirectory(t) });
    assert.match(error.message, /there is no server: start one with "manyhands serve", or give its url/);
  });
});
