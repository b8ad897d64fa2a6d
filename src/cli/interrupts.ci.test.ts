import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Served } from '../../test/reliability/served.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine, noTerminal } from '../../test/support/command-line.ts';
import { manyhands, treeOf } from '../../test/support/processes.ts';
import { waitFor } from '../../test/support/wait.ts';

// What happens to a job when whoever watches it goes, and what a terminal shows of one.

const suite: Cleanup = { after };
const line = new CommandLine(suite);
let farm: Served;
/** Milliseconds, on a machine that has other things to do. */
const PATIENCE = 60_000;

before(async () => {
  farm = await line.serve('--workers', '2');
});

// What a test leaves running would keep the slots from the next one.
afterEach(async () => {
  const { jobs } = await farm.get<{ jobs: { id: number; progress: { state: string } }[] }>('/v1/jobs');
  for (const { id, progress } of jobs) {
    if (progress.state === 'active') await farm.ask({ method: 'POST', path: `/v1/jobs/${id}/cancel` });
  }
});

const state = async (job: string): Promise<string> =>
  (await farm.get<{ progress: { state: string } }>(`/v1/jobs/${job}`)).progress.state;

const lastState = async (): Promise<string | undefined> =>
  (await farm.get<{ jobs: { progress: { state: string } }[] }>('/v1/jobs?limit=1')).jobs[0]?.progress.state;

/** The number of the job of this name, once a task of it runs. */
const newest = async (name: string): Promise<string> => {
  const find = async () => {
    const { jobs } = await farm.get<{ jobs: { id: number; running: number; spec: { name: string } }[] }>('/v1/jobs');
    return jobs.find(({ spec, running }) => spec.name === name && running > 0)?.id;
  };
  return String(await waitFor(find, { what: `${name} to run`, timeout: PATIENCE, interval: 50 }));
};

describe('Ctrl-C', () => {
  it('cancels the job and waits for its end; what is done is printed, exit 130', async () => {
    line.write(
      'some.mjs',
      'export default (x, { signal }) => x === 1 ? x : new Promise((_, no) => { signal.onabort = () => no(signal.reason); });\n',
    );
    const running = line.start(['run', 'some.mjs', '--range', '1..10', '--name', 'first']);
    const job = await newest('first');
    await running.output(/^1\n/, { stream: 'stdout', timeout: PATIENCE });
    running.signal('SIGINT');
    const { code, stdout, stderr } = await running.exit(PATIENCE);
    assert.deepEqual([code, stdout], [130, '1\n']);
    assert.match(
      stderr,
      new RegExp(
        `^\\nmanyhands: job ${job} is being cancelled; Ctrl-C again leaves at once\\nmanyhands: job ${job} cancelled \\(1 done, 9 cancelled\\): cancelled by request\\n$`,
      ),
    );
    assert.equal(await state(job), 'cancelled');
  });

  it('cancels a job whose inputs have no end, though standard input says nothing more', async () => {
    const running = line.start(['run', 'echo.mjs', '--inputs', '-', '--name', 'open'], { input: 'open' });
    running.write('one\n');
    await running.output(/^one\n/, { stream: 'stdout', timeout: PATIENCE });
    running.signal('SIGINT');
    assert.equal((await running.exit(PATIENCE)).code, 130);
    assert.equal(await lastState(), 'cancelled');
  });

  it('leaves at once the second time, also where the server does not answer', async () => {
    const running = line.start(['run', 'endless.mjs', '1', '--name', 'second']);
    const job = await newest('second');
    farm.process.signal('SIGSTOP');
    try {
      running.signal('SIGINT');
      await running.output(/Ctrl-C again leaves at once/, { timeout: PATIENCE });
      running.signal('SIGINT');
      assert.equal((await running.exit(PATIENCE)).code, 130);
    } finally {
      farm.process.signal('SIGCONT');
    }
    await line.run(['cancel', job]);
  });

  it('ends a server of its own with the job, and leaves nothing behind, the first time or the second', async () => {
    const temporary = path.join(line.directory, 'tmp');
    mkdirSync(temporary, { recursive: true });
    for (const times of [1, 2]) {
      const running = line.start(['run', 'endless.mjs', '1', '2', '--local', '1'], { env: { TMPDIR: temporary } });
      await running.output(/runs for this command alone/, { timeout: PATIENCE });
      const family = treeOf(running.pid);
      for (let i = 0; i < times; i++) running.signal('SIGINT');
      assert.equal((await running.exit(PATIENCE)).code, 130);
      await waitFor(() => family.every((pid) => !existsSync(`/proc/${pid}`)), { what: 'all its processes to end' });
      assert.deepEqual(readdirSync(temporary), []);
    }
  });

  it('leaves the job of another alone: results, wait and watch only leave', async () => {
    const job = (await line.run(['run', 'endless.mjs', '1', '--detach'])).stdout.trim();
    for (const command of ['results', 'wait', 'watch']) {
      await waitFor(async () => (await connections()) === 0, { what: 'the last one to leave', timeout: PATIENCE });
      const running = line.start([command, job]);
      await waitFor(async () => (await connections()) > 0, { what: 'it to connect', timeout: PATIENCE });
      running.signal('SIGINT');
      assert.equal((await running.exit(PATIENCE)).code, 130, command);
    }
    assert.equal(await state(job), 'active');
    await line.run(['cancel', job]);
  });

  it('lets a worker finish what it runs, also on a terminal, which sends it to the tasks as well', {
    skip: noTerminal,
  }, async () => {
    line.write(
      'steady.mjs',
      "export default (x, ctx) => { ctx.log('begun'); return new Promise((done) => setTimeout(() => done(x), 1000)); };\n",
    );
    const worker = line.onTerminal(['join', farm.joinUrl, '--slots', '1', '--label', 'on=terminal']);
    await worker.output(/joined/, { timeout: PATIENCE });
    const running = line.start(['run', 'steady.mjs', '7', '--requires', 'on=terminal', '--name', 'steady']);
    const job = await newest('steady');
    // Before it has begun the task would be given back, and nobody else may run it.
    await waitFor(async () => /begun/.test((await farm.ask({ path: `/v1/jobs/${job}/logs` })).text), {
      what: 'the task to begin',
      timeout: PATIENCE,
    });
    worker.write('\x03');
    assert.equal((await worker.exit(PATIENCE)).code, 0, worker.stdout);
    assert.doesNotMatch(worker.stdout, /died/);
    assert.equal((await running.exit(PATIENCE)).stdout, '7\n');
  });
});

async function isWhole(job: string): Promise<boolean> {
  const { progress } = await farm.get<{ progress: { open: boolean } }>(`/v1/jobs/${job}`);
  return !progress.open;
}

/** Programs that are connected to the farm as clients. */
async function connections(): Promise<number> {
  const { text } = await farm.ask({ path: '/metrics' });
  return Number(/^manyhands_clients (\d+)$/m.exec(text)?.[1] ?? 0);
}

describe('whoever goes without a word', () => {
  it('leaves a served job running: a closed terminal, a kill, a client that dies', async () => {
    for (const signal of ['SIGHUP', 'SIGTERM', 'SIGKILL'] as const) {
      const running = line.start(['run', 'slow.mjs', '1', '2', '3', '4', '--name', signal]);
      const job = await newest(signal);
      await waitFor(() => isWhole(job), { what: 'all inputs to have come', timeout: PATIENCE });
      // A result comes after the word that all inputs are there.
      await running.output(/^1\n/, { stream: 'stdout', timeout: PATIENCE });
      running.signal(signal);
      const { code, stderr } = await running.exit(PATIENCE);
      assert.equal(code, { SIGHUP: 129, SIGTERM: 143, SIGKILL: null }[signal]);
      const says = signal === 'SIGKILL' ? '' : `manyhands: job ${job} goes on: manyhands results ${job}\n`;
      assert.equal(stderr, says);
      assert.equal((await line.run(['results', job])).stdout, '1\n2\n3\n4\n');
    }
  });

  it('ends quietly: a pipe into head, of a job and of a listing', async () => {
    const shell = (command: string) =>
      line.shell(['bash', '-c', `set -o pipefail; ${command}`, ...manyhands]).exit(PATIENCE);
    const served = await shell('"$0" "$1" run square.ts --range 1..300000 --name piped | head -2');
    assert.deepEqual(served, { code: 0, signal: null, stdout: '1\n4\n', stderr: '' });
    // The server has all that it needs: it finishes what nobody has seen to the end.
    assert.equal((await line.run(['wait', 'last'])).code, 0);
    const own = await shell('"$0" "$1" run square.ts --range 1..300000 --local 2 --quiet | head -1');
    assert.deepEqual(own, { code: 0, signal: null, stdout: '1\n', stderr: '' });
    const endless = await shell('yes 1 | "$0" "$1" run echo.mjs --inputs - --name yes | head -1');
    assert.deepEqual([endless.stdout, endless.stderr], ['1\n', '']);
    assert.equal(await lastState(), 'cancelled', 'a job that would never have all its inputs');
    for (const command of ['jobs', 'jobs --json', 'results 1', '--help']) {
      const { code, stderr } = await shell(`"$0" "$1" ${command} | true`);
      assert.deepEqual([code, stderr], [0, ''], command);
    }
  });
});

/** What a terminal obeys is easier to read where it has names. */
const readable = (text: string): string =>
  text
    .replaceAll('\x1b[2K', '<clear>')
    .replaceAll('\x1b[32m', '<green>')
    .replaceAll('\x1b[0m', '<plain>')
    .replaceAll('\x1b', '<esc>');

describe('on a terminal', { skip: noTerminal }, () => {
  it('a bar shows how far a job is, its rate and when it will end, and is gone at its end', async () => {
    const { code, stdout } = await line.onTerminal(['run', 'slow.mjs', '--range', '1..12']).exit(PATIENCE);
    const screen = readable(stdout);
    assert.equal(code, 0);
    const bar = /\r<clear><green>█+░+ <plain> *\d+% {2}\d+\/12 {2}[\d.]+\/s {2}ETA \d[\d.]*m?s {2}\d+ with workers/;
    assert.match(screen, bar);
    assert.match(screen, /\r<clear>[^<]*12\r\n$/, 'the bar steps aside for results, and does not come back');
  });

  it('has no colours with NO_COLOR, and is not there at all with --quiet', async () => {
    const plain = await line
      .onTerminal(['run', 'slow.mjs', '1', '2', '3', '4'], { env: { NO_COLOR: '1' } })
      .exit(PATIENCE);
    assert.match(plain.stdout, /[█░]{24} +\d+%/);
    assert.doesNotMatch(readable(plain.stdout), /<green>|<esc>/);
    const quiet = await line.onTerminal(['run', 'slow.mjs', '1', '2', '--quiet']).exit(PATIENCE);
    assert.equal(quiet.stdout, '1\r\n2\r\n');
  });

  it('T-16: results and names are shown, not obeyed, and come into a pipe byte for byte', async () => {
    line.write('evil.mjs', "export default () => '\\x1b]0;title\\x07\\u009b2J';\n");
    assert.equal(
      (await line.onTerminal(['run', 'evil.mjs', '--quiet']).exit(PATIENCE)).stdout,
      '\\x1b]0;title\\x07\\u009b2J\r\n',
    );
    assert.equal((await line.run(['run', 'evil.mjs', '--quiet'])).stdout, '\x1b]0;title\x07\u009b2J\n');
    const { stdout } = await line.onTerminal(['jobs', '--json', '--limit', '1']).exit(PATIENCE);
    assert.equal((JSON.parse(stdout) as { spec: { name: string } }).spec.name, 'evil.mjs');
  });

  it('the first Ctrl-C is a key press for the whole group, and the bar leaves a clean line', async () => {
    const running = line.onTerminal(['run', 'endless.mjs', '1', '2', '--local', '2']);
    await running.output(/2 with workers/, { timeout: PATIENCE });
    running.write('\x03');
    const { code, stdout } = await running.exit(PATIENCE);
    assert.equal(code, 130);
    assert.match(stdout, /manyhands: job 1 cancelled \(0 done, 2 cancelled\): cancelled by request\r\n$/);
    assert.doesNotMatch(stdout, /failed/);
  });
});
