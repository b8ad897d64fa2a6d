import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { bareSeconds } from '../limits/bare.ts';

/** W3: does a slot ever wait for its next task? Beside it, in the same run, two processes that never have to. */
export const efficiency: Question = {
  id: 'W3',
  asks: '2,000 tasks of 10 ms and 200 of 100 ms on two slots: ideal ÷ wall, against two bare processes',
  runs: 5,
  async measure(): Promise<Sample[]> {
    const samples: Sample[] = [];
    for (const [count, millis] of [
      [2_000, 10],
      [200, 100],
    ] as const) {
      const bare = await bareSeconds(count, millis);
      const farm = await farmSeconds(count, millis);
      const ideal = (count * millis) / 2 / 1_000;
      const name = `W3 ${count.toLocaleString('en')} × ${millis} ms`;
      samples.push(
        { name: `${name}: ideal ÷ wall, bare processes`, value: ideal / bare, unit: '' },
        { name: `${name}: ideal ÷ wall, farm`, value: ideal / farm, unit: '' },
        { name: `${name}: farm ÷ bare`, value: bare / farm, unit: '', target: { atLeast: 0.99 } },
      );
    }
    return samples;
  },
};

async function farmSeconds(count: number, millis: number): Promise<number> {
  await using farm = await MeasuredFarm.start(2);
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await (await farm.client.map(wait, [1, 1, 1, 1])).values();
  const inputs = Array.from({ length: count }, () => millis);
  const began = performance.now();
  await (await farm.client.map(wait, inputs)).values();
  return (performance.now() - began) / 1_000;
}
