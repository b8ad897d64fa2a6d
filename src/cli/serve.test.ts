import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { renderUnicodeCompact } from 'uqr';
import type { Served } from '../../test/reliability/served.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine, noTerminal } from '../../test/support/command-line.ts';
import type { Running } from '../../test/support/processes.ts';
import { waitFor } from '../../test/support/wait.ts';

const suite: Cleanup = { after };
const line = new CommandLine(suite);

/** What `serve` says until it serves. */
async function announced(running: Running): Promise<Record<string, string>> {
  const { dashboard } = (await running.output(/^dashboard: (?<dashboard>\S+)$/m)).groups as { dashboard: string };
  await running.output(/^(phones|warning): /m);
  const lines = [...running.stdout.matchAll(/^(\w+): (.*)$/gm)].map(([, name, value]) => [name, value]);
  return { ...Object.fromEntries(lines), dashboard };
}

async function stop(running: Running): Promise<void> {
  running.signal('SIGTERM');
  const { code, stderr } = await running.exit();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^manyhands: stopping; jobs are kept, and workers come back when a server is here again; /m);
}

describe('serve', () => {
  it('with --json prints one line once it accepts connections; the admin token is the first line of a private file', async () => {
    const running = line.start(['serve', '--port', '0', '--json', '--data', 'one']);
    const [text] = await running.output(/^.+\n/, { stream: 'stdout' });
    const told = JSON.parse(text) as Record<string, string>;
    assert.deepEqual(Object.keys(told), ['url', 'dashboardUrl', 'joinUrl', 'dataDir']);
    const dataDir = path.join(line.directory, 'one');
    assert.equal(told.dataDir, dataDir);
    for (const name of ['admin.token', 'join.token']) {
      assert.equal(statSync(path.join(dataDir, name)).mode & 0o777, 0o600, name);
    }
    const [admin] = readFileSync(path.join(dataDir, 'admin.token'), 'utf8').split('\n');
    assert.equal(told.dashboardUrl, `${told.url}/#${admin}`);
    const health = await fetch(`${told.url}/healthz`);
    assert.equal(health.status, 200);
    running.signal('SIGTERM');
    const { code, stderr } = await running.exit();
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(running.stdout, text, 'nothing but this line');
    assert.ok(!existsSync(path.join(dataDir, 'server.json')), 'nobody looks for it any more');
  });

  it('on loopback tells its links and how phones can join; the links are good after a restart', async () => {
    const args = ['serve', '--port', '0', '--workers', '1', '--keep', '30d', '--data', 'two'];
    const first = line.start(args);
    const told = await announced(first);
    assert.match(told.dashboard ?? '', /^http:\/\/127\.0\.0\.1:\d+\/#mh_[\w-]{43}$/);
    assert.match(told.join ?? '', /^http:\/\/127\.0\.0\.1:\d+\/join#mh_[\w-]{43}$/);
    assert.equal(told.phones, 'manyhands serve --lan');
    assert.equal(told.working, 'here too, on 1 slot');
    assert.equal(told.data, path.join(line.directory, 'two'));
    await stop(first);
    const second = line.start(args);
    const again = await announced(second);
    assert.equal(new URL(again.join as string).hash, new URL(told.join as string).hash);
    assert.equal(new URL(again.dashboard as string).hash, new URL(told.dashboard as string).hash);
    await stop(second);
  });

  it('with --lan tells an address that others reach, its QR code, and that it is not secret; --public-url overrides it', async () => {
    const lan = line.start(['serve', '--port', '0', '--lan', '--data', 'three']);
    const told = await announced(lan);
    assert.match(
      told.warning ?? '',
      /^plain HTTP, so whoever can listen on this network can read the token and the tasks$/,
    );
    const { hostname } = new URL(told.join as string);
    assert.notEqual(hostname, '0.0.0.0');
    await lan.output(/[█▀▄]/);
    assert.ok(lan.stdout.includes(renderUnicodeCompact(told.join as string, { border: 1 })), 'the code of this link');
    await stop(lan);
    const named = line.start(['serve', '--port', '0', '--public-url', 'https://farm.example', '--data', 'three']);
    const [text] = await named.output(/^join: .*$/m);
    assert.match(text, /^join: https:\/\/farm\.example\/join#mh_/);
    await named.output(/[█▀▄]/);
    await stop(named);
  });

  it('T-16: on a terminal it prints nothing that a terminal obeys', { skip: noTerminal }, async () => {
    const running = line.onTerminal(['serve', '--port', '0', '--data', 'four']);
    await running.output(/phones: manyhands serve --lan/);
    running.write('\x03');
    assert.equal((await running.exit()).code, 0);
    assert.ok(!running.stdout.includes('\x1b'));
  });
});

describe('join', () => {
  let farm: Served;
  before(async () => {
    farm = await line.serve();
  });
  const join = (...args: string[]) => line.start(['join', ...args]);
  const joined = (running: Running) => running.output(/^joined 127\.0\.0\.1:\d+ as worker ([a-z2-7]{10});/m);

  it('takes the token from the link, a file or the environment; in a link it stays out of sight', async () => {
    const token = new URL(farm.joinUrl).hash.slice(1);
    line.write('token', `${token}\n`);
    const workers = [
      join(farm.joinUrl, '--slots', '1'),
      join(farm.url, '--token-file', 'token', '--slots', '1'),
      line.start(['join', farm.url, '--slots', '1'], { env: { MANYHANDS_TOKEN: token } }),
      join(`http://127.0.0.1:9,${farm.joinUrl}`, '--slots', '1', '--name', 'second address'),
    ];
    for (const worker of workers) await joined(worker);
    for (const worker of workers) {
      worker.signal('SIGTERM');
      const { code, stdout } = await worker.exit();
      assert.equal(code, 0);
      assert.match(
        stdout,
        /\nleaving: it was told to leave; what runs is finished first, Ctrl-C again leaves at once\nleft: it was told to leave\n$/,
      );
      assert.ok(!stdout.includes(token));
    }
  });

  it('leaves when it had nothing to do for so long, or when its time is up', async () => {
    const idle = join(farm.joinUrl, '--slots', '1', '--idle-exit', '2s');
    const short = join(farm.joinUrl, '--slots', '1', '--max-time', '600ms', '--json');
    assert.deepEqual([(await idle.exit()).code, (await short.exit()).code], [0, 0]);
    assert.match(idle.stdout, /\nleaving: it had nothing to do\nleft: it had nothing to do\n$/);
    const states = short.stdout
      .trim()
      .split('\n')
      .map((text) => (JSON.parse(text) as { state: string }).state);
    assert.deepEqual([states[0], states.at(-1)], ['joined', 'ended']);
    assert.match(short.stdout, /"reason":"its time is up"/);
  });

  it('gets the tasks that require its labels and resources, and gives them the variables it was told to', async () => {
    line.write(
      'env.mjs',
      `export default () => [process.env.SHOWN, process.env.HIDDEN ?? 'nothing', Object.keys(process.env).length];\n`,
    );
    const options = [
      '--label',
      'colour=blue',
      '--resource',
      'gpu=2',
      '--env',
      'SHOWN',
      '--name',
      'blue one',
      '--quiet',
    ];
    const worker = line.start(['join', farm.joinUrl, '--slots', '1', ...options], {
      env: { SHOWN: 'yes', HIDDEN: 'no' },
    });
    const { stdout } = await line.run(['run', 'env.mjs', '--requires', 'colour=blue']);
    assert.match(stdout, /^\["yes","nothing",1\]\n$/);
    const [view] = (await line.run(['workers', '--json'])).stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Record<string, unknown>)
      .filter(({ name }) => name === 'blue one');
    const own = { arch: os.arch(), os: os.platform() };
    assert.deepEqual([view?.labels, view?.resources], [{ ...own, colour: 'blue' }, { gpu: 2 }]);
    worker.signal('SIGINT');
    assert.deepEqual([(await worker.exit()).code, worker.stdout, worker.stderr], [0, '', '']);
  });

  it('takes the network away from tasks with --deny net', async () => {
    line.write(
      'fetch.mjs',
      "import net from 'node:net';\nexport default (port) => new Promise((done) => { const s = net.connect(port, '127.0.0.1', () => done('open')).on('error', (e) => done(e.code)); });\n",
    );
    const worker = join(farm.joinUrl, '--slots', '1', '--deny', 'net', '--label', 'net=no');
    await joined(worker);
    const { stdout, stderr } = await line.run(['run', 'fetch.mjs', `${farm.port}`, '--requires', 'net=no']);
    assert.match(stdout, /^ERR_ACCESS_DENIED\n$/, stderr);
    worker.signal('SIGTERM');
    await worker.exit();
  });

  it('comes back for ever once it has joined, and finishes its tasks across a restart of the server', async () => {
    const worker = join(farm.joinUrl, '--slots', '1', '--json');
    await worker.output(/"joined"/);
    line.write('long.mjs', 'export default (x) => new Promise((done) => setTimeout(() => done(x + 1), 1500));\n');
    const job = (await line.run(['run', 'long.mjs', '1', '--detach'])).stdout.trim();
    await waitFor(async () => /1 with workers/.test((await line.run(['show', job])).stdout), { timeout: 30_000 });
    await farm.stop();
    await worker.output(/"state":"waiting"/);
    await farm.start();
    assert.deepEqual(await line.run(['results', job]), { code: 0, signal: null, stdout: '2\n', stderr: '' });
    assert.match((await line.run(['show', job, '--json'])).stdout, /"lost":0/);
    worker.signal('SIGTERM');
    assert.equal((await worker.exit()).code, 0);
  });

  it('ends with exit 3 when its token is revoked', async () => {
    const made = await line.run(['token', 'create', '--role', 'work', '--json']);
    const { token, id } = JSON.parse(made.stdout) as { token: string; id: string };
    const worker = line.start(['join', farm.url, '--slots', '1'], { env: { MANYHANDS_TOKEN: token } });
    await joined(worker);
    await line.run(['token', 'revoke', id]);
    const { code, stderr } = await worker.exit();
    assert.equal(code, 3);
    assert.match(stderr, /^manyhands: [^\n]+\n$/);
  });
});
