import type { Browser, Page } from 'playwright-core';
import { noBrowser, openBrowser } from '../../test/support/browser.ts';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';

const TASKS = 300;

/** About 10 ms of arithmetic. */
const compute = (seed: number): number => {
  let x = seed;
  for (let i = 0; i < 4_000_000; i++) x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  return x;
};
const wait = (_: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

/** W9: how soon a page that was just opened is of use, and how its slot compares with one of Node. */
export const browser: Question = {
  id: 'W9',
  asks: `the first task of a page that was just opened, and ${TASKS} tasks of 10 ms on one slot: Chromium against Node`,
  async measure(): Promise<Sample[]> {
    if (noBrowser !== false) throw new Error(`W9: ${noBrowser}`);
    const ends: (() => unknown)[] = [];
    const cleanup: Cleanup = { after: (end) => ends.unshift(end as () => unknown) };
    try {
      return await compare(await openBrowser(cleanup));
    } finally {
      for (const end of ends) await end();
    }
  },
};

async function compare(chromium: Browser): Promise<Sample[]> {
  const node = await nodeSeconds();
  const page = await pageSeconds(chromium);
  return [
    { name: 'W9 from the link to the first finished task', value: page.first, unit: 's', target: { atMost: 2 } },
    ratio('computing', node.computing, page.computing),
    ratio('waiting', node.waiting, page.waiting),
  ];
}

function ratio(what: string, node: number, page: number): Sample {
  return { name: `W9 10 ms of ${what}: page ÷ Node`, value: node / page, unit: '', target: { atLeast: 0.9 } };
}

interface Seconds {
  readonly computing: number;
  readonly waiting: number;
}

async function nodeSeconds(): Promise<Seconds> {
  await using farm = await MeasuredFarm.start(1);
  return await seconds(farm);
}

async function pageSeconds(chromium: Browser): Promise<Seconds & { readonly first: number }> {
  await using farm = await MeasuredFarm.start();
  const job = await farm.client.map((x: number) => x, [1]);
  const page = await chromium.newPage();
  const began = performance.now();
  await lend(page, farm.joinUrl);
  await job.values();
  const first = (performance.now() - began) / 1_000;
  const both = await seconds(farm);
  await page.close();
  return { ...both, first };
}

export async function lend(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.locator('#slots').fill('1');
  await page.locator('#lend').click();
}

async function seconds(farm: MeasuredFarm): Promise<Seconds> {
  const measure = async (task: (input: number) => unknown): Promise<number> => {
    // The code is compiled for speed, and the batches have found their size.
    await (await farm.client.map(task, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).values();
    const inputs = Array.from({ length: TASKS }, (_, i) => i);
    const began = performance.now();
    await (await farm.client.map(task, inputs)).values();
    return (performance.now() - began) / 1_000;
  };
  return { computing: await measure(compute), waiting: await measure(wait) };
}
