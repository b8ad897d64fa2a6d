import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { drawPlan, type Plan, simulate } from '../../src/testing/index.ts';
import { repository } from '../support/directories.ts';
import { run } from '../support/processes.ts';
import { BUGS, placeOf } from './planted.ts';
import { complaint, numbers, sweep, sweepPlans } from './sweep.ts';

const simulator = [process.execPath, path.join(import.meta.dirname, 'run.ts')];

test('S1 S2 S3 S4 S5 S6 S7 S8 S9 S11 L1 L2 L3 F-34: 30 farms go through what their seeds hold for them', async (t) => {
  const { failures, runs, reached } = await sweep(numbers(1, 30));
  assert.deepEqual(failures.map(complaint), []);
  assert.equal(runs, 30);
  t.diagnostic(`${reached.size} kinds of things happened`);
});

test('every kept scenario stays solved', async (t) => {
  const files = globSync('test/scenarios/*.json', { cwd: repository });
  const plans = files.map((file): Plan => JSON.parse(readFileSync(path.join(repository, file), 'utf8')));
  const { failures } = await sweepPlans(plans);
  assert.ok(plans.length > 0);
  assert.deepEqual(failures.map(complaint), []);
  t.diagnostic(`${plans.length} scenarios`);
});

test('the same seed gives the same run, also in another process', async (t) => {
  for (const seed of [3, 5, 17]) {
    const [once, again] = [await simulate(drawPlan(seed)), await simulate(drawPlan(seed))];
    assert.deepEqual([again.hash, again.events, again.passed], [once.hash, once.events, once.passed]);
    const elsewhere = await run(t, [...simulator, '--seed', String(seed)]);
    assert.match(elsewhere.stdout, new RegExp(`\\[${once.hash}\\], ${once.events} events`));
    assert.equal(elsewhere.code, 0, elsewhere.stderr);
  }
});

test('another seed gives another run', async () => {
  const hashes = new Set<string>();
  for (const seed of [1, 2, 3]) hashes.add((await simulate(drawPlan(seed))).hash);
  assert.equal(hashes.size, 3);
});

test('a bug is told in one line, which shows it again', async (t) => {
  const bug = ['--plant', 'reply before commit'];
  const many = await run(t, [...simulator, '--seeds', '1..50', ...bug]);
  assert.equal(many.code, 1, many.stdout);
  const [, seed = '', what = ''] = /^seed (\d+): (S2: .*)$/m.exec(many.stdout) ?? [];
  assert.match(many.stdout, new RegExp(`npm run sim -- --seed ${seed} --trace`));
  const one = await run(t, [...simulator, '--seed', seed, '--trace', ...bug]);
  assert.equal(one.code, 1);
  assert.ok(one.stdout.includes(what), one.stdout.slice(-2_000));
  assert.match(one.stdout, /^ +\d+\.\d {2}server\d? +→ c\d: clientWelcome/m);
});

test('a plan that fails is made small, and still fails in the same way', async (t) => {
  const bug = ['--plant', 'reply before commit'];
  const shrunk = await run(t, [...simulator, '--seed', '5', '--shrink', ...bug]);
  const plan: Plan = JSON.parse(shrunk.stdout);
  const { jobs, workers, faults } = drawPlan(5);
  assert.ok(plan.faults.length < faults.length && plan.faults.length === 0);
  assert.ok(plan.jobs.length <= jobs.length && plan.jobs[0]?.count === 1);
  assert.ok(plan.workers.length <= workers.length && plan.workers.length === 1);
});

for (const bug of BUGS) {
  test(`there is a place for the bug '${bug.name}'`, () => {
    assert.match(placeOf(bug), /\.ts$/);
  });
}
