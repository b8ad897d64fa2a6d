import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { encode } from 'fast-png';
import type { Download, Page } from 'playwright-core';
import { noBrowser } from '../support/browser.ts';
import { waitFor } from '../support/wait.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;
const { farm } = watched;

/** A picture of one colour, as a task's input. */
const png = (red: number, side = 8) =>
  encode({ width: side, height: side, channels: 3, depth: 8, data: new Uint8Array(side * side * 3).fill(red) });
const asInput = (bytes: Uint8Array) => ({
  $mh: [
    ['Uint8Array', 1],
    ['ArrayBuffer', Buffer.from(bytes).toString('base64')],
  ],
});

/** Tiles of 8 × 8 of a picture of 32 × 24, each of one colour that its index tells. */
const TILES = (tail: string) => `export default async (i) => {
  await new Promise((resolve) => setTimeout(resolve, 600));
  const rgb = new Uint8Array(8 * 8 * 3);
  for (let p = 0; p < 64; p++) rgb.set([i * 20, 255 - i * 20, 7], p * 3);
  return { x: (i % 4) * 8, y: Math.floor(i / 4) * 8, width: 8, height: 8, picture: { width: 32, height: 24 }, ${tail} };
};`;

/** The colour of a canvas at a place. */
function pixel(page: Page, selector: string, x: number, y: number): Promise<number[]> {
  return page.evaluate(
    `(() => {
      const context = new OffscreenCanvas(1, 1).getContext('2d');
      context.drawImage(document.querySelector('${selector}'), ${-x}, ${-y});
      return [...context.getImageData(0, 0, 1, 1).data];
    })()`,
  ) as Promise<number[]>;
}

async function bytesOf(download: Download): Promise<Buffer> {
  return Buffer.concat(await (await download.createReadStream()).toArray());
}

describe('the results of a job in Chromium', { skip: noBrowser }, () => {
  test('numbers are a plot, said in words; of values with fields each number is one', async (t) => {
    const range = { start: 0, step: 1, count: 1_000 };
    const job = await farm.submit({ code: 'export default (n) => n * n', range });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    await page.getByRole('img', { name: /^Results of 1,000 tasks: 0 to 998,001, mean 332,83[34]$/ }).waitFor();
    const heights = (await page.evaluate(
      `[...document.querySelectorAll('.outcomes svg rect')].map((each) => each.y.baseVal.value)`,
    )) as number[];
    assert.ok(heights.length > 100 && heights.every((y, i) => i === 0 || y <= (heights[i - 1] ?? 0)), 'it only rises');
    await page.getByRole('list', { name: 'First results' }).getByText('0', { exact: true }).first().waitFor();

    const fields = await farm.submit({ code: `export default (n) => ({ n, '<b>': -n, name: 'x' })`, range });
    await watched.ended(fields);
    await page.goto(`http://127.0.0.1:${farm.port}/jobs/${fields}`);
    await page.getByRole('img', { name: 'n of 1,000 tasks: 0 to 999, mean 499.5' }).waitFor();
    await page.getByRole('img', { name: '<b> of 1,000 tasks: -999 to 0, mean -499.5' }).waitFor();
    quiet();
  });

  test('pictures are seen; what only begins as one, or would be gigabytes, is said', async (t) => {
    const huge = png(9);
    // Its head says 60,000 × 60,000.
    new DataView(huge.buffer, huge.byteOffset).setUint32(16, 60_000);
    new DataView(huge.buffer, huge.byteOffset).setUint32(20, 60_000);
    const noise = randomBytes(240 * 240 * 3);
    const large = encode({ width: 240, height: 240, channels: 3, depth: 8, data: noise });
    assert.ok(large.length > 65_536, 'it is a blob');
    const inputs = [png(200), huge, Buffer.from('GIF89a\u0001\0\u0001\0 not really'), large].map(asInput);
    const job = await farm.submit({ code: 'export default (x) => x', inputs });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    await page.getByRole('img', { name: 'The picture of task 0' }).waitFor();
    await page.getByText('60000 × 60000 pixels are too many to be shown').waitFor();
    await page.getByText(/it begins as a GIF does, but is none|no picture that browsers know/).waitFor();
    const drawn = page.getByRole('img', { name: 'The picture of task 3' });
    await waitFor(async () => (await drawn.getAttribute('width')) === '160', { what: 'the large one, made small' });
    assert.deepEqual(await pixel(page, 'canvas[aria-label$="task 0"]', 4, 4), [200, 200, 200, 255]);
    await page.getByRole('link', { name: 'The picture of task 0' }).click();
    await page.getByRole('heading', { level: 1, name: 'Task 0' }).waitFor();
    await page.getByRole('region', { name: 'Output' }).getByRole('img', { name: 'A PNG picture' }).waitFor();
    await page.goto(`http://127.0.0.1:${farm.port}/jobs/${job}/tasks/3`);
    await waitFor(async () => (await page.locator('canvas[width="240"]').count()) === 2, { what: 'the large one' });
    quiet();
  });

  test('tiles become the picture that they are parts of, while the job runs', async (t) => {
    const job = await farm.submit({ code: TILES('rgb'), range: { start: 0, step: 1, count: 12 } });
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const seen = new Set<string>();
    const words = page.locator('.tiles figcaption span');
    await waitFor(
      async () => {
        const text = (await words.count()) > 0 ? ((await words.first().textContent()) ?? '') : '';
        if (text !== '') seen.add(text);
        return text.startsWith('12 of 12');
      },
      { what: 'the whole picture', timeout: 30_000 },
    );
    assert.ok(seen.size > 1, `it grew: ${[...seen]}`);
    await page.getByRole('img', { name: '12 of 12 tiles of a picture of 32 × 24 pixels' }).waitFor();
    for (const i of [0, 5, 11]) {
      const place = [(i % 4) * 8 + 3, Math.floor(i / 4) * 8 + 3] as const;
      await waitFor(async () => (await pixel(page, '.tiles canvas', ...place))[0] === i * 20, { what: `tile ${i}` });
      assert.deepEqual(await pixel(page, '.tiles canvas', ...place), [i * 20, 255 - i * 20, 7, 255]);
    }
    const [saved] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save the picture' }).click(),
    ]);
    assert.equal(saved.suggestedFilename(), `job-${job}.png`);
    assert.equal((await bytesOf(saved)).subarray(1, 4).toString(), 'PNG');
    await page.goto(`http://127.0.0.1:${farm.port}/jobs/${job}/tasks/5`);
    await page.getByRole('img', { name: 'A tile of 8 × 8 pixels at 8, 8' }).waitFor();
    await waitFor(async () => (await pixel(page, 'canvas', 7, 7))[0] === 100, { what: 'the tile by itself' });
    quiet();
  });

  test('tiles that are pictures themselves, and tiles that are too large for a line', async (t) => {
    const image = Buffer.from(png(77)).toString('base64');
    const code = TILES(`image: Uint8Array.from(atob('${image}'), (c) => c.charCodeAt(0))`);
    const job = await farm.submit({ code, range: { start: 0, step: 1, count: 2 } });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    await page.getByRole('img', { name: '2 of 2 tiles' }).waitFor();
    await waitFor(async () => (await pixel(page, '.tiles canvas', 12, 4))[0] === 77, { what: 'the second tile' });
    const large = await farm.submit({
      code: `export default (i) => ({ x: i * 200, y: 0, width: 200, height: 200, picture: { width: 400, height: 200 }, gray: new Uint8ClampedArray(40_000).fill(50 + i), rgba: new Uint8ClampedArray(160_000).fill(200) })`,
      range: { start: 0, step: 1, count: 2 },
    });
    await watched.ended(large);
    await page.goto(`http://127.0.0.1:${farm.port}/jobs/${large}`);
    await page.getByRole('img', { name: '2 of 2 tiles of a picture of 400 × 200 pixels' }).waitFor();
    await waitFor(async () => (await pixel(page, '.tiles canvas', 399, 199))[3] === 200, { what: 'the last pixel' });
    quiet();
  });

  test('all results are saved as NDJSON, CSV and zip, byte by byte what the server has', async (t) => {
    const job = await farm.submit({
      code: `export default (n) => n === 2 ? '=cmd' : n === 3 ? new Uint8Array(100_000).fill(n) : { n, text: 'a,"b"' }`,
      range: { start: 0, step: 1, count: 5 },
    });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`, farm.tokens.read);
    for (const [form, path] of [
      ['NDJSON', 'results'],
      ['CSV', 'results.csv'],
      ['zip', 'results.zip'],
    ] as const) {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: `Download results as ${form}` }).click(),
      ]);
      assert.equal(download.suggestedFilename(), `job-${job}.${form.toLowerCase()}`);
      const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
      assert.equal(sum(await bytesOf(download)), sum((await farm.ask('GET', `/v1/jobs/${job}/${path}`)).body), form);
      assert.equal((await page.request.get(download.url())).status(), 401, 'the ticket was used');
    }
    quiet();
  });

  test('of very many results it reads the first, and says so', async (t) => {
    const job = await farm.submit({ code: 'export default (n) => n', range: { start: 0, step: 1, count: 600_000 } });
    await waitFor(
      async () => (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt,
      { what: 'the end of the job', timeout: 120_000 },
    );
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const words = page.getByText(/^This shows the first [\d,]+ of 600,000 results: the downloads hold all\.$/);
    await words.waitFor({ timeout: 60_000 });
    const shown = Number(/first ([\d,]+)/.exec((await words.textContent()) ?? '')?.[1]?.replaceAll(',', ''));
    assert.ok(shown > 100_000 && shown < 600_000, `${shown}`);
    quiet();
  });
});
