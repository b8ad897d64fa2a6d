import { createHash, randomBytes } from 'node:crypto';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { memoryOf } from '../harness/processes.ts';

const MiB = 1024 * 1024;
const COUNT = 200;
const LARGE = 100;

/** W5: values that are too large for a message. */
export const payload: Question = {
  id: 'W5',
  asks: `${COUNT} × 1 MiB in and out; one task of ${LARGE} MiB in and out`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start(2);
    const echo = (bytes: Uint8Array): Uint8Array => bytes;
    await (await farm.client.map(echo, [randomBytes(MiB), randomBytes(MiB)])).values();
    const before = memoryOf(farm.server.pid).now;
    const inputs = Array.from({ length: COUNT }, () => new Uint8Array(randomBytes(MiB)));
    const began = performance.now();
    const values = await (await farm.client.map(echo, inputs)).values();
    const seconds = (performance.now() - began) / 1_000;
    if (inputs.some((bytes, i) => Buffer.compare(bytes, values[i] as Uint8Array) !== 0))
      throw new Error('W5: other bytes');
    const large = new Uint8Array(randomBytes(LARGE * MiB));
    const largeBegan = performance.now();
    const back = await farm.client.run(echo, large);
    const largeSeconds = (performance.now() - largeBegan) / 1_000;
    if (digest(back) !== digest(large)) throw new Error('W5: other bytes in the large one');
    const grown = memoryOf(farm.server.pid).peak - before;
    return [
      {
        name: 'W5 200 × 1 MiB, counted in + out',
        value: (2 * COUNT) / seconds,
        unit: 'MiB/s',
        target: { atLeast: 300 },
      },
      { name: 'W5 one of 100 MiB, counted in + out', value: (2 * LARGE) / largeSeconds, unit: 'MiB/s' },
      { name: 'W5 the server grew at most by', value: grown / MiB, unit: 'MiB', target: { atMost: 64 } },
    ];
  },
};

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
