import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import path from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { clientFarm } from '../../test/support/client-farm.ts';
import { repository, temporaryDirectory } from '../../test/support/directories.ts';
import { run } from '../../test/support/processes.ts';
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

  test('a data directory that is named is never silently replaced by a farm of its own, nor by MANYHANDS_URL', async (t) => {
    const data = temporaryDirectory(t);
    const started: string[] = [];
    const start = async () => assert.fail(String(started.push('a farm')));
    const connecting = connectWith({ data }, start);
    const says = `no server runs with the data directory ${data}: start one with "manyhands serve --data ${data}"`;
    await assert.rejects(connecting, (error) => error instanceof FarmError && error.message === says);
    assert.deepEqual(started, []);
    assert.equal(await findServer({ data, env: { MANYHANDS_URL: server.url } }), undefined);
  });

  test('an address that is none', async () => {
    assert.match((await refusal({ url: 'http://[', token })).message, /the url is not an address.*such as http/);
    assert.match(
      (await refusal({ url: 'ftp://a/', token })).message,
      /must begin with http:\/\/ or https:\/\/, not ftp:/,
    );
    assert.match(
      (await refusal({ url: server.url, tokenFile: '/no/such/file' })).message,
      /^the token file \/no\/such\/file can't be read: there is no such file$/,
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

describe('a program at a served farm', () => {
  const sdk = JSON.stringify(path.join(repository, 'src/index.ts'));
  const program = async (
    t: TestContext,
    text: string,
  ): Promise<[stdout: string, stderr: string, code: number | null]> => {
    const folder = temporaryDirectory(t, 'program');
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(
      path.join(folder, 'main.ts'),
      `import { connect } from ${sdk};\nconst farm = await connect();\n${text}`,
    );
    const env = { MANYHANDS_URL: server.url, MANYHANDS_TOKEN: token };
    const { stdout, stderr, code } = await run(t, [process.execPath, 'main.ts'], { cwd: folder, env, timeout: 60_000 });
    return [stdout, stderr, code];
  };

  test('ends by itself when it has nothing left to do, and what its runs shared is closed', async (t) => {
    const text = 'console.log(await farm.run((n: number) => n + 1, 1), farm.embedded);';
    const before = (await farm.map(() => 1, [])).id;
    assert.deepEqual(await program(t, text), ['2 false\n', '', 0]);
    assert.equal((await farm.job(before + 1).ended()).state, 'done');
  });

  test('F-13: may end before its job, which goes on', async (t) => {
    const text = `const job = await farm.map((n: number) => n * n, Array.from({ length: 20_000 }, (_, i) => i));
      await job.submitted;
      console.log(job.id);
      process.exit(0);`;
    const [stdout] = await program(t, text);
    assert.equal((await farm.job<number>(Number(stdout)).values())[19_999], 19_999 ** 2);
  });

  test('waits with its end for the inputs that are still to be sent', async (t) => {
    const text = `async function* slowly() {
        for (let i = 0; i < 5; i++) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          yield i;
        }
      }
      console.log((await farm.map((n: number) => n, slowly())).id);`;
    const [stdout] = await program(t, text);
    assert.deepEqual(await farm.job<number>(Number(stdout)).values(), [0, 1, 2, 3, 4]);
  });
});

describe('the server that is meant', () => {
  const found = async (query: Parameters<typeof findServer>[0]) => {
    const server = await findServer(query);
    const [first, ...others] = server?.servers ?? [];
    assert.deepEqual(others, []);
    return [first?.url.href, first?.token, server?.source];
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
    writeFileSync(`${left}/server.json`, JSON.stringify({ url: await elsewhere(t, 'nobody') }));
    assert.equal(await findServer({ env: {}, data: left }), undefined);
    writeFileSync(`${left}/server.json`, '{"url":');
    assert.equal(await findServer({ env: {}, data: left }), undefined);
  });

  test('must be there where no other can be started', async (t) => {
    const { XDG_STATE_HOME: before } = process.env;
    cleanUp(t, () => {
      if (before === undefined) delete process.env.XDG_STATE_HOME;
      else process.env.XDG_STATE_HOME = before;
    });
    process.env.XDG_STATE_HOME = temporaryDirectory(t);
    const error = await refusal({});
    assert.match(error.message, /there is no server: start one with "manyhands serve", or give its url/);
  });
});
