import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { FakeFarm } from '../../../test/support/fake-farm.ts';
import type { WorkerOptions } from './join.ts';
import { startWorker } from './join.ts';

async function joined(t: TestContext, options: Partial<WorkerOptions> = {}) {
  const farm = await FakeFarm.start(t);
  const worker = startWorker({ url: farm.url, slots: 2, name: 'test', ...options });
  cleanUp(t, () => worker.stop());
  await farm.welcomed();
  return { farm, worker };
}

test('P7 P8 P9 P10: a worker joins, runs a batch and reports each task once', async (t) => {
  const { farm } = await joined(t);
  farm.job(1, 'export default (x) => x * x;');
  farm.tasks(7, 1, [1, 2, 3, 4, 5]);
  const outcomes = await farm.gathered(5);
  assert.deepEqual(outcomes.map(({ index, value }) => [index, value]), [[0, 1], [1, 4], [2, 9], [3, 16], [4, 25]]);
  assert.equal(farm.outcomes.length, 5);
});
