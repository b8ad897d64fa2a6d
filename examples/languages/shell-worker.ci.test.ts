import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { startWorker } from '../../src/worker/node/join.ts';
import { type Cleanup, cleanUp } from '../../test/support/cleanup.ts';
import { LiveServer } from '../../test/support/live-server.ts';
import { type Running, start } from '../../test/support/processes.ts';
import { waitFor } from '../../test/support/wait.ts';

const script = path.join(import.meta.dirname, 'worker.sh');
const BUSYBOX = 'busybox';
// .ci/run installs it.
const skip =
  spawnSync(BUSYBOX, ['true']).status !== 0 && process.env['CI'] !== 'true' && 'busybox is not installed here';

/** Text, bytes that are no text, what is long, failures, and arguments that a shell could misread. */
const COMMAND = `sleep 0.05; case {#} in
*7) printf 'out %s\\n' {}; echo {1.} {1/} {-1} >&2; exit 3 ;;
*8) printf '\\377\\000%s' {} ;;
*90) head -c 40000 /dev/zero | tr '\\0' x ;;
*) printf '%s|' {} "$MANYHANDS_INDEX" $((6 * 7)) ;;
esac`;
const INPUTS = Array.from({ length: 200 }, (_, i) => [
  `dir/ü ${i}.txt`,
  `it's "$HOME" \\ \n \u0001 😀 ${'*'.repeat(i % 3)}`,
]);

async function submit(server: LiveServer, command: string, inputs: unknown, more: object = {}): Promise<number> {
  const code = JSON.stringify({ command, ...more });
  const answer = await server.api('POST', '/v1/jobs', { runner: 'exec', code, inputs, maxFailures: 1_000 });
  return ((await answer.json()) as { id: number }).id;
}

/** Its records without what differs from run to run. */
async function records(server: LiveServer, job: number): Promise<object[]> {
  const text = await (await server.api('GET', `/v1/jobs/${job}/results?follow`)).text();
  return text
    .trim()
    .split('\n')
    .map(
      (line) => JSON.parse(line, (key, value: unknown) => (key === 'usage' ? undefined : value)) as { index: number },
    )
    .sort((a, b) => a.index - b.index);
}

interface Told {
  readonly name: string;
  readonly kind: string;
  readonly done: number;
  readonly failed: number;
  readonly busy: number;
  readonly unable?: string;
}

async function workers(server: LiveServer, kind: string): Promise<Told[]> {
  const { workers } = (await (await server.api('GET', '/v1/workers')).json()) as { workers: Told[] };
  return workers.filter((worker) => worker.kind === kind);
}

async function shellWorker(t: Cleanup, server: LiveServer, shell = [BUSYBOX, 'sh']): Promise<Running> {
  const worker = start(t, [...shell, script, server.running.joinUrl]);
  await worker.output(/joined/, { timeout: 20_000 });
  return worker;
}

test('P26 P24: a worker in a plain shell shares 200 commands, is killed, outlives its server, and the results are the same', {
  skip,
}, async (t) => {
  const server = await LiveServer.start(t);
  const node = startWorker({ url: server.running.joinUrl, slots: 2, allow: ['exec'] });
  cleanUp(t, () => node.stop());
  const expected = await records(server, await submit(server, COMMAND, INPUTS));
  assert.equal(expected.length, INPUTS.length);

  const [victim, survivor] = [await shellWorker(t, server), await shellWorker(t, server)];
  const job = await submit(server, COMMAND, INPUTS);
  const byShells = async () =>
    (await workers(server, 'other')).reduce((sum, { done, failed }) => sum + done + failed, 0);
  await waitFor(async () => (await byShells()) >= 4, { what: 'outcomes of the shells', timeout: 30_000 });
  victim.signal('SIGKILL');
  await server.restart();
  await waitFor(async () => (await byShells()) >= 2, { what: 'outcomes after the restart', timeout: 30_000 });
  assert.deepEqual(await records(server, job), expected);
  survivor.signal('SIGTERM');
  assert.equal((await survivor.exit()).code, 0, survivor.describe());
});

const gnuWget = spawnSync('wget', ['--version']).stdout?.toString().startsWith('GNU Wget') ?? false;

test("where wget is GNU's nobody who lists processes sees its token, and commands do not have it", {
  skip: skip || (!gnuWget && 'wget is not GNU Wget here'),
}, async (t) => {
  const server = await LiveServer.start(t);
  const worker = start(t, ['sh', script, '-'], { input: `${server.running.joinUrl}\n` });
  await worker.output(/joined/, { timeout: 20_000 });
  const token = server.running.joinUrl.split('#')[1] as string;
  // While a command runs it polls.
  const code =
    'sleep 1; cat /proc/self/environ; for each in /proc/[0-9]*/cmdline; do tr "\\0" " " <$each | cut -c 1-300; done | grep poll; : {}';
  const [record] = (await records(server, await submit(server, code, [['a']]))) as { value: { stdout: string } }[];
  assert.match(record?.value.stdout ?? '', /wget .*\/v1\/worker\/polls\//);
  assert.equal(record?.value.stdout.includes(token), false);
});

test('P26 P14: at SIGTERM it gives back what it has, and what it cannot do it gives back at once', {
  skip,
}, async (t) => {
  const server = await LiveServer.start(t);
  const first = await shellWorker(t, server, ['sh']);
  const job = await submit(server, 'sleep {}; echo done', [['60'], ['0']]);
  await waitFor(async () => (await workers(server, 'other')).some(({ busy }) => busy === 1), { what: 'a task' });
  const began = performance.now();
  first.signal('SIGTERM');
  assert.equal((await first.exit()).code, 0, first.describe());
  assert.ok(performance.now() - began < 20_000);
  await server.api('POST', `/v1/jobs/${job}/cancel`);

  const second = await shellWorker(t, server);
  const files = await submit(server, 'cat {}', [['a']], { send: ['{}'] });
  await waitFor(async () => (await workers(server, 'other')).some(({ unable }) => unable?.includes('no files')), {
    what: 'the reason',
  });
  await server.api('POST', `/v1/jobs/${files}/cancel`);
  const long = await submit(server, 'sleep 60 & sleep 60', [['a']]);
  await waitFor(async () => (await workers(server, 'other')).some(({ busy }) => busy === 1), {
    what: 'a task',
    timeout: 30_000,
  });
  await server.api('POST', `/v1/jobs/${long}/cancel`);
  const next = await submit(server, 'echo {}', [['a']]);
  assert.deepEqual(await records(server, next), [
    { index: 0, status: 'done', value: { stdout: 'a\n', stderr: '', exitCode: 0 } },
  ]);
  assert.equal(second.stderr, '');
});

test('P26 P1: a token that is none is told once, in words', { skip }, async (t) => {
  const server = await LiveServer.start(t);
  const worker = start(t, [BUSYBOX, 'sh', script, `${server.url}/join#mh_nobody`]);
  const { code, stderr } = await worker.exit();
  assert.equal(code, 1);
  assert.match(stderr, /^the server does not take this token: .*401/);
});
