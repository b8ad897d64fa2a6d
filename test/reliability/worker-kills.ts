import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../support/processes.ts';
import { checkRecords } from './records.ts';
import { Served } from './served.ts';

interface Context {
  readonly key: string;
  readonly attempt: string;
}

async function square(input: number, ctx: Context): Promise<[number, string, string]> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return [input * input, ctx.key, ctx.attempt];
}

/**
 * Kills one of two workers again and again, and starts another each time, until so many have died and a job of short
 * tasks is done. Returns how many attempts were lost with them.
 */
export async function killWorkers(t: TestContext, kills: number): Promise<number> {
  const served = await Served.start(t);
  const farm = await served.connect();
  const workers: Running[] = [await served.join('--slots', '1'), await served.join('--slots', '1')];
  let killed = 0;
  const inputs = async function* () {
    for (let input = 0; killed < kills; input++) {
      if (input % 20 === 19) await sleep(150);
      yield input;
    }
  };
  const job = await farm.map(square, inputs());
  const killing = (async () => {
    for (; killed < kills; killed++) {
      await sleep(100 + Math.random() * 400);
      const at = killed % 2;
      await (workers[at] as Running).kill();
      workers[at] = await served.join('--slots', '1');
    }
  })();
  const [values] = await Promise.all([job.values(), killing]);
  const { progress } = await job.status();
  assert.equal(values.length, progress.total);
  for (const [index, [value, key]] of values.entries()) {
    assert.equal(value, index * index);
    assert.match(key, new RegExp(`-${job.id}-${index}$`));
  }
  assert.deepEqual([progress.failed, progress.retried, progress.cancelled], [0, 0, 0], 'nobody was charged');
  await farm.close();
  await served.stop();
  checkRecords(served.dataDir);
  return progress.lost;
}
