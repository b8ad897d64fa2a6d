import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { clientFarm } from '../../../../test/support/client-farm.ts';
import { temporaryDirectory } from '../../../../test/support/directories.ts';
import { isAlive } from '../../../../test/support/processes.ts';
import { waitFor } from '../../../../test/support/wait.ts';
import type { Farm } from '../../../client/farm.ts';
import type { JobOptions } from '../../../client/job-options.ts';
import type { TaskRecord } from '../../../client/outcomes.ts';
import type { TaskError } from '../../../client/task-error.ts';
import type { ExecCode, ExecFile, ExecInput, ExecValue } from '../../exec/exec-code.ts';
import type { WorkerOptions } from '../join.ts';

const notHere = process.platform === 'win32' ? 'needs a POSIX shell' : undefined;
const noProcessTable = process.platform === 'linux' ? undefined : 'needs /proc';

function commandFarm(t: TestContext, options: Partial<WorkerOptions> = {}) {
  return clientFarm(t, { allow: ['exec'], ...options });
}

type Inputs = readonly (ExecInput | Uint8Array)[];

async function submit(farm: Farm, code: string | ExecCode, inputs: Inputs, options: JobOptions = {}) {
  const given = typeof code === 'string' ? { command: code } : code;
  const task = { runner: 'exec', code: JSON.stringify(given), sourceName: 'test' } as const;
  return farm.map<(input: unknown) => ExecValue>(task, inputs, { maxFailures: 1_000, ...options });
}

async function runAll(farm: Farm, code: string | ExecCode, inputs: Inputs, options: JobOptions = {}) {
  return (await submit(farm, code, inputs, options)).settled();
}

function doneOf(record: TaskRecord<ExecValue> | undefined): ExecValue {
  if (record?.status !== 'done') throw new Error(`it is no value: ${JSON.stringify(record)}`);
  return record.value;
}

function errorOf(record: TaskRecord<ExecValue> | undefined): TaskError & { value: ExecValue } {
  if (record?.status !== 'failed') throw new Error(`it is no failure: ${JSON.stringify(record)}`);
  return record.error as TaskError & { value: ExecValue };
}

test('P24: a command is run by sh, and its streams and its exit code are kept', { skip: notHere }, async (t) => {
  const { farm } = await commandFarm(t);
  const records = await runAll(farm, 'echo {2}; echo {#} >&2; exit {1}', [
    ['0', 'a b'],
    ['3', "it's"],
  ]);
  const { usage, ...first } = doneOf(records[0]);
  assert.deepEqual(first, { stdout: 'a b\n', stderr: '1\n', exitCode: 0 });
  assert.equal(usage?.worker, 'test');
  assert.ok((usage?.seconds ?? 0) > 0);
  const failed = errorOf(records[1]);
  assert.deepEqual([failed.value.stdout, failed.value.stderr, failed.value.exitCode], ["it's\n", '2\n', 3]);
  assert.deepEqual([failed.exitCode, failed.cause.message], [3, 'its command exited with code 3: 2']);
});

test('a command that is not there is told with its worker, one that a signal ended with the signal, and bytes stay bytes', {
  skip: notHere,
}, async (t) => {
  const { farm } = await commandFarm(t);
  const records = await runAll(farm, '', [['no-such-command'], ['kill -9 $$'], ["printf '\\377\\376'"]]);
  const [lacking, killed] = records.map((record) => (record.status === 'failed' ? record.error : undefined));
  assert.match(lacking?.cause.message ?? '', /^its command exited with code 127 on worker test: .*no-such-command/);
  assert.deepEqual([killed?.signal, killed?.cause.message], ['SIGKILL', 'its command was ended by the signal SIGKILL']);
  assert.deepEqual(doneOf(records[2]).stdout, { base64: '//4=' });
});

test('standard input is empty, or the block that the task was given', { skip: notHere }, async (t) => {
  const { farm } = await commandFarm(t);
  assert.equal(Number(doneOf((await runAll(farm, 'wc -c; :', [['x']]))[0]).stdout), 0);
  const large = Buffer.alloc(200_000, 'line\n');
  const piped = await runAll(farm, { command: 'wc -l', pipe: true }, [Buffer.from('a\nb\n'), new Uint8Array(large)]);
  assert.deepEqual(
    piped.map((record) => Number(doneOf(record).stdout)),
    [2, 40_000],
  );
});

test('long output is a blob, of a failed command too', { skip: notHere }, async (t) => {
  const { farm } = await commandFarm(t);
  const [done, failed] = await runAll(farm, 'head -c 300000 /dev/zero; exit {}', [['0'], ['4']]);
  for (const { stdout } of [doneOf(done), errorOf(failed).value]) {
    if (typeof stdout === 'string' || !('blob' in stdout)) throw new Error('it is no blob');
    assert.deepEqual(await farm.download(stdout.blob), new Uint8Array(300_000));
  }
});

test('nothing of one task is there for the next: no file, no process, no variable', {
  skip: noProcessTable,
}, async (t) => {
  process.env['SECRET_OF_WORKER'] = 'told';
  process.env['SHARED_BY_WORKER'] = 'shared';
  const { farm } = await commandFarm(t, { env: ['SHARED_BY_WORKER'] });
  const script = [
    'ls -A . "$TMPDIR" | grep -c left',
    'touch left; mktemp -p "$TMPDIR" left.XXXX >/dev/null; echo x >../left-too',
    'X=$OLDPWD$LEFT$SECRET_OF_WORKER; export LEFT=1; echo "$X $SHARED_BY_WORKER $GIVEN $MANYHANDS_INDEX"',
    'sleep 1000 & echo $!; sleep 0.06; : {}',
  ].join('\n');
  const records = await runAll(farm, { command: script, env: { GIVEN: "it's" } }, [['a'], ['b'], ['c']]);
  records.forEach((record, i) => {
    const [count, variables, pid] = (doneOf(record).stdout as string).trim().split('\n');
    assert.deepEqual([count, variables], ['0', ` shared it's ${i}`]);
    assert.equal(isAlive(Number(pid)), false, 'what it left in the background is gone');
  });
  delete process.env['SECRET_OF_WORKER'];
});

test('at its time limit a command and all that it started are asked to end, and made to; what it had printed is kept', {
  skip: notHere,
}, async (t) => {
  const { farm } = await commandFarm(t);
  const deaf = "trap '' TERM; echo begun; sleep 1000 & echo $!; while :; do sleep 0.05; done";
  const heeds = 'trap "echo bye; exit 5" TERM; echo begun; sleep 1000 & echo $!; wait';
  const records = await runAll(farm, '', [[deaf], ['echo fine'], [heeds]], { timeout: 400 });
  const [first, second] = [errorOf(records[0]), errorOf(records[2])];
  for (const { kind, cause, value } of [first, second]) {
    assert.deepEqual([kind, cause.message], ['timeout', 'it ran longer than its limit of 400 ms, so it was ended']);
    const [begun, pid] = (value.stdout as string).split('\n');
    assert.equal(begun, 'begun');
    assert.equal(isAlive(Number(pid)), false);
  }
  assert.match(second.value.stdout as string, /\nbye\n$/);
  assert.equal(doneOf(records[1]).stdout, 'fine\n');
});

test('a command that takes long keeps back neither the results before it nor the commands behind it', {
  skip: notHere,
}, async (t) => {
  const { farm } = await commandFarm(t, { slots: 2 });
  const gate = path.join(temporaryDirectory(t), 'gate');
  const inputs = Array.from({ length: 40 }, (_, i) => [
    i === 20 ? `until [ -e ${gate} ]; do sleep 0.05; done` : 'true',
  ]);
  const job = await submit(farm, '', inputs);
  const settled = job.settled();
  await waitFor(async () => (await job.status()).progress.done === 39, {
    what: 'all but the long one',
    timeout: 20_000,
  });
  writeFileSync(gate, '');
  assert.equal((await settled).filter(({ status }) => status === 'done').length, 40);
});

test('a cancelled job ends its command', { skip: notHere }, async (t) => {
  const { farm } = await commandFarm(t);
  const file = path.join(temporaryDirectory(t), 'pid');
  const job = await submit(farm, `sleep 1000 & echo $! >${file}.new; mv ${file}.new ${file}; wait; : {}`, [['x']]);
  await waitFor(() => existsSync(file), { what: 'the command to have begun', timeout: 20_000 });
  const pid = Number(readFileSync(file, 'utf8'));
  await job.cancel();
  await waitFor(() => !isAlive(pid), { what: 'the end of what it had started', timeout: 20_000 });
});

test('a command that kills its shell is charged for it alone', { skip: notHere }, async (t) => {
  const { farm } = await commandFarm(t);
  const records = await runAll(farm, '', [['echo 1'], ['kill -9 $PPID; sleep 1000'], ['echo 3']]);
  assert.deepEqual([doneOf(records[0]).stdout, doneOf(records[2]).stdout], ['1\n', '3\n']);
  assert.deepEqual([errorOf(records[1]).kind, errorOf(records[1]).attempts], ['crash', 1]);
});

test('more memory than its limit ends a command with all that it started', { skip: noProcessTable }, async (t) => {
  const { farm } = await commandFarm(t);
  const hoard = 'sh -c \'x=$(head -c 60000000 /dev/zero | tr "\\0" x); sleep 1000\'; : {}';
  const [record] = await runAll(farm, hoard, [['x']], { memory: 40 * 1024 * 1024 });
  assert.equal(errorOf(record).kind, 'memory');
  assert.match(errorOf(record).cause.message, /^it needed more memory than its limit of 40 MiB, so it was ended$/);
});

test('P24: files are sent to a command and collected from it, and only from below its directory', {
  skip: notHere,
}, async (t) => {
  const { farm } = await commandFarm(t);
  const files = temporaryDirectory(t);
  writeFileSync(path.join(files, 'in'), 'hello');
  const blob = await farm.upload(pathToFileURL(path.join(files, 'in')));
  const sent = { args: ['d/a b.txt'], files: [{ path: 'd/a b.txt', blob }] };
  const upper = { command: 'tr a-z A-Z <{} >{.}.up', collect: ['{.}.up'] };
  const [{ path: name, blob: result }] = doneOf((await runAll(farm, upper, [sent]))[0]).files as [ExecFile];
  assert.equal(name, 'd/a b.up');
  assert.equal(Buffer.from(await farm.download(result)).toString(), 'HELLO');
  assert.equal(result.sha256, createHash('sha256').update('HELLO').digest('hex'));

  const outside = { args: ['x'], files: [{ path: '../x', blob }] };
  const [refused] = await runAll(farm, 'cat', [outside]);
  assert.match(errorOf(refused).cause.message, /the file \.\.\/x was to be put outside of the command's directory/);
  const collected = async (collect: string): Promise<string> => {
    const [record] = await runAll(farm, { command: 'ln -s /etc/passwd link; : {}', collect: [collect] }, [['x']]);
    return errorOf(record).cause.message;
  };
  assert.match(await collected('link'), /names link, which lies outside of the command's directory$/);
  assert.match(await collected('../*'), /, which lies outside of the command's directory$/);
  assert.match(await collected('none.*'), /^--collect none\.\* matches no file that the command has written$/);
});

test('a worker whose owner does not allow commands gets none, and explain says what to do', {
  skip: notHere,
}, async (t) => {
  const { farm, server } = await clientFarm(t);
  const job = await submit(farm, 'echo', [['x']]);
  const authorization = { authorization: `Bearer ${server.adminToken}` };
  const answer = await fetch(`${server.url}/v1/jobs/${job.id}/explain`, { headers: authorization });
  const { reasons } = (await answer.json()) as { reasons: string[] };
  assert.deepEqual(reasons, ['No worker allows commands: join one with --allow exec.']);
  await job.cancel();
});
