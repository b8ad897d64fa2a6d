import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { clientFarm } from '../../test/support/client-farm.ts';
import { repository } from '../../test/support/directories.ts';
import { waitFor } from '../../test/support/wait.ts';
import type { WasiTask } from '../model/wasm.ts';
import { range } from './range.ts';
import { TaskError } from './task-error.ts';

const { farm, worker, server } = await clientFarm({ after });
const probe = pathToFileURL(path.join(repository, 'test/wasm/probe.wasm'));

interface Logs {
  readonly logs: readonly { readonly stream: string; readonly text: string }[];
}

async function failure(job: Promise<unknown>): Promise<TaskError> {
  const error: unknown = await job.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TaskError, String(error));
  return error;
}

test('a program is a task: what it is given and gives has types', async () => {
  const job = await farm.map<WasiTask>(probe, ['args', { args: ['write', 'f', 0], collect: ['f'] }]);
  const [text, all] = await job.values();
  assert.equal(text, 'probe.wasm\nargs');
  assert.ok(typeof all === 'object' && 'files' in all);
  assert.equal(all.files['f'], '\0\0\0gap\nend\n');
  assert.equal(await farm.run<WasiTask>(probe, { args: ['env'], env: { A: 'b' } }), 'A=b');
});

test('numbers of a range are its argument, and blobs of the farm its files', async () => {
  const count = pathToFileURL(path.join(repository, 'examples/wasm/count.wasm'));
  const { cause, exitCode } = await failure(farm.map<WasiTask>(count, range(7, 8)).then((job) => job.values()));
  assert.deepEqual([cause.message, exitCode], ['count.wasm exited with code 1; its last words:\n7: no such file', 1]);
  const big = await farm.upload(Buffer.alloc(300_000, 'word\n'));
  const command = { args: ['big.txt'], files: { 'big.txt': big } };
  assert.equal(await farm.run<WasiTask>(count, command), '60000 60000 300000 big.txt');
});

test('a module may be given as bytes; one that is no program fails its tasks with one sentence', async () => {
  const code = readFileSync(probe);
  assert.equal(await farm.run<WasiTask>({ code, runner: 'wasi', sourceName: 'p.wasm' }, 'args'), 'p.wasm\nargs');
  const { cause } = await failure(
    farm.run<WasiTask>({ code: code.subarray(0, 8), runner: 'wasi', sourceName: 'p' }, 'args'),
  );
  assert.equal(cause.name, 'TaskCodeError');
  assert.match(
    cause.message,
    /^the WebAssembly module p exports no _start, so it is a library and no program: compile/,
  );
});

test('deterministic jobs give the same bytes each time, whatever else is asked; others do not', async () => {
  const inputs = [['clocks', 'random'], ['clocks', 'random'], ['random']];
  const values = async (options: object) => (await farm.map<WasiTask>(probe, inputs, options)).values();
  const once = await values({ deterministic: true });
  assert.deepEqual(await values({ deterministic: true, name: 'again', memory: 64 * 1024 ** 2 }), once);
  assert.equal(new Set(once).size, 3);
  assert.notDeepEqual(await values({ deterministic: false }), once);
  await assert.rejects(
    farm.map((x: number) => x, [1], { deterministic: true }),
    /deterministic is for WebAssembly programs, and/,
  );
  await assert.rejects(
    farm.map(probe, ['args'], { deterministic: 1 as never }),
    /deterministic must be true or false, but is 1/,
  );
});

test('a program that never ends is ended at its time limit, and the next one runs', async () => {
  const { kind } = await failure(farm.run<WasiTask>(probe, 'loop', { timeout: 1_000 }));
  assert.equal(kind, 'timeout');
  assert.equal(await farm.run<WasiTask>(probe, 'args'), 'probe.wasm\nargs');
});

test('a program gets the memory of the job, which may be little; none is blamed for the garbage of others', async () => {
  const memory = 20 * 1024 ** 2;
  const before = worker.taskPids;
  const taken = await (await farm.map<WasiTask>(probe, Array(12).fill('memory'), { memory })).values();
  assert.deepEqual(taken, Array(12).fill('17 MiB'));
  assert.notDeepEqual(worker.taskPids, before, 'a process of its own has the limit');
  const trapped = await failure(farm.run<WasiTask>(probe, ['memory', 'trap'], { memory }));
  assert.match(trapped.message, /ended by a trap: unreachable \(of the 20 MiB that the job allows, its memory had \d/);
  const { kind, message } = await failure(farm.run<WasiTask>(probe, 'args', { memory: 1024 ** 2 }));
  assert.equal(kind, 'memory');
  assert.match(message, /it starts with \d+ KiB of memory, and the job's limit for a task is 1024 KiB$/);
});

test('what it says on stderr, and what it had printed when it failed, is in the log', async () => {
  const job = await farm.map<WasiTask>(probe, [['complain', 'exit', 3]]);
  await failure(job.values());
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const said = async () => {
    const { logs } = (await (await fetch(new URL(`/v1/jobs/${job.id}/logs`, server.url), { headers })).json()) as Logs;
    return logs.length < 3 ? undefined : logs.map(({ stream, text }) => [stream, text]);
  };
  assert.deepEqual(await waitFor(said, { what: 'what it said' }), [
    ['stderr', 'complaint\n'],
    ['stdout', 'before the end\n'],
    ['stderr', 'unfinished\n'],
  ]);
});
