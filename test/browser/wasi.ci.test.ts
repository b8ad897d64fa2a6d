import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { codeHash } from '../../src/client/code/task-module.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { repository } from '../support/directories.ts';
import { lendPage, recordsOf, workersOf } from '../support/lent-page.ts';
import { assertQuiet } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;

/** What is asked of each program: all that the examples' pages ask, and what the fixture can do alike everywhere. */
const QUESTIONS: Readonly<Record<string, unknown[]>> = {
  'examples/wasm/julia.wasm': [
    ['60', 20, -800, 156],
    { args: [90, 60, 285, 10, 'julia.pgm'], collect: ['*.pgm'] },
    { args: [300, 300, -400, 600, 'a/b.pgm'], files: { 'a/x': '' }, collect: ['a/*'] },
    [0, 0, 0, 0],
    [],
  ],
  'examples/wasm/count.wasm': [
    { stdin: 'Many hands\nmake light work.\n' },
    { args: ['a', 'b'], files: { a: 'one two\n', b: Uint8Array.of(255, 32, 254).toString() } },
    ['missing'],
  ],
  'test/wasm/probe.wasm': [
    ['args', 'drei Äpfel 🍏'],
    { args: ['env', 'stdin'], env: { A: '1' }, stdin: 'given' },
    ['bytes'],
    ['write', 'a', 100, 'mkdir', 'd', 'mv', 'a', 'd/b', 'cat', 'd/b', 'rm', 'd/b', 'cat', 'd/b', 'ls', 'poll'],
    ['complain', 'exit', 7],
    { args: ['complain'], collect: [] },
    { collect: ['*'] },
    { argv: 1 },
    ['clocks', 'random', 'sleep', 'random', 'clocks'],
    ['random'],
  ],
};

describe('WebAssembly programs in a page', { skip: noBrowser }, () => {
  test('give the same bytes as on Node, for every example', { timeout: 120_000 }, async (t) => {
    const farm = await ServedFarm.start(t);
    const modules = await Promise.all(Object.keys(QUESTIONS).map((module) => upload(farm, module)));
    const ask = async (): Promise<Record<string, unknown>[][]> => {
      const jobs = await Promise.all(
        modules.map((code, i) => farm.submit({ ...code, inputs: Object.values(QUESTIONS)[i] })),
      );
      return Promise.all(jobs.map((job) => recordsOf(farm, job)));
    };
    const worker = await farm.join(2);
    const onNode = await ask();
    await worker.stop();
    const opened = await lendPage(t, browser, farm, 2);
    await waitFor(async () => (await workersOf(farm)).every(({ kind }) => kind === 'browser'), {
      what: 'Node to be gone',
    });
    const inPage = await ask();
    const told = (records: Record<string, unknown>[][]): unknown[] =>
      records.flat().map(({ status, value, error }) => ({ status, value, error }));
    assert.deepEqual(told(inPage), told(onNode));
    assert.equal(onNode.flat().filter(({ status }) => status === 'done').length, 12);
    assertQuiet(opened);
  });

  test('R33: of a job with variants a page gets what it can run, and the fastest of it', async (t) => {
    const farm = await ServedFarm.start(t);
    await lendPage(t, browser, farm, 1);
    const { code, runner, sourceName } = await upload(farm, 'examples/wasm/count.wasm');
    const variants = [{ code, runner, sourceName }];
    const inputs = Array.from({ length: 120 }, (_, i) => ({ stdin: `${'hands '.repeat(i)}\n` }));
    const expected = inputs.map(({ stdin }, i) => `1 ${i} ${stdin.length}`);
    const values = async (job: object) => {
      const records = await recordsOf(farm, await farm.submit({ ...job, variants, inputs }));
      return records.map(({ value }) => value);
    };
    assert.deepEqual(await values({ code: '{"command":"no page runs this"}', runner: 'exec' }), expected);
    const inWords = "[stdin.split('\\n').length - 1, (stdin.match(/\\S+/g) ?? []).length, stdin.length].join(' ')";
    assert.deepEqual(await values({ code: `export default ({ stdin }) => ${inWords};` }), expected);
  });

  test('end at their time limit, and the next one runs', async (t) => {
    const farm = await ServedFarm.start(t);
    await lendPage(t, browser, farm, 1);
    const code = await upload(farm, 'test/wasm/probe.wasm');
    const job = await farm.submit({ ...code, inputs: ['loop', 'args', 'trap'], timeout: 500 });
    const [loop, args, trap] = await recordsOf(farm, job);
    assert.match(JSON.stringify(loop), /"name":"TimeoutError"/);
    assert.equal(args?.['value'], 'probe.wasm\nargs');
    assert.match(JSON.stringify(trap), /probe\.wasm was ended by a trap: unreachable/);
  });
});

/** The code of a job, as the API takes it. */
async function upload(farm: ServedFarm, module: string): Promise<Record<string, unknown>> {
  const bytes = readFileSync(path.join(repository, module));
  const sha256 = codeHash(bytes);
  await farm.ask('PUT', `/v1/blobs/${sha256}`, {
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
  });
  return { code: { sha256 }, runner: 'wasi', deterministic: true, sourceName: module, maxFailures: 100 };
}
