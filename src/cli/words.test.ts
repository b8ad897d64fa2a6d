import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Served } from '../../test/reliability/served.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine } from '../../test/support/command-line.ts';
import { manyhands } from '../../test/support/processes.ts';

// What is said beside the results, on one farm: it must be true, name what is meant, and say what to do.

const suite: Cleanup = { after };
const line = new CommandLine(suite);
let farm: Served;
before(async () => {
  farm = await line.serve('--workers', '1');
});

async function says(code: number, sentence: RegExp, args: readonly string[], env: Record<string, string> = {}) {
  const result = await line.run(args, { env });
  assert.deepEqual([result.code, result.stdout], [code, ''], `${args.join(' ')}\n${result.stderr}`);
  assert.match(result.stderr, sentence);
}

describe('what can not be written', { skip: process.platform !== 'linux' }, () => {
  it('is told as that, also of standard output, and a directory that is missing by its name', async () => {
    for (const command of ['jobs', 'jobs --json', 'token list']) {
      const full = line.shell(['bash', '-c', `"$0" "$1" ${command} > /dev/full`, ...manyhands]);
      const { code, stderr } = await full.exit(60_000);
      assert.deepEqual([code, stderr], [1, "manyhands: standard output can't be written: the disk is full\n"], command);
    }
    await says(2, /: the backup can't be written to none\/x\.tar: there is no directory none\n$/, [
      'backup',
      'none/x.tar',
    ]);
  });
});

describe('help', () => {
  it('knows commands by name, those below others too, and says which one it does not know', async () => {
    await says(2, /^manyhands: unknown command 'nix' \(see --help\)\n$/, ['help', 'nix']);
    assert.match((await line.run(['help', 'token', 'create'])).stdout, /^Usage: manyhands token create /);
    assert.match((await line.run(['help'])).stdout, /\n {2}help \[command\.\.\.\] /);
    const { stdout } = await line.run(['--version']);
    for (const short of ['-v', '-V']) assert.equal((await line.run([short])).stdout, stdout);
  });
});

describe('the help of run', () => {
  it('says what becomes of no input, and of values that JSON has no words for', async () => {
    const { stdout } = await line.run(['run', '--help']);
    const text = stdout.replace(/\s+/g, ' ');
    assert.match(text, /without any input it is called once, with undefined/);
    assert.match(
      text,
      /What JSON has no words for \(BigInt, Date, Map, NaN, bytes\) is an object with the only key "\$mh"/,
    );
  });
});

describe('an address out of the environment', () => {
  it('is said to come from there', async () => {
    const env = { MANYHANDS_URL: 'no-such-name.invalid', MANYHANDS_TOKEN: 'mh_x' };
    await says(3, /MANYHANDS_URL/, ['jobs'], env);
    await says(3, /\(MANYHANDS_URL names it\)\n$/, ['run', 'square.ts', '1'], env);
  });
});

describe('a job that did not go well', () => {
  it('results say why, as run and wait do', async () => {
    const job = (await line.run(['run', 'endless.mjs', '1', '--detach'])).stdout.trim();
    await line.run(['cancel', job]);
    const why = new RegExp(`^manyhands: job ${job} cancelled \\(0 done, 1 cancelled\\): cancelled by request\\n$`);
    await says(1, why, ['results', job]);
    await says(1, /^$/, ['results', job, '--quiet']);
  });

  it('T-16: the last words of a task keep their lines, and move no cursor', async () => {
    line.write(
      'late.mjs',
      "export default () => { setTimeout(() => { throw new Error('too\\nlate \\x1b[2J'); }, 10); return new Promise(() => {}); };\n",
    );
    const { stderr } = await line.run(['run', 'late.mjs']);
    assert.match(stderr, /^task 0 failed: its process exited with code \d+ while it ran; its last words:\n {4}/);
    assert.match(stderr, /\n {4}Error: too\n {4}late \\x1b\[2J\n {4} {4}at /);
  });
});

describe('a token that is not good enough', () => {
  it('is told by what it is good for, and what to use instead', async () => {
    const link =
      /a token with the role work, such as that of the join link, only lets devices work: use the dashboard link, or a token with the role read or submit or admin\n$/;
    await says(3, link, ['jobs', '--url', farm.joinUrl]);
    await says(3, /only lets devices work: use the dashboard link/, ['run', 'square.ts', '1', '--url', farm.joinUrl]);
    line.write('submit.token', (await line.run(['token', 'create', '--role', 'submit'])).stdout);
    const { workers } = await farm.get<{ workers: { id: string }[] }>('/v1/workers');
    const drain = ['drain', workers[0]?.id as string, '--token-file', 'submit.token'];
    await says(3, /^manyhands: a token with the role submit may not do that: use one with the role admin\n$/, drain);
    assert.match((await line.run(['jobs', '--help'])).stdout, /the server, or its dashboard link/);
  });
});

describe('a task that is not there', () => {
  it('has no logs, which is not the same as having printed nothing', async () => {
    const job = (await line.run(['run', 'square.ts', '1', '--detach'])).stdout.trim();
    await says(2, new RegExp(`^manyhands: job ${job} has 1 task: there is no task 7\\n$`), ['logs', job, '7']);
    await says(0, /^$/, ['logs', job, '0']);
  });
});
