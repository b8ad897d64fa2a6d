import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeSeveral, killSeveral } from './several-servers.ts';

/** Rounds, as many of them as this time in milliseconds allows, and how many it must allow. KILL_SECONDS=900 is enough for all. */
const ROUNDS = 200;
const TIME = Number(process.env['KILL_SECONDS'] ?? 150) * 1_000;
const FEWEST = 30;

test('of up to 200 rounds that kill or pause one of three servers, six workers or their PostgreSQL none loses or doubles anything (F-38, F-40, F-41, S1, S2, S12)', async (t) => {
  const report = await killSeveral(t, { rounds: ROUNDS, time: TIME });
  console.log(describeSeveral(report));
  assert.ok(report.rounds >= FEWEST, `only ${report.rounds} rounds in ${TIME / 1_000} s`);
  assert.ok(report.acked > report.rounds * 20, `there was load: ${describeSeveral(report)}`);
});
