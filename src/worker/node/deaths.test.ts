import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { FakeFarm } from '../../../test/support/fake-farm.ts';
import { joinedWorker } from '../../../test/support/joined-worker.ts';
import { start } from '../../../test/support/processes.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { TaskFailure } from '../../model/envelope.ts';
import { ValueStatus } from '../../model/envelope.ts';
import type { JobNotice } from '../../protocol/worker-messages.ts';

const MiB = 1024 * 1024;

/** Runs a batch in which the task with the input 'bad' misbehaves, and returns its failure; the others must be done. */
async function failureOf(
  t: TestContext,
  bad: string,
  more: Partial<JobNotice> = {},
): Promise<TaskFailure & { status: number }> {
  const { farm } = await joinedWorker(t);
  farm.job(1, `let hoard; export default async (input) => { if (input === 'bad') { ${bad} } return input; };`, more);
  farm.tasks(7, 1, [0, 1, 2, 'bad', 4, 5, 6, 7]);
  const outcomes = await farm.gathered(8);
  const failed = outcomes.filter(({ status }) => status >= ValueStatus.failed);
  assert.deepEqual(
    failed.map(({ index }) => index),
    [3],
    'only the guilty task is charged',
  );
  assert.equal(farm.outcomes.length, 8, 'nothing is reported twice');
  const [{ value, status }] = failed as unknown as [{ value: TaskFailure; status: number }];
  return { ...value, status };
}

test('F-14: process.exit in a task is its crash alone, with the exit code', async (t) => {
  const failure = await failureOf(t, 'process.exit(3);');
  assert.deepEqual([failure.kind, failure.status, failure.exitCode], ['crash', ValueStatus.crash, 3]);
  assert.match(failure.message, /exited with code 3/);
});

test('F-14: process.abort in a task is its crash alone, with the signal', async (t) => {
  const failure = await failureOf(t, 'process.abort();');
  assert.deepEqual([failure.kind, failure.signal], ['crash', 'SIGABRT']);
});

test('F-14: a task that is killed from outside is a crash with the signal', async (t) => {
  const failure = await failureOf(t, "process.kill(process.pid, 'SIGKILL'); for (;;);");
  assert.deepEqual([failure.kind, failure.signal], ['crash', 'SIGKILL']);
});

test('F-14: signals that a terminal or a service sends to everybody end no task: they are meant for its worker', async (t) => {
  const { farm } = await joinedWorker(t);
  const signals = "['SIGINT', 'SIGTERM', 'SIGHUP']";
  farm.job(
    1,
    `export default async (input) => { for (const s of ${signals}) process.kill(process.pid, s); await new Promise((go) => setTimeout(go, 100)); return input; };`,
  );
  farm.tasks(7, 1, ['alive']);
  assert.deepEqual(
    (await farm.gathered(1)).map(({ value }) => value),
    ['alive'],
  );
});

test('F-14: an error nobody catches is a crash that shows its last words', async (t) => {
  const failure = await failureOf(
    t,
    "setTimeout(() => { throw new Error('out of the blue'); }); await new Promise(() => {});",
  );
  assert.equal(failure.kind, 'crash');
  assert.match(failure.message, /out of the blue/);
});

test('F-14: a heap that outgrows the limit is "memory"', async (t) => {
  const failure = await failureOf(t, 'hoard = []; for (;;) hoard.push(new Array(1000).fill(hoard.length));', {
    memory: 64 * MiB,
  });
  assert.deepEqual([failure.kind, failure.status], ['memory', ValueStatus.memory]);
  assert.match(failure.message, /64 MiB/);
});

test('F-14: buffers that outgrow the limit are "memory" too', { skip: process.platform !== 'linux' }, async (t) => {
  const failure = await failureOf(
    t,
    'hoard = []; for (;;) { hoard.push(Buffer.alloc(8 * 1024 * 1024, 1)); await new Promise((go) => setTimeout(go, 2)); }',
    { memory: 64 * MiB },
  );
  assert.equal(failure.kind, 'memory');
});

test('F-2: an endless loop is killed at the time limit, alone', async (t) => {
  const failure = await failureOf(t, 'for (;;);', { timeout: 300 });
  assert.deepEqual([failure.kind, failure.status], ['timeout', ValueStatus.timeout]);
  assert.match(failure.message, /300 ms/);
});

test('F-2: a task that waits for ever is killed at the time limit', async (t) => {
  const failure = await failureOf(t, 'await new Promise((go) => setTimeout(go, 1e6));', { timeout: 300 });
  assert.equal(failure.kind, 'timeout');
});

test('F-14: the other slot does not notice a death', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, 'export default async () => { await new Promise((go) => setTimeout(go, 600)); return process.pid; };');
  farm.job(2, 'export default () => process.exit(9);');
  farm.tasks(1, 1, ['long']);
  farm.tasks(2, 2, [1, 2, 3]);
  const outcomes = await farm.gathered(4);
  assert.equal(outcomes.filter(({ lease, status }) => lease === 1 && status === ValueStatus.json).length, 1);
  assert.equal(outcomes.filter(({ lease, status }) => lease === 2 && status === ValueStatus.crash).length, 3);
});

test('P12: a revoked task is killed if it does not heed its signal, and says nothing more', async (t) => {
  const { farm, worker } = await joinedWorker(t, { slots: 1 });
  farm.job(1, "export default () => { console.log('begun'); for (;;); };");
  farm.tasks(1, 1, ['endless']);
  await waitFor(() => worker.taskPids.length === 1);
  const [before] = worker.taskPids;
  await waitFor(() => farm.ofKind('log').length > 0, { what: 'the start' });
  farm.say({ kind: 'revoke', lease: 1, runs: [[0, 1]] });
  await waitFor(() => worker.taskPids.length === 1 && worker.taskPids[0] !== before, { what: 'a new process' });
  farm.job(2, 'export default (x) => x;');
  farm.tasks(2, 2, ['next']);
  assert.deepEqual(await farm.gathered(1), [{ lease: 2, index: 0, status: 0, value: 'next' }]);
});

test('P12: a revoked task that heeds its signal keeps its process', async (t) => {
  const { farm, worker } = await joinedWorker(t, { slots: 1 });
  farm.job(
    1,
    "export default (_, { signal }) => new Promise((_, no) => { console.log('on'); signal.onabort = () => no(new Error('aborted')); });",
  );
  farm.tasks(1, 1, ['waits']);
  await waitFor(() => farm.ofKind('log').length > 0, { what: 'the start' });
  const [pid] = worker.taskPids;
  farm.say({ kind: 'revoke', lease: 1, runs: [[0, 1]] });
  farm.job(2, 'export default () => process.pid;');
  farm.tasks(2, 2, ['next']);
  assert.deepEqual(await farm.gathered(1), [{ lease: 2, index: 0, status: 0, value: pid }]);
});

test('T-17: a task that writes rubbish to the channel is a crash, and the worker lives', async (t) => {
  const failure = await failureOf(
    t,
    "(await import('node:fs')).writeSync(4, 'x'.repeat(100)); await new Promise(() => {});",
  );
  assert.equal(failure.kind, 'crash');
  assert.match(failure.message, /says/);
});

test('F-34: processes that died leave no directory behind', { skip: process.platform !== 'linux' }, async (t) => {
  const { farm, worker } = await joinedWorker(t, { slots: 1 });
  farm.job(1, 'export default () => process.exit(1);');
  farm.job(2, 'export default () => process.cwd();');
  farm.tasks(1, 1, [1, 2, 3]);
  farm.tasks(2, 2, [1]);
  const [last] = (await farm.gathered(4)).filter(({ lease }) => lease === 2);
  const root = String(last?.value).replace(/\/[^/]*$/, '');
  await waitFor(() => readdirSync(root).length === 1, { what: 'the directories of the dead to go' });
  await worker.stop();
  assert.throws(() => readdirSync(root), /ENOENT/);
});

test('F-1: a worker that is killed takes its task processes with it, endless loops too', {
  skip: !existsSync('/usr/bin/setpriv') && 'needs setpriv of util-linux',
}, async (t) => {
  const farm = await FakeFarm.start(t);
  const join = JSON.stringify(new URL('./join.ts', import.meta.url).href);
  const script = `const { startWorker } = await import(${join}); startWorker({ url: ${JSON.stringify(farm.url)}, slots: 2 });`;
  const worker = start(t, [process.execPath, '--input-type=module', '--eval', script]);
  await farm.welcomed();
  farm.job(1, 'export default () => { console.log(process.pid); for (;;); };');
  farm.tasks(1, 1, [1]);
  await waitFor(() => farm.ofKind('log').length === 1, { what: 'the start' });
  const pid = Number(farm.ofKind('log')[0]?.text);
  process.kill(worker.pid, 'SIGKILL');
  await waitFor(() => !existsSync(`/proc/${pid}`), { what: 'the end of the task process' });
});
