import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, killServer } from './server-kills.ts';

test('a server that is killed at random instants loses nothing acknowledged, and its workers go on (F-18, F-19, S1, S2)', async (t) => {
  const report = await killServer(t, { cycles: 5, backlog: 20_000 });
  t.diagnostic(describe(report));
  assert.ok(report.acked > 5 * 10, `there was load: ${describe(report)}`);
});
