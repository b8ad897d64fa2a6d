import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { range } from 'manyhands';
import { noBrowser, openBrowser } from '../../test/support/browser.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { lend } from './browser.ts';

const TASKS = 200_000;

/** W10: what a task in Python costs by python3, and how soon the first one has run where there is only Pyodide. */
export const python: Question = {
  id: 'W10',
  asks: `${TASKS.toLocaleString('en')} tasks in Python that do nothing, by python3; the first task by Pyodide, on Node and in a page`,
  async measure(): Promise<Sample[]> {
    if (noBrowser !== false) throw new Error(`W10: ${noBrowser}`);
    const ends: (() => unknown)[] = [];
    const cleanup: Cleanup = { after: (end) => ends.unshift(end as () => unknown) };
    try {
      const file = path.join(temporaryDirectory(cleanup, 'python'), 'task.py');
      writeFileSync(file, 'def task(x):\n    return x\n');
      const task = pathToFileURL(file);
      const rate = await nativeRate(task);
      const node = await firstTask(task, async (farm) => void (await farm.join(1)));
      const browser = await openBrowser(cleanup);
      const page = await firstTask(task, async (farm) => lend(await browser.newPage(), farm.joinUrl));
      return [
        { name: 'W10 tasks in Python that do nothing', value: rate, unit: 'tasks/s', target: { atLeast: 20_000 } },
        { name: 'W10 the first task by Pyodide on Node', value: node, unit: 's', target: { atMost: 6 } },
        { name: 'W10 the first task by Pyodide in a page', value: page, unit: 's', target: { atMost: 6 } },
      ];
    } finally {
      for (const end of ends) await end();
    }
  },
};

async function nativeRate(task: URL): Promise<number> {
  await using farm = await MeasuredFarm.start();
  await farm.join(2, '--allow', 'python');
  await farm.client.run(task, 1);
  const began = performance.now();
  const values = await (await farm.client.map(task, range(0, TASKS))).values();
  const seconds = (performance.now() - began) / 1_000;
  if (values.some((value, i) => value !== i)) throw new Error('W10: a task gave another number');
  return TASKS / seconds;
}

/** Seconds from the submit to the result, with a worker that has never seen Python. */
async function firstTask(task: URL, join: (farm: MeasuredFarm) => Promise<void>): Promise<number> {
  await using farm = await MeasuredFarm.start();
  await join(farm);
  // It is there, and has run something.
  await farm.client.run((x: number) => x, 1);
  const began = performance.now();
  await farm.client.run(task, 1);
  return (performance.now() - began) / 1_000;
}
