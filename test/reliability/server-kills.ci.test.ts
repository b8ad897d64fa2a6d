import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, killServer } from './server-kills.ts';

/** Kills, as many of them as this time in milliseconds allows, and how many it must allow. */
const KILLS = 300;
const TIME = 360_000;
const FEWEST = 100;

test('W7: of up to 300 kills of the server none loses or doubles anything, and it is back within 2 s (F-18, F-19, S1, S2)', async (t) => {
  const report = await killServer(t, { cycles: KILLS, time: TIME, backlog: 100_000 });
  const { cycles, acked, early, recoveries } = report;
  console.log(describe(report));
  assert.ok(cycles >= FEWEST, `only ${cycles} kills in ${TIME / 1_000} s`);
  assert.ok(acked > cycles * 20, `there was load: ${describe(report)}`);
  assert.ok(early > cycles / 10, `recovery was cut off: ${describe(report)}`);
  assert.ok((recoveries[Math.floor(cycles / 2)] as number) <= 2_000, describe(report));
});
