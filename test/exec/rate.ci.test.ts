import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { connect } from '../../src/index.ts';
import { Served } from '../reliability/served.ts';
import { run, startManyhands } from '../support/processes.ts';

/** Commands of one round, and rounds: other things on the machine disturb all three, and seldom all rounds. */
const COMMANDS = 2_000;
const ROUNDS = 8;

/** What must be reached on the same slots, as shares of the others' rates. */
const OF_XARGS = 0.6;
const OF_PARALLEL = 3;

const lacking = process.env['CI'] === undefined && !has('parallel') ? 'needs GNU Parallel' : undefined;

test('commands that do nothing, through a server and a worker: at least 0.6 of the rate of xargs, and 3 of GNU Parallel', {
  skip: lacking,
  timeout: 900_000,
}, async (t) => {
  const served = await Served.start(t);
  const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '2', '--allow', 'exec']);
  await worker.output(/joined/, { timeout: 60_000 });
  const farm = await connect({ url: served.url, token: served.admin });
  t.after(() => farm.close());
  const inputs = Array.from({ length: COMMANDS }, (_, i) => [String(i)]);
  const task = { runner: 'exec', code: '{"command":"true"}', sourceName: 'true' } as const;
  const ours = async (): Promise<number> => {
    const begun = performance.now();
    const job = await farm.map(task, inputs);
    assert.equal((await job.values()).length, COMMANDS);
    return rate(begun);
  };
  await ours();
  const best = { xargs: 0, parallel: 0 };
  for (let round = 1; round <= ROUNDS; round++) {
    const rates = { ours: await ours(), xargs: await other(t, ['xargs', '-P2', '-n1', 'true']), parallel: 0 };
    rates.parallel = await other(t, ['parallel', '--will-cite', '-j2', 'true']);
    best.xargs = Math.max(best.xargs, rates.ours / rates.xargs);
    best.parallel = Math.max(best.parallel, rates.ours / rates.parallel);
    const words = Object.entries(rates).map(([name, each]) => `${name} ${each.toFixed(0)}/s`);
    t.diagnostic(`round ${round}: ${words.join(', ')}`);
    if (best.xargs >= OF_XARGS && best.parallel >= OF_PARALLEL) break;
  }
  const found = `${best.xargs.toFixed(2)} of xargs, ${best.parallel.toFixed(2)} of GNU Parallel`;
  t.diagnostic(found);
  assert.ok(best.xargs >= OF_XARGS && best.parallel >= OF_PARALLEL, found);
});

function rate(begun: number): number {
  return COMMANDS / ((performance.now() - begun) / 1_000);
}

async function other(t: TestContext, command: string[]): Promise<number> {
  const input = Array.from({ length: COMMANDS }, (_, i) => `${i}\n`).join('');
  const begun = performance.now();
  const { code, stderr } = await run(t, command, { input, timeout: 200_000 });
  assert.equal(code, 0, stderr);
  return rate(begun);
}

function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
