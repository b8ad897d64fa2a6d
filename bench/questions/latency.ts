import { MeasuredFarm } from '../harness/farm.ts';
import { type Question, quantileOf, type Sample } from '../harness/figures.ts';

const CALLS = 10_000;

/** W2: one call after another, each on disk before it runs and again before its result is told. */
export const singles: Question = {
  id: 'W2',
  asks: `${CALLS.toLocaleString('en')} single runs one after another`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start(2);
    const square = (i: number): number => i * i;
    for (let i = 0; i < 1_000; i++) await farm.client.run(square, i);
    const times: number[] = [];
    for (let i = 0; i < CALLS; i++) {
      const began = performance.now();
      const value = await farm.client.run(square, i);
      times.push(performance.now() - began);
      if (value !== i * i) throw new Error(`W2: run(${i}) gave ${value}`);
    }
    return [
      { name: 'W2 single run, p50', value: quantileOf(times, 0.5), unit: 'ms', target: { atMost: 0.5 } },
      { name: 'W2 single run, p99', value: quantileOf(times, 0.99), unit: 'ms', target: { atMost: 3 } },
    ];
  },
};
