import assert from 'node:assert/strict';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { drawPlan, simulate } from '../../src/testing/index.ts';
import { nodeOf } from '../support/nodes.ts';
import { run } from '../support/processes.ts';
import { notReached } from './reachable.ts';
import { complaint, summary, sweepInThreads } from './sweep.ts';

/** The oldest that is promised. */
const OLDEST = '24.15.0';

/** Farms, as many of them as this time in milliseconds allows, and how many it must allow. `npm run sim -- --seeds 31..2030` runs all. */
const FARMS = 2_000;
const TIME = 200_000;
const FEWEST = 400;

test('S1 S2 S3 S4 S5 S6 S7 S8 S9 S11 L1 L2 L3 F-34: up to 2,000 more farms, which come across all that is worth it', async (t) => {
  const totals = await sweepInThreads(31, 30 + FARMS, os.availableParallelism(), TIME);
  for (const line of summary(totals).split('\n')) t.diagnostic(line);
  assert.deepEqual(totals.failures.map(complaint), []);
  assert.ok(totals.runs >= FEWEST, `only ${totals.runs} farms in ${TIME / 1_000} s`);
  // A few places are reached by one farm in a thousand.
  const missed = notReached(totals);
  if (totals.runs === FARMS) assert.deepEqual(missed, [], 'the simulator does not get there any more');
  else
    t.diagnostic(
      `of ${FARMS} farms there was time for ${totals.runs}, which did not come across: ${missed.join(', ') || 'nothing'}`,
    );
});

test('the same seed gives the same run under the oldest Node that is promised', async (t) => {
  const bin = await nodeOf(t, OLDEST);
  const simulator = [path.join(bin, 'node'), path.join(import.meta.dirname, 'run.ts')];
  for (const seed of [3, 5, 17]) {
    const here = await simulate(drawPlan(seed));
    const there = await run(t, [...simulator, '--seed', String(seed)]);
    assert.match(there.stdout, new RegExp(`\\[${here.hash}\\], ${here.events} events`), there.stderr);
  }
});
