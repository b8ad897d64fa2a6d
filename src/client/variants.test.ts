import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { cleanUp } from '../../test/support/cleanup.ts';
import { clientFarm, moduleFiles } from '../../test/support/client-farm.ts';
import { repository } from '../../test/support/directories.ts';
import { waitFor } from '../../test/support/wait.ts';
import { startWorker } from '../worker/node/join.ts';
import type { Job } from './job.ts';
import type { TaskContext } from './task.ts';
import { variants } from './variants.ts';

// Python only where a worker's own may be used: by Pyodide all of them would run it.
const { farm, server } = await clientFarm({ after }, {}, { pyodide: false });
const python = moduleFiles({ after }, { 'double.py': 'def task(input):\n    return input * 2\n' })('double.py');
const count = pathToFileURL(path.join(repository, 'examples/wasm/count.wasm'));

interface Command {
  readonly stdin: string;
}

/** What `count.wasm` prints, slowly; and says in the log that it was this function that counted. */
function slowlyCounted({ stdin }: Command, context: TaskContext): string {
  context.log('js');
  for (const end = performance.now() + 8; performance.now() < end; );
  return `${stdin.split('\n').length - 1} ${stdin.split(/\s+/).filter((word) => word !== '').length} ${stdin.length}`;
}

const inputs = Array.from({ length: 400 }, (_, i) => ({ stdin: `${'word '.repeat(i)}\n`.repeat(3) }));
const expected = inputs.map(({ stdin }, i) => `3 ${3 * i} ${stdin.length}`);

/** What `/v1/…` says. */
async function read<Answer>(route: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${server.adminToken}` };
  return (await (await fetch(new URL(route, server.url), { headers })).json()) as Answer;
}

/** How many of its tasks the function has run; logs may come late. */
async function byFunction(job: Job, least: number): Promise<number> {
  const logs = async () => {
    const found = await read<{ logs: unknown[] }>(`/v1/jobs/${job.id}/logs`);
    return found.logs.length >= least ? found.logs.length : undefined;
  };
  return waitFor(logs, { what: 'the log' });
}

test('R33: a job with two variants ends mostly on the faster one, with the same results', async () => {
  const job = await farm.map(variants({ js: slowlyCounted, wasi: count }), inputs);
  assert.deepEqual(await job.values(), expected);
  const slow = await byFunction(job, 1);
  assert.ok(slow < 100, `${slow} of 400 tasks went to the slow one`);
});

test('R33: why a worker has a variant is told, in words and with what was measured', async () => {
  const { promise: read1, resolve: goOn } = Promise.withResolvers<void>();
  const all = (async function* () {
    for (let i = 0; i < 10; i++) yield* inputs;
    await read1;
    yield* inputs;
  })();
  const fast = ({ stdin }: Command): string =>
    `${stdin.split('\n').length - 1} ${(stdin.match(/\S+/g) ?? []).length} ${stdin.length}`;
  const job = await farm.map(variants({ wasi: count, js: fast }), all);
  const told = async () => {
    const { variants: found } = await read<{ variants?: string[] }>(`/v1/jobs/${job.id}/explain`);
    return found?.[0]?.includes('not measured') === false ? found : undefined;
  };
  const [why] = await waitFor(told, { what: 'a choice' });
  assert.match(
    why ?? '',
    /^Worker test \([a-z2-7]{10}\) runs js \d+\.\d (µs|ms) a task there, wasi \d+\.\d (µs|ms)\.$/,
  );
  goOn();
  assert.deepEqual((await job.values()).slice(-400), expected);
});

test('R33: a worker that can run one variant only gets that one', async (t) => {
  const task = variants({
    python,
    exec: { command: 'echo {}', requires: { arch: process.arch, os: process.platform } },
  });
  const waiting = farm.run(task, ['hands']);
  await assert.rejects(
    farm.run(variants({ exec: { command: 'echo {}' } }), ['x'], { signal: AbortSignal.timeout(300) }),
  );
  const snake = startWorker({ url: server.joinUrl, slots: 1, name: 'snake', allow: ['python'] });
  cleanUp(t, () => snake.stop());
  await snake.joined;
  assert.deepEqual(await waiting, ['hands', 'hands'], 'Python repeats a list');
  assert.deepEqual(await (await farm.map(task, [1, 2])).values(), [2, 4]);
  await snake.stop();
  const shell = startWorker({ url: server.joinUrl, slots: 1, name: 'shell', allow: ['exec'] });
  cleanUp(t, () => shell.stop());
  await shell.joined;
  const values = await (await farm.map(task, [['many'], ['hands']])).values();
  assert.deepEqual(
    values.map((value) => (value as { stdout: string }).stdout),
    ['many\n', 'hands\n'],
  );
});

test('variants are few, and each is what its name says', async () => {
  assert.throws(() => variants({ rust: count } as object), /no variant "rust"; there are js, wasi, python, exec$/);
  assert.throws(() => variants({}), /variants needs at least one of js, wasi, python, exec$/);
  assert.throws(() => variants({ exec: Array(9).fill({ command: 'true' }) }), /at most 8 variants, not 9$/);
  await assert.rejects(
    farm.map(variants({ js: count, wasi: count }), [1]),
    /the variant js is .*count\.wasm, which is for the runner wasi$/,
  );
});
