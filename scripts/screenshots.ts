// Makes a picture of every page of a farm that has something to show, in both themes, on a screen and on a phone: to be
// looked at. `npm run screenshots -- [DIRECTORY] [PAGE…]`
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { encode } from 'fast-png';
import type { Browser } from 'playwright-core';
import { openBrowser } from '../test/support/browser.ts';
import type { Cleanup } from '../test/support/cleanup.ts';
import { ServedFarm } from '../test/support/served-farm.ts';
import { waitFor } from '../test/support/wait.ts';

const SIZES = { screen: { width: 1_280, height: 800 }, phone: { width: 390, height: 844 } } as const;
const SCHEMES = ['light', 'dark'] as const;

const NUMBERS = `export default (n) => { const x = n / 200; return { wave: Math.sin(x) * Math.exp(-x / 9), noise: Math.random() }; };`;
const PICTURES = `export default (bytes) => bytes;`;
const TILES = `export default async (i) => {
  const [columns, width, height] = [8, 40, 30];
  const [x, y] = [(i % columns) * width, Math.floor(i / columns) * height];
  const rgb = new Uint8Array(width * height * 3);
  for (let v = 0; v < height; v++) for (let u = 0; u < width; u++) {
    let [a, b, n] = [0, 0, 0];
    const [p, q] = [(x + u) / 130 - 1.75, (y + v) / 110 - 0.95];
    while (n < 60 && a * a + b * b < 4) { [a, b] = [a * a - b * b + p, 2 * a * b + q]; n++; }
    rgb.set([n * 4, n * 3, 90 + n], (v * width + u) * 3);
  }
  await new Promise((resolve) => setTimeout(resolve, i < 40 ? 10 : 600_000));
  return { x, y, width, height, picture: { width: 320, height: 210 }, rgb };
};`;
const FAILS = `export default async (n) => {
  console.log('looking at ' + n);
  if (n % 9 === 4) throw new RangeError('the sample ' + n + ' has no value');
  await new Promise((resolve) => setTimeout(resolve, 5));
  return n % 2 ? 'text ' + n : [n, { half: n / 2 }];
};`;

interface Scene {
  readonly farm: ServedFarm;
  readonly pages: Readonly<Record<string, string>>;
}

async function setUp(cleanup: Cleanup): Promise<Scene> {
  const farm = await ServedFarm.start(cleanup);
  const empty = await ServedFarm.start(cleanup);
  await farm.join(2);
  const end = async (job: number) => {
    const isOver = async () =>
      (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
    await waitFor(isOver, { what: `the end of job ${job}`, timeout: 60_000 });
    return job;
  };
  const range = (count: number) => ({ start: 0, step: 1, count });
  const numbers = await end(await farm.submit({ name: 'waves', code: NUMBERS, range: range(5_000) }));
  const pictures = await end(await farm.submit({ name: 'thumbnails', code: PICTURES, inputs: somePictures() }));
  const failing = await farm.submit({ name: 'samples', code: FAILS, range: range(120), maxFailures: 999, retries: 0 });
  await end(failing);
  const waiting = await farm.submit({ name: 'for a GPU', code: NUMBERS, inputs: [1], requires: { gpu: 'yes' } });
  const tiles = await farm.submit({ name: 'a fractal in tiles', code: TILES, range: range(56) });
  const tilesDone = async () =>
    (await farm.json<{ progress: { done: number } }>('GET', `/v1/jobs/${tiles}`)).progress.done >= 40;
  await waitFor(tilesDone, { what: 'some tiles', timeout: 60_000 });
  const { workers } = await farm.json<{ workers: { id: string }[] }>('GET', '/v1/workers');
  const link = (to: string, from = farm) => `http://127.0.0.1:${from.port}${to}#${from.tokens.admin}`;
  const pages = {
    index: link('/'),
    empty: link('/', empty),
    'job-numbers': link(`/jobs/${numbers}`),
    'job-pictures': link(`/jobs/${pictures}`),
    'job-tiles': link(`/jobs/${tiles}`),
    'job-failures': link(`/jobs/${failing}`),
    'job-waiting': link(`/jobs/${waiting}`),
    'task-picture': link(`/jobs/${pictures}/tasks/3`),
    'task-failed': link(`/jobs/${failing}/tasks/4`),
    'task-done': link(`/jobs/${numbers}/tasks/7`),
    'task-waiting': link(`/jobs/${waiting}/tasks/0`),
    worker: link(`/workers/${workers[0]?.id ?? ''}`),
    run: link('/run'),
    join: `http://127.0.0.1:${farm.port}/join#${farm.tokens.work}`,
    'sign-in': `http://127.0.0.1:${farm.port}/`,
  };
  return { farm, pages };
}

/** Rings of several colours and sizes, in their JSON form. */
function somePictures(): unknown[] {
  return Array.from({ length: 9 }, (_, k) => {
    const side = 60 + 12 * k;
    const data = new Uint8Array(side * side * 3);
    for (let i = 0; i < side * side; i++) {
      const away = Math.hypot((i % side) - side / 2, Math.floor(i / side) - side / 2);
      data.set([(away * 9 + 20 * k) % 256, (away * 5) % 256, 60 + 20 * k], i * 3);
    }
    const bytes = encode({ width: side, height: side, channels: 3, depth: 8, data });
    return {
      $mh: [
        ['Uint8Array', 1],
        ['ArrayBuffer', Buffer.from(bytes).toString('base64')],
      ],
    };
  });
}

async function photograph(browser: Browser, directory: string, pages: Scene['pages'], wanted: string[]): Promise<void> {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of SCHEMES) {
      for (const [name, address] of Object.entries(pages)) {
        if (wanted.length > 0 && !wanted.includes(name)) continue;
        const context = await browser.newContext({
          viewport,
          colorScheme,
          deviceScaleFactor: size === 'phone' ? 2 : 1,
        });
        const page = await context.newPage();
        await page.goto(address);
        await page.locator('h1').first().waitFor();
        // What is asked for one after the other: results, tasks, the log.
        await page.waitForTimeout(2_500);
        const file = path.join(directory, `${name}-${size}-${colorScheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
        console.log(path.relative('', file));
        await context.close();
      }
    }
  }
}

const [directory = 'screenshots', ...wanted] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
const cleaners: (() => void | Promise<void>)[] = [];
const cleanup: Cleanup = { after: (clean) => void cleaners.push(clean) };
try {
  const { pages } = await setUp(cleanup);
  await photograph(await openBrowser(cleanup), directory, pages, wanted);
} finally {
  for (const clean of cleaners) await clean();
}
