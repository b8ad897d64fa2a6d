import { setTimeout as sleep } from 'node:timers/promises';
import { range } from 'manyhands';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { memoryOf } from '../harness/processes.ts';

const STORED = 1_000_000;
const LAZY = 1_000_000_000;
const RETURNED = 5_000_000;
const MB = 1_000_000;

/** W4: does the server's memory grow with what waits? */
export const queue: Question = {
  id: 'W4',
  asks: `${STORED.toLocaleString('en')} tasks from an iterable, all durable; ${LAZY.toLocaleString('en')} as a range, of which ${RETURNED.toLocaleString('en')} come back`,
  async measure(): Promise<Sample[]> {
    const stored = await storeMany();
    const lazy = await returnSome();
    const [small, large] = [Math.min(stored.peak, lazy.peak), Math.max(stored.peak, lazy.peak)];
    return [
      { name: 'W4 1,000,000 from an iterable: durable after', value: stored.seconds, unit: 's', target: { atMost: 3 } },
      { name: 'W4 the same: peak RSS of the server', value: stored.peak / MB, unit: 'MB', target: { atMost: 200 } },
      { name: 'W4 range of 10^9: peak RSS of the server', value: lazy.peak / MB, unit: 'MB', target: { atMost: 200 } },
      { name: 'W4 larger peak ÷ smaller', value: large / small, unit: '', target: { atMost: 1.1 } },
    ];
  },
};

/** All inputs are stored before a worker comes, so that all of them wait at once; then all are run. */
async function storeMany(): Promise<{ seconds: number; peak: number }> {
  await using farm = await MeasuredFarm.start();
  const began = performance.now();
  const job = await farm.client.map((i: number) => i * i, numbers(STORED));
  await job.submitted;
  const seconds = (performance.now() - began) / 1_000;
  await farm.join(2);
  let sum = 0;
  for await (const record of job.results({ ordered: false })) if (record.status === 'done') sum += 1;
  if (sum !== STORED) throw new Error(`W4: ${sum} of ${STORED} came back`);
  return { seconds, peak: memoryOf(farm.server.pid).peak };
}

async function returnSome(): Promise<{ peak: number }> {
  await using farm = await MeasuredFarm.start(2);
  const job = await farm.client.map((i: number) => i * i, range(0, LAZY));
  let back = 0;
  for await (const record of job.results({ ordered: false })) {
    if (record.status !== 'done') throw new Error(`W4: task ${record.index} is ${record.status}`);
    if (++back === RETURNED) break;
  }
  const { peak } = memoryOf(farm.server.pid);
  await job.cancel();
  await sleep(100);
  return { peak };
}

function* numbers(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i;
}
