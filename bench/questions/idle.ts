import { setTimeout as sleep } from 'node:timers/promises';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { cpuOf, memoryOf, script } from '../harness/processes.ts';

const WORKERS = 1_000;
const SECONDS = 60;
const KB = 1_000;

/** W8: what a worker costs that has nothing to do. */
export const idle: Question = {
  id: 'W8',
  asks: `${WORKERS.toLocaleString('en')} idle workers connected, watched for ${SECONDS} s`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start();
    await sleep(3_000);
    const before = memoryOf(farm.server.pid).now;
    const token = new URL(farm.joinUrl).hash.slice(1);
    const workers = script(
      new URL('../limits/entry/idle-workers.ts', import.meta.url),
      farm.url,
      token,
      String(WORKERS),
    );
    await workers.line();
    await sleep(5_000);
    const cpu = cpuOf(farm.server.pid);
    await sleep(SECONDS * 1_000);
    const used = (cpuOf(farm.server.pid) - cpu) / SECONDS;
    const grown = memoryOf(farm.server.pid).now - before;
    await workers.stop();
    return [
      { name: 'W8 memory of an idle worker', value: grown / WORKERS / KB, unit: 'KB', target: { atMost: 40 } },
      { name: 'W8 CPU of the server', value: used * 100, unit: '% of a core', target: { atMost: 1 } },
    ];
  },
};
