import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from './metrics.ts';

test('metrics are read by their names and labels', () => {
  const text =
    '# HELP a x\n# TYPE a counter\nmanyhands_commits_total 12\n\nmanyhands_tasks_total{outcome="done"} 1.5e+3\nodd line\n';
  assert.deepEqual(
    [...readMetrics(text)],
    [
      ['manyhands_commits_total', 12],
      ['manyhands_tasks_total{outcome="done"}', 1_500],
    ],
  );
});
