import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Served } from '../../test/reliability/served.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine, noTerminal } from '../../test/support/command-line.ts';
import { manyhands } from '../../test/support/processes.ts';
import { waitFor } from '../../test/support/wait.ts';

// Every command that asks something of a farm, as a process, on one farm.

const suite: Cleanup = { after };
const line = new CommandLine(suite);
let farm: Served;

/** The output of a command that must succeed without a word on stderr. */
async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await line.run(args);
  assert.deepEqual([code, stderr], [0, ''], args.join(' '));
  return stdout;
}

async function refused(code: number, message: RegExp, ...args: string[]): Promise<void> {
  const result = await line.run(args);
  assert.deepEqual([result.code, result.stdout], [code, ''], args.join(' '));
  assert.match(result.stderr, message);
}

const linesOf = (text: string) => text.trimEnd().split('\n');
const jsonLines = (text: string) => linesOf(text).map((one) => JSON.parse(one) as Record<string, unknown>);
const submit = async (...args: string[]) => (await ok('run', ...args, '--detach')).trim();

before(async () => {
  farm = await line.serve('--workers', '2');
});

describe('jobs', () => {
  it('are none at first', async () => {
    assert.match(await ok('jobs'), /^JOB +STATE +DONE +FAILED +TASKS +SUBMITTED +NAME\n$/);
    assert.equal(await ok('jobs', '--json'), '');
    await refused(2, /^manyhands: there is no job yet\n$/, 'show', 'last');
  });

  it('T-16: are listed newest first, and their names move no cursor', async () => {
    const first = await submit('square.ts', '--range', '1..2000');
    const second = await submit('odd.ts', '1', '2', '--name', 'evil\x1b]0;title\x07\nname');
    assert.equal((await line.run(['wait', first, second, '--quiet'])).code, 1);
    const [, newest, older] = linesOf(await ok('jobs'));
    assert.match(
      newest ?? '',
      new RegExp(`^ +${second} +failed +1 +1 +2 +\\d{4}-\\S+ [\\d:]{8} +evil\\\\x1b\\]0;title\\\\x07\\\\nname$`),
    );
    assert.match(older ?? '', new RegExp(`^ +${first} +done +2,000 +0 +2,000 .* square\\.ts$`));
    assert.deepEqual(
      jsonLines(await ok('jobs', '--json', '--limit', '1')).map(({ id }) => id),
      [Number(second)],
    );
  });

  it('are shown one by one', async () => {
    assert.match(
      await ok('show', '1'),
      /^job +1\nname +square\.ts\ncode +square\.ts\nstate +done\ntasks +2,000: 2,000 done, 0 failed\n/,
    );
    const view = JSON.parse(await ok('show', '1', '--json')) as { spec: { name: string }; progress: { done: number } };
    assert.deepEqual([view.spec.name, view.progress.done], ['square.ts', 2000]);
    await refused(2, /^manyhands: there is no job 99\n$/, 'show', '99');
    await refused(2, /^manyhands: "first" is not a job: give its number, or last\n$/, 'show', 'first');
  });

  it('give their results again, as run prints them, also while they run', async () => {
    const job = await submit('slow.mjs', '1', '2', '3', '4');
    assert.equal(await ok('results', 'last'), '1\n2\n3\n4\n');
    assert.equal(linesOf(await ok('results', job, '--json'))[3], '{"index":3,"status":"done","value":4}');
    await ok('results', job, '--out', 'again.jsonl', '--unordered');
    assert.equal(linesOf(readFileSync(path.join(line.directory, 'again.jsonl'), 'utf8')).length, 4);
    const failed = await line.run(['results', '2']);
    assert.deepEqual([failed.code, failed.stdout], [1, '1\n']);
    assert.match(failed.stderr, /^task 1 failed: TypeError: no 2\n/);
  });

  it('are waited for and watched, and both exit as the jobs did', async () => {
    const job = await submit('square.ts', '1', '2');
    await ok('wait', job);
    const waiting = await submit('square.ts', '1', '--requires', 'moon=full');
    const watching = line.start(['watch', waiting]);
    await watching.output(/^job \d+ active: 0 of 1 done\n/);
    await ok('cancel', waiting);
    const { code, stdout } = await watching.exit();
    assert.equal(code, 1);
    assert.match(stdout, /\njob \d+ cancelled: 0 of 1 done, 1 cancelled\n$/);
    const changes = jsonLines(await ok('watch', job, '1', '--json'));
    assert.deepEqual(
      changes.map(({ id }) => id),
      [Number(job), 1],
    );
    const failed = await line.run(['wait', '1', '2']);
    assert.deepEqual([failed.code, failed.stdout], [1, '']);
    assert.match(failed.stderr, /^manyhands: job 2 failed \(1 done, 1 failed\)\n$/);
    assert.equal((await line.run(['watch', '2'])).code, 1);
    await refused(2, /there is no job 99/, 'wait', job, '99');
  });

  it('T-16: tell what their tasks printed: as it was into a pipe, harmless on a terminal', async (t) => {
    const job = await submit('talk.mjs', '"a"', '"b"');
    await ok('wait', job);
    const logs = await waitFor(async () => {
      const text = await ok('logs', job);
      return linesOf(text).length === 4 ? text : undefined;
    });
    assert.deepEqual(linesOf(logs).sort(), ['0: I am a', '0: \x1b[31mred', '1: I am b', '1: \x1b[31mred'].sort());
    assert.deepEqual(jsonLines(await ok('logs', job, '1', '--json')).map(({ index, text }) => [index, text]), [
      [1, 'I am b\n'],
      [1, '\x1b[31mred\n'],
    ]); // biome-ignore format: pairs
    if (noTerminal !== undefined) return t.diagnostic(noTerminal);
    const { stdout } = await line.onTerminal(['logs', job, '0']).exit();
    assert.equal(stdout.replaceAll('\r', ''), '0: I am a\n0: \\x1b[31mred\n');
  });

  it('are paused, resumed, cancelled, retried and forgotten', async () => {
    const job = await submit('endless.mjs', '1', '2', '3');
    await ok('pause', job);
    assert.match(await ok('show', job), /^state +paused$/m);
    await ok('resume', job);
    await refused(2, /still running: cancel it first/, 'forget', job);
    await ok('cancel', job);
    assert.equal((await line.run(['cancel', job])).stderr, `manyhands: job ${job} had ended already (cancelled)\n`);
    assert.match(
      await ok('show', job),
      /^state +cancelled\nreason +cancelled by request\ntasks +3: 0 done, 0 failed, 3 cancelled$/m,
    );
    await refused(2, /has no failed task to retry/, 'retry', job);
    await ok('retry', '2');
    assert.equal((await line.run(['wait', '2', '--quiet'])).code, 1);
    assert.match(await ok('show', '2'), /^tasks +2: 1 done, 1 failed$/m);
    await ok('forget', job);
    await refused(2, /there is no job/, 'show', job);
    const last = await submit('square.ts', '1');
    assert.equal((await line.run(['wait', last, '--quiet'])).code, 0);
    assert.equal((await line.run(['forget', 'last'])).stderr, `manyhands: job ${last} is forgotten\n`);
  });

  it('explain why a task waits', async () => {
    const job = await submit('square.ts', '1', '--requires', 'moon=full');
    assert.match(await ok('explain', job, '0'), /^state +waiting\n[\s\S]*lacks the label moon=full/);
    const { state, reasons } = JSON.parse(await ok('explain', 'last', '0', '--json')) as {
      state: string;
      reasons: string[];
    };
    assert.deepEqual([state, reasons.length > 0], ['waiting', true]);
    await refused(2, /^manyhands: job \d+ has 1 tasks?: there is no task 5\n$/, 'explain', job, '5');
    await refused(2, /INDEX takes a whole number/, 'explain', job, 'x');
    await ok('cancel', job);
  });
});

describe('watch', () => {
  it('without a job shows the whole farm: lines in a pipe, messages of the feed as JSON, a screen on a terminal', async () => {
    const lines = line.start(['watch']);
    await lines.output(
      /^1 worker, 0 of 2 slots busy; 0 open jobs; [\d,]+ tasks done, [\d,]+ failed since the server started\n/m,
    );
    const job = await submit('square.ts', '--range', '1..10', '--requires', 'gpu=yes', '--name', 'seen\x1b[31m');
    await lines.output(/^1 worker, .* 1 open job; /m);
    lines.signal('SIGINT');
    assert.equal((await lines.exit()).code, 130);
    const messages = line.start(['watch', '--json']);
    await messages.output(/^\{"kind":"boundary"/m);
    messages.signal('SIGINT');
    const { stdout, stderr } = await messages.exit();
    assert.deepEqual(
      [
        jsonLines(stdout)
          .map(({ kind }) => kind)
          .slice(0, 2),
        stderr,
      ],
      [['snapshot', 'boundary'], ''],
    );
    await ok('cancel', job);
  });

  it('draws tables on a terminal', { skip: noTerminal }, async () => {
    const screen = line.onTerminal(['watch']);
    await screen.output(/JOB +STATE[\s\S]*cancelled[\s\S]*seen\\x1b\[31m[\s\S]*WORKER +STATE[\s\S]*ready +0 +2 /);
    screen.write('\x03');
    await screen.exit();
  });
});

describe('workers', () => {
  it('are listed, and drained, undrained and stopped by id, its beginning, or name', async () => {
    const worker = await farm.join('--name', 'helper one', '--slots', '1');
    const [, here, helper] = linesOf(await ok('workers')).sort((a, b) =>
      a.includes('helper') ? 1 : b.includes('helper') ? -1 : 0,
    );
    assert.match(here ?? '', /^[a-z2-7]{10} +ready +0 +2 +[\d,]+ +\d+ +\S+ \(\w+ \w+, Node v/);
    const id = (helper as string).slice(0, 10);
    const stateOf = async () => jsonLines(await ok('workers', '--json')).find((each) => each.id === id)?.state;
    await ok('drain', 'helper one');
    assert.equal(await stateOf(), 'draining');
    await ok('undrain', id.slice(0, 6));
    assert.equal(await stateOf(), 'ready');
    await refused(2, /^manyhands: there is no worker nobody: "manyhands workers" lists them\n$/, 'stop', 'nobody');
    await ok('stop', id);
    assert.equal((await worker.exit()).code, 0);
    assert.match(worker.stdout, /"state":"ended"/);
  });
});

describe('tokens', () => {
  it('are made for a role and for a time, listed without their texts, and revoked', async () => {
    const text = (await ok('token', 'create', '--role', 'read', '--name', 'mine', '--expires', '7d')).trim();
    assert.match(text, /^mh_[\w-]{43}$/);
    const listed = await ok('token', 'list');
    assert.match(listed, /^TOKEN +ROLE +MADE +ENDS +NAME$/m);
    assert.ok(!listed.includes(text));
    const mine = jsonLines(await ok('token', 'list', '--json')).find(({ name }) => name === 'mine');
    assert.equal(Math.round((Number(mine?.expiresAt) - Number(mine?.createdAt)) / 86_400_000), 7);
    const env = { MANYHANDS_URL: farm.url, MANYHANDS_TOKEN: text };
    assert.equal((await line.run(['jobs'], { env })).code, 0);
    const refusals = [
      ['run', 'square.ts', '1'],
      ['token', 'list'],
      ['cancel', '1'],
      ['backup', 'x.tar'],
      ['join', farm.url],
    ];
    for (const args of refusals) {
      const { code, stderr } = await line.run(args, { env });
      assert.equal(code, 3, args.join(' '));
      assert.match(stderr, /^manyhands: [^\n]*\n$/);
    }
    const made = await ok('token', 'create', '--role', 'admin', '--json');
    const { id: own, token } = JSON.parse(made) as { id: string; token: string };
    const ended = await line.run(['token', 'revoke', own], {
      env: { MANYHANDS_URL: farm.url, MANYHANDS_TOKEN: token },
    });
    assert.deepEqual([ended.code, ended.stdout], [0, '']);
    assert.match(ended.stderr, /^that was the token in use here; .* makes a new one when it starts again\n$/);
    await ok('token', 'revoke', String(mine?.id));
    const { code, stderr } = await line.run(['jobs'], { env });
    assert.deepEqual(
      [code, stderr],
      [
        3,
        `manyhands: the server at ${farm.url} does not accept the token: it may have ended or been revoked, or be of another server; ask its owner for a new one\n`,
      ],
    );
    assert.match(await ok('token', 'list'), /revoked +mine$/m);
  });
});

describe('backup', () => {
  it('is one private file, and a server starts on it by what the command says', async (t) => {
    const file = path.join(line.directory, 'farm.tar');
    line.write('farm.tar', 'an older one');
    const { code, stdout, stderr } = await line.run(['backup', 'farm.tar']);
    assert.deepEqual([code, stdout], [0, '']);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!existsSync(`${file}.partial`));
    const [, unpack] =
      /\nTo restore: (mkdir DIR && tar -xf farm\.tar -C DIR) && manyhands serve --data DIR\n$/.exec(stderr) ?? [];
    assert.ok(unpack !== undefined, stderr);
    assert.equal((await line.shell(['sh', '-c', unpack]).exit()).code, 0);
    const restored = await Served.start(t, { dataDir: path.join(line.directory, 'DIR') });
    const env = { MANYHANDS_URL: restored.url, MANYHANDS_TOKEN: restored.admin };
    assert.equal((await line.run(['results', '1'], { env })).stdout, await ok('results', '1'));
    assert.equal(restored.admin, farm.admin);
  });

  it('goes to standard output too, and leaves an older one alone where it can not be whole', async () => {
    const listing = await line.shell(['sh', '-c', `"$0" "$1" backup - | tar -tf -`, ...manyhands]).exit();
    assert.equal(listing.stderr, '');
    assert.match(listing.stdout, /^manyhands\.db\nadmin\.token\njoin\.token\n(blobs\/[0-9a-f]{64}\n)*$/);
    mkdirSync(path.join(line.directory, 'folder'));
    await refused(
      2,
      /^manyhands: the backup can't be written to nowhere\/farm\.tar: there is no directory nowhere\n$/,
      'backup',
      'nowhere/farm.tar',
    );
    await refused(2, /^manyhands: the backup can't be written to folder: it is a directory\n$/, 'backup', 'folder');
  });
});

describe('doctor', () => {
  it('finds nothing wrong here, and says what is wrong elsewhere', async () => {
    // What it says of the machine differs from machine to machine; a disk with little room makes it exit with 1.
    const { stdout } = await line.run(['doctor']);
    assert.match(stdout, /^✓ server +answers at http[\s\S]*\n✓ token +is good for everything \(role admin\)\n$/m);
    const { code, stdout: json, stderr } = await line.run(['doctor', '--json']);
    const findings = JSON.parse(json) as { what: string; state: string; words: string }[];
    const wrong = findings.filter(({ state }) => state === 'wrong');
    assert.deepEqual([code, stderr], [wrong.length > 0 ? 1 : 0, '']);
    for (const { what, words } of wrong)
      assert.match(`${what}: ${words}`, /^disk: (only .* are free|.* lies in memory)/);
    assert.equal(findings.find(({ what }) => what === 'server')?.state, 'ok');
    const lost = await line.run(['doctor', '--url', 'http://127.0.0.1:9', '--json']);
    assert.equal(lost.code, 1);
    assert.match(lost.stdout, /"what":"server","state":"wrong","words":"no server answers at http:\/\/127\.0\.0\.1:9/);
  });
});
