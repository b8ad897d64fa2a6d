import { setTimeout as sleep } from 'node:timers/promises';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';

const TASKS = 2_000;
const MILLIS = 20;

/** W6: what the death of a worker costs, beside the same work without one. */
export const losses: Question = {
  id: 'W6',
  asks: `kill -9 one of two workers during ${TASKS.toLocaleString('en')} × ${MILLIS} ms, start another at once`,
  async measure(): Promise<Sample[]> {
    const calm = await seconds(false);
    const hurt = await seconds(true);
    return [
      { name: 'W6 without a death', value: calm, unit: 's' },
      { name: 'W6 with one', value: hurt, unit: 's' },
      { name: 'W6 the death costs', value: hurt - calm, unit: 's', target: { atMost: 0.3 } },
    ];
  },
};

async function seconds(kill: boolean): Promise<number> {
  await using farm = await MeasuredFarm.start(1, 1);
  const wait = (i: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(i), 20));
  await (await farm.client.map(wait, [1, 2, 3, 4])).values();
  const inputs = Array.from({ length: TASKS }, (_, i) => i);
  const began = performance.now();
  const job = await farm.client.map(wait, inputs);
  const all = job.values();
  await sleep((TASKS * MILLIS) / 4);
  if (kill) {
    const [victim] = farm.workers.splice(0, 1);
    await Promise.all([victim?.stop('SIGKILL'), farm.join(1)]);
  }
  const values = await all;
  const taken = (performance.now() - began) / 1_000;
  if (inputs.some((i) => values[i] !== i)) throw new Error('W6: a task was lost');
  return taken;
}
