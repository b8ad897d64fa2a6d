import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { sha256Of } from '../../../test/support/fake-farm.ts';
import { joinedWorker } from '../../../test/support/joined-worker.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { TaskFailure } from '../../model/envelope.ts';
import { ValueStatus } from '../../model/envelope.ts';
import { ERROR_CAUSES } from '../../model/limits.ts';
import { packColumn } from '../../protocol/column.ts';
import { ColumnWriter } from '../../protocol/values/column-writer.ts';
import type { JobNotice } from '../../protocol/worker-messages.ts';
import type { WorkerOptions } from './join.ts';

/** Runs a module on inputs and returns its outcomes in order. */
async function run(
  t: TestContext,
  code: string,
  inputs: unknown[],
  options: Partial<WorkerOptions> = {},
  more: Partial<JobNotice> = {},
) {
  const { farm, worker } = await joinedWorker(t, options);
  farm.job(3, code, more);
  farm.tasks(7, 3, inputs, { first: 100 });
  const outcomes = await farm.gathered(inputs.length);
  return { farm, worker, outcomes, values: outcomes.map(({ value }) => value) };
}

async function failure(t: TestContext, code: string): Promise<TaskFailure> {
  const { outcomes } = await run(t, code, [1, 2]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [ValueStatus.failed, ValueStatus.failed],
  );
  return outcomes[1]?.value as TaskFailure;
}

test('values of every kind go in and come out', async (t) => {
  const inputs = [undefined, null, NaN, -0, 'text', [1, [2]], new Map([[1, new Date(5)]]), 12n, { a: undefined }];
  const { values } = await run(t, 'export default (x) => x;', inputs);
  assert.deepEqual(values, inputs);
});

test('bytes are a plain Uint8Array in the task', async (t) => {
  const code = 'export default (x) => [x.constructor.name, x.length, x[1]];';
  const { values } = await run(t, code, [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]);
  assert.deepEqual(values, [
    ['Uint8Array', 2, 2],
    ['Uint8Array', 2, 4],
  ]);
});

test('the context names the task', async (t) => {
  const code =
    'export default async (x, c) => ({ index: c.index, key: c.key, attempt: c.attempt, aborted: c.signal.aborted });';
  const { values } = await run(t, code, ['a']);
  assert.deepEqual(values, [{ index: 100, key: 'farm-3-100', attempt: '7-100', aborted: false }]);
});

test('P9: the tasks of a range compute their inputs', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, 'export default (x) => x;', { range: { start: 10, step: -0.5, count: 100 } });
  farm.range(1, 1, [
    { start: 2, count: 2 },
    { start: 90, count: 1 },
  ]);
  const outcomes = await farm.gathered(3);
  assert.deepEqual(
    outcomes.map(({ index, value }) => [index, value]),
    [
      [2, 9],
      [3, 8.5],
      [90, -35],
    ],
  );
});

test('a task that throws fails with name, message and a stack without our own lines', async (t) => {
  const { kind, name, message, stack } = await failure(
    t,
    'export default function broken() { throw new RangeError("too far"); }',
  );
  assert.deepEqual([kind, name, message], ['error', 'RangeError', 'too far']);
  assert.match(stack ?? '', /at broken \(/);
  assert.doesNotMatch(stack ?? '', /executor|node:internal/);
});

test('a rejected task fails like one that throws', async (t) => {
  const { name, message } = await failure(t, 'export default async () => { await 1; throw new TypeError("no"); };');
  assert.deepEqual([name, message], ['TypeError', 'no']);
});

test('anything can be thrown', async (t) => {
  assert.match((await failure(t, 'export default () => { throw undefined; };')).message, /threw undefined/);
});

test('why an error was thrown is told too, down to where a chain of causes would never end', async (t) => {
  const chain = `export default () => {
    const inner = new TypeError('inner', { cause: 'a word' });
    throw new Error('outer', { cause: new AggregateError([new Error('first'), inner], '', { cause: inner }) });
  };`;
  assert.deepEqual((await failure(t, chain)).cause, {
    name: 'AggregateError',
    message: 'first; inner',
    cause: { name: 'TypeError', message: 'inner', cause: { name: 'Error', message: "'a word'" } },
  });
  const cycle = "export default () => { const e = new Error('again'); e.cause = e; throw e; };";
  const { cause } = await failure(t, cycle);
  assert.equal(JSON.stringify(cause).match(/again/g)?.length, ERROR_CAUSES);
});

test('a source map brings the stack to the lines of the author', async (t) => {
  const map = { version: 3, sources: ['author.ts'], sourcesContent: [''], names: [], mappings: 'AAKA' };
  const url = Buffer.from(JSON.stringify(map)).toString('base64');
  const code = `export default function f() { throw new Error('x'); }\n//# sourceMappingURL=data:application/json;base64,${url}`;
  assert.match((await failure(t, code)).stack ?? '', /\(author\.ts:6/);
});

const modules: [string, string, RegExp][] = [
  [
    'throws on import',
    'throw new Error("not today");',
    /^the task module task\.js threw while it was loaded: Error: not today$/,
  ],
  ['does not compile', 'export default (;', /^the task module task\.js does not compile: SyntaxError: /],
  ['has no default export', 'export const f = 1;', /^the task module task\.js has no default export/],
  [
    'exports something else',
    'export default 42;',
    /^the default export of the task module task\.js is 42, not a function$/,
  ],
];
for (const [what, code, says] of modules) {
  test(`a module that ${what}: every task fails with one clear sentence`, async (t) => {
    assert.match((await failure(t, code)).message, says);
  });
}

test('a result that cannot be sent fails with its path', async (t) => {
  const { message } = await failure(t, 'export default () => ({ rows: [{ callback() {} }] });');
  assert.match(message, /^the result of task 101: result\.rows\[0\]\.callback /);
});

test('P8: code is fetched once by its hash, and checked', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, 'export default (x) => x + 1;', {}, 'blob');
  farm.tasks(1, 1, [1]);
  await farm.gathered(1);
  farm.job(2, 'export default (x) => x + 1;', {}, 'blob');
  farm.tasks(2, 2, [2]);
  await farm.gathered(2);
  assert.equal(farm.exchanges.length, 1);
});

test('P8: code with another hash is not run', async (t) => {
  const { farm } = await joinedWorker(t);
  const code = 'export default () => 1;';
  farm.say({
    kind: 'job',
    job: 1,
    name: 'x',
    code: { runner: 'js', sha256: sha256Of('else'), size: 1, sourceName: 'a.js' },
    inline: code,
  });
  farm.tasks(1, 1, [1]);
  const [outcome] = await farm.gathered(1);
  assert.match((outcome?.value as TaskFailure | undefined)?.message ?? '', /arrived damaged/);
});

test('what tasks print is told with the task that printed it', async (t) => {
  const code = `export default async (x, { log }) => { console.log('hello', x); process.stderr.write('err ' + x); };`;
  const { farm } = await run(t, code, ['a', 'b']);
  await waitFor(() => farm.ofKind('log').length === 4);
  const logs = farm.ofKind('log').map(({ lease, job, index, stream, text }) => [lease, job, index, stream, text]);
  assert.deepEqual(
    logs.sort((a, b) => Number(a[2]) - Number(b[2])),
    [
      [7, 3, 100, 'stdout', 'hello a\n'],
      [7, 3, 100, 'stderr', 'err a'],
      [7, 3, 101, 'stdout', 'hello b\n'],
      [7, 3, 101, 'stderr', 'err b'],
    ],
  );
});

test('S11: output is bounded for each task, and says so', async (t) => {
  const { farm } = await run(
    t,
    `export default () => { for (let i = 0; i < 3000; i++) console.log('x'.repeat(99)); };`,
    [1],
  );
  await waitFor(() => farm.ofKind('log').some(({ text }) => /dropped/.test(text)));
  const sent = farm.ofKind('log').reduce((sum, { text }) => sum + text.length, 0);
  assert.ok(sent > 60_000 && sent < 70_000, `${sent}`);
});

test('ctx.log and ctx.progress are told', async (t) => {
  const { farm } = await run(t, `export default (x, c) => { c.log('note'); c.progress(0.5, 'half'); };`, [1]);
  await waitFor(() => farm.ofKind('progress').length === 1);
  assert.deepEqual(farm.ofKind('progress')[0], { kind: 'progress', job: 3, index: 100, fraction: 0.5, text: 'half' });
  assert.equal(farm.ofKind('log')[0]?.text, 'note');
});

test('T-17: tasks are confined', async (t) => {
  const secret = `${temporaryDirectory(t)}/secret`;
  writeFileSync(secret, 'hidden');
  process.env['MANYHANDS_TEST_HIDDEN'] = 'hidden';
  process.env['MANYHANDS_TEST_SHOWN'] = 'shown';
  t.after(() => {
    delete process.env['MANYHANDS_TEST_HIDDEN'];
    delete process.env['MANYHANDS_TEST_SHOWN'];
  });
  const code = `
    import { readFileSync, writeFileSync } from 'node:fs';
    const attempts = {
      env: () => ({ ...process.env }),
      read: () => readFileSync(${JSON.stringify(secret)}, 'utf8'),
      write: () => writeFileSync(${JSON.stringify(`${secret}2`)}, 'x'),
      program: async () => (await import('node:child_process')).execSync('id').toString(),
      thread: async () => new (await import('node:worker_threads')).Worker('', { eval: true }),
      database: async () => (await import('node:sqlite')),
      own: () => { writeFileSync('mine', 'x'); return readFileSync('mine', 'utf8'); },
      others: () => readFileSync('..'),
    };
    export default async (what) => { try { return await attempts[what](); } catch (error) { return error.code; } };`;
  const attempts = ['env', 'read', 'write', 'program', 'thread', 'database', 'own', 'others'];
  const { values } = await run(t, code, attempts, { env: ['MANYHANDS_TEST_SHOWN'] });
  assert.deepEqual(values, [
    { MANYHANDS_TEST_SHOWN: 'shown' },
    'ERR_ACCESS_DENIED',
    'ERR_ACCESS_DENIED',
    'ERR_ACCESS_DENIED',
    'ERR_ACCESS_DENIED',
    'ERR_UNKNOWN_BUILTIN_MODULE',
    'x',
    'ERR_ACCESS_DENIED',
  ]);
});

const dial = `
  import { connect } from 'node:net';
  export default (port) => new Promise((resolve) => {
    try { connect(port, '127.0.0.1').on('connect', function () { this.destroy(); resolve('connected'); }).on('error', (e) => resolve(e.code)); }
    catch (error) { resolve(error.code); }
  });`;

test('tasks have the network', async (t) => {
  const { farm } = await joinedWorker(t);
  farm.job(1, dial);
  farm.tasks(1, 1, [farm.port]);
  assert.equal((await farm.gathered(1))[0]?.value, 'connected');
});

test('T-17: the owner takes the network away', async (t) => {
  const { farm } = await joinedWorker(t, { denyNetwork: true });
  farm.job(1, dial);
  farm.tasks(1, 1, [farm.port]);
  assert.equal((await farm.gathered(1))[0]?.value, 'ERR_ACCESS_DENIED');
});

test('P15: large results are stored before they are told', async (t) => {
  const code = `export default (n) => n > 0 ? new Uint8Array(n).fill(7) : 'ä'.repeat(-n);`;
  const { farm, outcomes } = await run(t, code, [300_000, -300_000, 10]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [ValueStatus.bytesBlob, ValueStatus.jsonBlob, ValueStatus.bytes],
  );
  const [bytes, text] = outcomes.map(({ value }) => farm.blobs.get((value as { sha256: string }).sha256));
  assert.deepEqual(bytes, Buffer.alloc(300_000, 7));
  assert.equal(JSON.parse(String(text)), 'ä'.repeat(300_000));
});

test('P15: large results that are equal are stored one by one, whatever the others do', async (t) => {
  const code = `export default (n) => n % 2 ? new Uint8Array(300_000).fill(7) : 'x'.repeat(1_300_000);`;
  const inputs = Array.from({ length: 40 }, (_, n) => n);
  const { farm, outcomes } = await run(t, code, inputs);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    inputs.map((n) => (n % 2 === 0 ? ValueStatus.jsonBlob : ValueStatus.bytesBlob)),
  );
  assert.equal(farm.blobs.size, 2);
});

test('P15: large inputs are fetched, over at most two connections', async (t) => {
  const { farm } = await joinedWorker(t);
  const writer = new ColumnWriter();
  const sums: number[] = [];
  for (let i = 0; i < 200; i++) {
    const blob = Buffer.alloc(70_000, i);
    const sha256 = sha256Of(blob);
    farm.blobs.set(sha256, blob);
    sums.push(i * 70_000);
    writer.appendRecord(ValueStatus.bytesBlob, { sha256, size: blob.length });
  }
  const { lengths, status, bytes } = writer.finish();
  farm.job(1, 'export default (bytes) => bytes.reduce((a, b) => a + b, 0);');
  farm.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 200]] }, packColumn(lengths, status, bytes));
  const outcomes = await farm.gathered(200);
  assert.deepEqual(
    outcomes.map(({ value }) => value),
    sums,
  );
  assert.equal(farm.exchanges.length, 200);
  assert.ok(farm.httpSockets.size <= 2, `${farm.httpSockets.size} connections`);
});

test('an input blob that is gone fails its task alone, in words', async (t) => {
  const { farm } = await joinedWorker(t);
  const writer = new ColumnWriter();
  writer.append('small');
  writer.appendRecord(ValueStatus.jsonBlob, { sha256: sha256Of('gone'), size: 4 });
  writer.append('small too');
  const { lengths, status, bytes } = writer.finish();
  farm.job(1, 'export default (x) => x;');
  farm.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 3]] }, packColumn(lengths, status, bytes));
  const outcomes = await farm.gathered(3);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    [0, ValueStatus.failed, 0],
  );
  assert.match((outcomes[1]?.value as TaskFailure | undefined)?.message ?? '', /could not be fetched.*404/);
});

test('ctx.blob stores bytes and reads them again', async (t) => {
  const code = `export default async (x, ctx) => { const { sha256 } = await ctx.blob(new Uint8Array(10).fill(x)); return [...await ctx.blob(sha256)]; };`;
  const { values, farm } = await run(t, code, [5]);
  assert.deepEqual(values, [Array(10).fill(5)]);
  assert.equal(farm.blobs.size, 1);
});

test('results that are too many for one message come in several', async (t) => {
  const code = "export default (x) => 'y'.repeat(60_000);";
  const { farm, outcomes } = await run(t, code, Array(40).fill(0));
  assert.ok(outcomes.every(({ value }) => (value as string).length === 60_000));
  assert.ok(farm.batches.length >= 4);
});
