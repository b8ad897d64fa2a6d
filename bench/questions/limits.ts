import type { Question, Sample } from '../harness/figures.ts';
import { bareSeconds } from '../limits/bare.ts';
import { echoLatency, echoRate } from '../limits/echo.ts';
import { hubRate } from '../limits/hub.ts';

const MiB = 1024 * 1024;

/** What this machine allows: nothing that keeps its word can be faster than these. */
export const limits: Question = {
  id: 'limits',
  asks: 'what the machine allows: raw ws echoes, a hub in memory that keeps nothing, two bare processes',
  async measure(): Promise<Sample[]> {
    const { p50, p99 } = await echoLatency(10_000);
    return [
      { name: 'ws echo of 100 bytes, one by one, p50', value: p50, unit: 'ms' },
      { name: 'ws echo of 100 bytes, one by one, p99', value: p99, unit: 'ms' },
      { name: 'ws echo of 100 bytes, 64 under way', value: await echoRate(200_000, 100, 64), unit: 'messages/s' },
      { name: 'ws echo of 1 MiB, counted in + out', value: 2 * (await echoRate(400, MiB, 4)), unit: 'MiB/s' },
      { name: 'hub in memory, batches of 64', value: await hubRate(640_000, 64, 8), unit: 'tasks/s' },
      { name: 'two bare processes, 2,000 × 10 ms: ideal ÷ wall', value: 10 / (await bareSeconds(2_000, 10)), unit: '' },
    ];
  },
};
