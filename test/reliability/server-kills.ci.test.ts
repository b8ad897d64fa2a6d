import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, killServer } from './server-kills.ts';

test('W7: of 300 kills of the server none loses or doubles anything, and it is back within 2 s (F-18, F-19, S1, S2)', async (t) => {
  const report = await killServer(t, { cycles: 300, backlog: 100_000 });
  console.log(describe(report));
  assert.ok(report.acked > 300 * 20, `there was load: ${describe(report)}`);
  assert.ok(report.early > 30, `recovery was cut off: ${describe(report)}`);
  assert.ok((report.recoveries[150] as number) <= 2_000, describe(report));
});
