import type { TestContext } from 'node:test';
import type { Worker, WorkerOptions } from '../../src/worker/node/join.ts';
import { startWorker } from '../../src/worker/node/join.ts';
import { cleanUp } from './cleanup.ts';
import { FakeFarm } from './fake-farm.ts';

/** A fake farm and a real worker that has joined it. */
export async function joinedWorker(
  t: TestContext,
  options: Partial<WorkerOptions> = {},
): Promise<{ farm: FakeFarm; worker: Worker }> {
  const farm = await FakeFarm.start(t);
  const worker = startWorker({ url: farm.url, slots: 2, name: 'test', ...options });
  cleanUp(t, () => worker.stop());
  await farm.welcomed();
  return { farm, worker };
}
