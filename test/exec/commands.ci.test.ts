import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, it, test } from 'node:test';
import { connect } from '../../src/index.ts';
import { CommandLine } from '../support/command-line.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { LiveServer } from '../support/live-server.ts';
import { isAlive, startManyhands, treeOf } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

describe('manyhands exec', () => {
  it('says what is wrong with a command line before anything runs: exit 2', async (t) => {
    const shell = new CommandLine(t);
    shell.write('log', 'no log\n');
    const cases: [string[], RegExp][] = [
      [['--send', '{}', '--', 'cat', ':::', 'square.ts', 'none'], /--send none: there is no such file \(for command 2\)$/m],
      [['--send', '../{}', '--', 'cat', ':::', 'x'], /--send \.\.\/x: it lies outside of this directory, and has no place on a worker$/m],
      [['--resume', '--', 'echo', ':::', 'x'], /--resume goes on where a log ends: name it with --joblog$/m],
      [['--resume-failed', '--', 'echo', ':::', 'x'], /--resume-failed goes on where a log ends: name it with --joblog$/m],
      [['--resume', '--joblog', 'log', '--', 'echo', ':::', 'x'], /--joblog: log is no log of commands that --resume could go on with$/m],
      [['--cwd', '/', '--collect', '*', '--', 'echo', ':::', 'x'], /--cwd is a directory that all workers share/],
      [['-j', '0', '--', 'echo', ':::', 'x'], /-j takes a number such as 4, 50%, \+2 or -1, not "0"$/m],
      [['--pipe', '--', 'wc', ':::', 'x'], /--pipe gives standard input to the commands, which then have no arguments: leave out the values$/m],
      [['--env', 'NOT_HERE', '--', 'echo', ':::', 'x'], /--env NOT_HERE: there is no such variable here; give its value: NOT_HERE=…$/m],
      [['--halt', 'never,ever', '--', 'echo', ':::', 'x'], /--halt takes never, or now or soon with fail=N, success=N or done=N, such as now,fail=1; not "never,ever"$/m],
      [['--detach', '--tag', '--', 'echo', ':::', 'x'], /--detach prints the id of the job only, and --tag needs this command to stay$/m],
      [['-a', 'none', '--', 'echo'], /there is no input file none$/m],
      [['--collect', '../*', '--', 'echo', ':::', 'x'], /--collect \.\.\/\*: it leads out of the directory of the command, and nothing from there comes back$/m],
      [['-X', '-m', '--', 'echo', ':::', 'x'], /-X and -m fill commands in two ways: give only one of them$/m],
      [['-n', '1', '-L', '1', '--', 'echo', ':::', 'x'], /-n and -L both say how many values a command gets: give only one of them$/m],
      [['-X', '-s', '9', '--', 'echo', ':::', 'x', 'too long'], /a command line with one argument alone is too long: "too long"$/m],
      [['-X', '-q', '--', 'echo', 'a {}', ':::', 'x'], /--quote keeps "a \{\}" one word, in which an argument can't stand several times: /m],
      [['--plus', '--', 'echo', '{%(}', ':::', 'x'], /a replacement string has a pattern that can't be read: .+$/m],
      [['--results', 'r.csv', '--', 'echo', ':::', 'x'], /--results r.csv: it is a directory that is written; --json prints records$/m],
      [['--results', 'r', '--pipe', '--', 'wc'], /--results goes by arguments, and with --pipe there are none$/m],
    ]; // biome-ignore format: one line
    await Promise.all(
      cases.map(async ([args, says]) => {
        const { code, stdout, stderr } = await shell.run(['exec', ...args]);
        assert.match(stderr, says);
        assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      }),
    );
  });

  it('writes a log, and goes on where the log ends', async (t) => {
    const shell = new CommandLine(t);
    const command = ['--', 'echo {}; test {} != 2 -o -e there', ':::', '1', '2', '3'];
    const first = await shell.run(['exec', '-j1', '--joblog', 'log', ...command]);
    assert.deepEqual([first.code, first.stdout], [1, '1\n2\n3\n']);
    assert.match(first.stderr, /^command 2 failed: ExitError: its command exited with code 1$/m);
    const line = (n: number, exit: number) =>
      `${n}\t\\S+\t\\d+\\.\\d{3}\t +\\d+\\.\\d{3}\t0\t2\t${exit}\t0\techo ${n}; test .*\n`;
    const head = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n';
    const log = readFileSync(path.join(shell.directory, 'log'), 'utf8');
    assert.match(log, new RegExp(`^${head}${line(1, 0)}${line(2, 1)}${line(3, 0)}$`));
    const other = await shell.run(['exec', '--resume', '--joblog', 'log', '--', 'echo', ':::', '1', '2']);
    assert.equal(other.code, 2);
    assert.match(
      other.stderr,
      /--resume: command 1 was "echo 1; .*" in the log and is "echo 1" now: give the same command/,
    );
    const failed = await shell.run(['exec', '--quiet', '--resume-failed', '--joblog', 'log', ...command]);
    assert.deepEqual([failed.code, failed.stdout], [1, '2\n']);
    assert.match(failed.stderr, /^command 2 failed: /, 'its number in the log');
    shell.write('there', '');
    const resumed = await shell.run(['exec', '--quiet', '--resume-failed', '--joblog', 'log', ...command]);
    assert.deepEqual([resumed.code, resumed.stdout, resumed.stderr], [0, '2\n', '']);
    const again = await shell.run(['exec', '--quiet', '--resume', '--joblog', 'log', ...command, '4']);
    assert.deepEqual([again.code, again.stdout], [0, '4\n']);
  });

  it('ends early when too many commands have failed: at once, or when those that run have ended', async (t) => {
    const shell = new CommandLine(t);
    const now = ['--halt', 'now,fail=1', '--', 'test {} = 1 || sleep 1000; echo {}; exit 3', ':::', '1', '2', '3'];
    const soon = ['--halt', 'soon,fail=1', '--', 'sleep 0.2; echo {}; exit 3'];
    const many = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('');
    const [atOnce, later] = await Promise.all([
      shell.run(['exec', '--quiet', '-j1', ...now]),
      shell.run(['exec', '--quiet', '-j1', ...soon], { input: many }),
    ]);
    assert.deepEqual([atOnce.code, atOnce.stdout], [1, '1\n']);
    assert.equal(later.code, 1);
    assert.match(later.stdout, /^0\n/);
    assert.ok(later.stdout.split('\n').length < 10, later.stdout);
  });

  it('ends early when enough have succeeded or ended, and says so by its exit code', async (t) => {
    const shell = new CommandLine(t);
    const halted = (halt: string, script: string) =>
      shell.run(['exec', '--quiet', '-j1', '--halt', halt, '--', script, ':::', '3', '0', '30', '31']);
    const script = 'test {} -lt 10 || sleep {}; echo {}; exit {}';
    const [first, two] = [await halted('now,success=1', script), await halted('now,done=2', script)];
    assert.deepEqual([first.code, first.stdout], [0, '3\n0\n']);
    assert.deepEqual([two.code, two.stdout], [1, '3\n0\n']);
  });

  it('waits for no more inputs when the job has ended without them', async (t) => {
    const shell = new CommandLine(t);
    const running = shell.start(['exec', '-j2', '--halt', 'soon,fail=1', '--', 'false'], { input: 'open' });
    running.child.stdin?.write('1\n2\n');
    const { code, stderr } = await running.exit(60_000);
    assert.match(stderr, /^manyhands: job 1 cancelled \(0 done, 2 failed\)/m);
    assert.equal(code, 1);
  });

  it('R13: ends soon: what a worker has queued and not begun is recalled', async (t) => {
    const shell = new CommandLine(t);
    const served = await shell.serve();
    const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '2', '--allow', 'exec']);
    await worker.output(/joined/, { timeout: 60_000 });
    // Short ones come first, so that the worker has hundreds ahead; of those that take long the first fails.
    const script = 'echo {}; test {} -lt 300 || { sleep 0.5; exit 3; }';
    const many = Array.from({ length: 3_000 }, (_, i) => `${i}\n`).join('');
    const { code, stdout } = await shell.run(['exec', '--quiet', '--halt', 'soon,fail=1', '--', script], {
      input: many,
    });
    const ran = stdout.split('\n').length - 1;
    assert.equal(code, 1);
    assert.ok(ran > 300 && ran < 320, `${ran} of 3000 ran`);
  });

  it('sends files to workers, brings others back, and writes nothing outside of this directory', async (t) => {
    const shell = new CommandLine(t);
    const served = await shell.serve();
    const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '2', '--allow', 'exec']);
    await worker.output(/joined/, { timeout: 60_000 });
    mkdirSync(path.join(shell.directory, 'd'));
    shell.write('d/a b.txt', 'hello');
    const upper = ['--send', '{}', '--collect', '{.}.up', '--', 'tr a-z A-Z <{} >{.}.up; pwd', ':::', 'd/a b.txt'];
    const done = await shell.run(['exec', '--quiet', ...upper]);
    assert.deepEqual([done.code, done.stderr], [0, '']);
    assert.match(done.stdout, /manyhands-worker-.*files\n$/);
    assert.equal(readFileSync(path.join(shell.directory, 'd/a b.up'), 'utf8'), 'HELLO');
    // Later, and by another command, it prints the same.
    assert.equal((await shell.run(['results', 'last', '--quiet'])).stdout, done.stdout);

    const outside = temporaryDirectory(t);
    symlinkSync(outside, path.join(shell.directory, 'way-out'));
    const leads = ['--collect', 'way-out/x', '--', 'mkdir way-out; echo {} >way-out/x', ':::', 'x'];
    const refused = await shell.run(['exec', '--quiet', ...leads]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /a command brought back a file for way-out\/x, which lies outside of this directory: it was not written$/m,
    );
    assert.equal(existsSync(path.join(outside, 'x')), false);
  });

  it('ends its commands when it is interrupted', async (t) => {
    const shell = new CommandLine(t);
    const running = shell.start(['exec', '--', 'echo $$ >pid-{}; sleep 1000; :', ':::', '1']);
    const file = path.join(shell.directory, 'pid-1');
    await running.output(/for this command alone/, { timeout: 60_000 });
    await waitFor(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), {
      what: 'the command',
      timeout: 60_000,
    });
    running.signal('SIGINT');
    const { code } = await running.exit(60_000);
    assert.equal(code, 130);
    const pid = Number(readFileSync(file, 'utf8'));
    await waitFor(() => !isAlive(pid), { what: 'the end of the command' });
  });
});

test('when a worker is killed its commands are gone too, and the task runs elsewhere', async (t) => {
  const server = await LiveServer.start(t);
  const farm = await connect({ url: server.url, token: server.admin });
  t.after(() => farm.close());
  const directory = temporaryDirectory(t);
  const join = (): ReturnType<typeof startManyhands> =>
    startManyhands(t, ['join', `${server.url}/join#${server.work}`, '--slots', '1', '--allow', 'exec']);
  const first = join();
  await first.output(/joined/, { timeout: 60_000 });
  const script = `sleep 1000 & echo $! >${directory}/$!; test $(ls ${directory} | wc -l) = 2 && kill $! || wait; : {}`;
  const task = { runner: 'exec', code: JSON.stringify({ command: script }), sourceName: 'sleep' } as const;
  const job = await farm.map(task, [['x']]);
  await waitFor(() => readdirSync(directory).length === 1, { what: 'the command to run', timeout: 30_000 });
  const [pid] = readdirSync(directory);
  const all = treeOf(first.pid).filter((each) => each !== first.pid);
  first.signal('SIGKILL');
  await waitFor(() => !isAlive(Number(pid)), { what: 'the end of the command', timeout: 20_000 });
  await waitFor(() => !all.some(isAlive), { what: 'the end of all processes of the worker', timeout: 20_000 });
  await join().output(/joined/, { timeout: 60_000 });
  assert.equal((await job.settled())[0]?.status, 'done');
});
