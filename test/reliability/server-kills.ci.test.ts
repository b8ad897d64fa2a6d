import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, killServer, together } from './server-kills.ts';

/** Kills of each server, as many of them as this time in milliseconds allows, and how many they must allow together. */
const KILLS = 150;
const TIME = 150_000;
const FEWEST = 100;

test('W7: of up to 300 kills of two servers none loses or doubles anything, and they are back within 2 s (F-18, F-19, S1, S2)', async (t) => {
  // One leaves most of two cores idle: much of its life it waits for its workers to come back.
  const kill = () => killServer(t, { cycles: KILLS, time: TIME, backlog: 100_000 });
  const reports = await Promise.all([kill(), kill()]);
  for (const report of reports) t.diagnostic(describe(report));
  const report = together(reports);
  const { cycles, acked, early, recoveries } = report;
  t.diagnostic(`together: ${describe(report)}`);
  assert.ok(cycles >= FEWEST, `only ${cycles} kills in ${TIME / 1_000} s`);
  assert.ok(acked > cycles * 20, `there was load: ${describe(report)}`);
  assert.ok(early > cycles / 10, `recovery was cut off: ${describe(report)}`);
  assert.ok((recoveries[Math.floor(cycles / 2)] as number) <= 2_000, describe(report));
});
