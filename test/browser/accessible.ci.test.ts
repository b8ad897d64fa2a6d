import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, describe, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { ownToken } from '../../src/worker/node/enrol.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { imageFiles } from '../support/image-files.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

interface Stage {
  readonly browser: Browser;
  readonly farm: ServedFarm;
  readonly worker: string;
}

/** A GIF of one point. */
const PICTURE = {
  $mh: [
    ['Uint8Array', 1],
    ['ArrayBuffer', 'R0lGODlhAQABAAAAACwAAAAAAQABAAACAkwBADs='],
  ],
};

const { browser, farm, worker } = (noBrowser === false ? await setUp({ after }) : {}) as Stage;

async function setUp(suite: Cleanup): Promise<Stage> {
  const farm = await ServedFarm.start(suite, { bootImages: imageFiles(suite).directory, netboot: true });
  const machine = { machine: 'a'.repeat(32), name: 'mh-525400123456', cards: ['52:54:00:12:34:56'] };
  await ownToken(new URL(farm.server.url), farm.tokens.enrol, machine);
  await farm.join(2);
  const code = `export default (n) => { console.error('n is ' + n); if (n % 5 === 4) throw new Error('a long message '.repeat(20) + n); return { text: 'x'.repeat(500), n }; }`;
  const name = 'a-name-without-any-place-to-break-it-'.repeat(4);
  await farm.submit({ name, code, range: { start: 0, step: 1, count: 30 }, maxFailures: 99 });
  await farm.submit({ name: 'waits', code, inputs: [1], requires: { place: 'moon' } });
  const tile = `export default (i) => ({ x: i * 8, y: 0, width: 8, height: 8, picture: { width: 16, height: 8 }, gray: new Uint8Array(64).fill(i) })`;
  await farm.submit({ name: 'tiles', code: tile, inputs: [0, 1] });
  await farm.submit({ name: 'pictures', code: 'export default (x) => x', inputs: [PICTURE, PICTURE] });
  const isOver = async () =>
    (await farm.json<{ progress: { endedAt?: number } }>('GET', '/v1/jobs/1')).progress.endedAt;
  await waitFor(isOver, { what: 'the end of the job', timeout: 30_000 });
  const { workers } = await farm.json<{ workers: { id: string }[] }>('GET', '/v1/workers');
  return { browser: await openBrowser(suite), farm, worker: workers[0]?.id ?? '' };
}

/** Faults that a program can see: of structure, names, sizes and contrast. */
const FAULTS = `(() => {
  const faults = [];
  const say = (what, element) => faults.push(what + ': ' + (element?.outerHTML ?? '').slice(0, 90));
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  if (document.documentElement.lang === '') say('no language');
  if (document.title === '') say('no title');
  for (const [selector, count] of [['h1', 1], ['main', 1], ['header', 1]]) if (all(selector).length !== count) say('not one ' + selector);
  const named = (element) => element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.length;
  for (const element of all('a, button, input, textarea, summary')) if (!named(element)) say('no name', element);
  for (const element of all('canvas, [role=img]')) if (!element.getAttribute('aria-label')) say('no words for a picture', element);
  for (const element of all('fieldset')) if (!element.querySelector('legend')) say('a group without a name', element);
  for (const element of all('svg')) if (!element.getAttribute('aria-label') && !element.closest('[aria-hidden]')) say('no words for a picture', element);
  const ids = all('[id]').map(({ id }) => id);
  for (const id of new Set(ids)) if (ids.filter((each) => each === id).length > 1) say('an id twice: ' + id);
  for (const element of all('[aria-labelledby], [aria-describedby]')) {
    for (const id of (element.getAttribute('aria-labelledby') ?? element.getAttribute('aria-describedby')).split(' ')) if (!ids.includes(id)) say('points to nothing', element);
  }
  let level = 0;
  for (const element of all('h1, h2, h3')) { const next = Number(element.tagName[1]); if (next > level + 1) say('a level is left out', element); level = next; }
  for (const table of all('table')) if (!table.querySelector('th[scope=col]') || (table.querySelector('tbody tr') && !table.querySelector('th[scope=row]'))) say('a table without heads', table);
  for (const element of all('button, input, summary')) if (seen(element) && element.getBoundingClientRect().height < 24) say('too small to touch', element);
  for (const element of all('*')) if (seen(element) && element.scrollHeight > element.clientHeight + 2 && /auto|scroll/.test(getComputedStyle(element).overflowY) && element.tabIndex < 0) say('scrolls, but not with keys', element);
  if (document.documentElement.scrollWidth > innerWidth) say('wider than the window by ' + (document.documentElement.scrollWidth - innerWidth));
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => { const [r, g, b] = channels(color).map((c) => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => { for (let at = element; at; at = at.parentElement) { const { backgroundColor } = getComputedStyle(at); if ((channels(backgroundColor)[3] ?? 1) > 0) return backgroundColor; } return 'rgb(255, 255, 255)'; };
  for (const element of all('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || !seen(element) || element.closest(':disabled, noscript')) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) say('contrast ' + ((a + 0.05) / (b + 0.05)).toFixed(2), element);
  }
  return faults;
})()`;

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What our own look finds, and what axe finds serious or worse. */
async function faultsIn(page: Page): Promise<string[]> {
  const own = (await page.evaluate(FAULTS)) as string[];
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  const found = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return [...own, ...found.flatMap(({ id, nodes }) => nodes.map(({ html }) => `axe ${id}: ${html.slice(0, 90)}`))];
}

const pages: [path: string, whenThere: RegExp][] = [
  ['/', /Connections/],
  ['/jobs/1', /Timeline[\s\S]*How long tasks take[\s\S]*All 30[\s\S]*0 to 19 of 30[\s\S]*n is 0/],
  ['/jobs/2', /Why it waits/],
  ['/jobs/1/tasks/4', /How it went/],
  ['/jobs/2/tasks/0', /Why it waits/],
  [`/workers/${worker}`, /Platform/],
  ['/run', /Name of the job/],
  ['/jobs/3', /2 of 2 tiles/],
  ['/jobs/3/tasks/1', /How it went/],
  ['/jobs/4', /Uint8Array of/],
  ['/join', /npx --no manyhands join/],
  ['/boot', /Make an image[\s\S]*Shut out/],
];

describe('everybody can use the pages', { skip: noBrowser }, () => {
  // Each width and each scheme once: neither changes what the other may break.
  for (const [width, colorScheme] of [
    [360, 'light'],
    [1_280, 'dark'],
  ] as const) {
    test(`at ${width} points in ${colorScheme} nothing is unnamed, pale, too small or too wide`, async (t) => {
      const options = { viewport: { width, height: 800 }, colorScheme };
      const address = `http://127.0.0.1:${farm.port}`;
      const opened = await openPage(t, browser, `${address}/#${farm.tokens.admin}`, options);
      const { page } = opened;
      for (const [path, there] of pages) {
        await page.goto(`${address}${path}`);
        await page.locator('main', { hasText: there }).waitFor();
        assert.deepEqual(await faultsIn(page), [], path);
      }
      const lent = await openPage(t, browser, farm.server.joinUrl, options);
      await lent.page.locator('#lend').waitFor();
      assert.deepEqual(await faultsIn(lent.page), [], 'before it is lent');
      await lent.page.locator('#lend').click();
      await lent.page.locator('main', { hasText: /waits for tasks|computing/ }).waitFor();
      assert.deepEqual(await faultsIn(lent.page), [], 'a page that is lent');
      assertQuiet(lent);
      const stranger = await openPage(t, browser, `${address}/jobs/1`, options);
      await stranger.page.getByLabel('Link or token').waitFor();
      assert.deepEqual(await faultsIn(stranger.page), [], 'without a token');
      assertQuiet(opened);
    });
  }

  test('a lent page whose server is gone says so, and stays as wide as the phone', async (t) => {
    const gone = await ServedFarm.start(t);
    const { page } = await openPage(t, browser, gone.server.joinUrl, { viewport: { width: 360, height: 800 } });
    await page.locator('#lend').click();
    await page.getByText('waits for tasks').waitFor();
    await gone.server.close();
    await page.getByText(/^not connected, trying again: /).waitFor();
    assert.deepEqual(await faultsIn(page), []);
  });

  test('both looks name what is planted, and nothing beside it', async (t) => {
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/#${farm.tokens.admin}`);
    const { page } = opened;
    await page.locator('main', { hasText: /Connections/ }).waitFor();
    assert.deepEqual(await faultsIn(page), [], 'before');
    await page.evaluate(`(() => {
      const plant = (tag, id, text) => {
        const made = Object.assign(document.createElement(tag), { id, textContent: text });
        document.querySelector('main').append(made);
        return made;
      };
      Object.assign(plant('button', 'mute', '').style, { height: '12px', minHeight: 0, padding: 0 });
      Object.assign(plant('p', 'pale', 'hardly to be read').style, { color: '#999', backgroundColor: '#fff' });
    })()`);
    const found = (await faultsIn(page)).map((fault) => fault.replace(/:? ?<.*id="(\w+)".*/, ' #$1'));
    assert.deepEqual(found.sort(), [
      'axe button-name #mute',
      'axe color-contrast #pale',
      'contrast 2.85 #pale',
      'no name #mute',
      'too small to touch #mute',
    ]);
    assertQuiet(opened);
  });

  test('with the keyboard alone one gets to a task, and hears where one is', async (t) => {
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/#${farm.tokens.admin}`);
    const { page } = opened;
    await page.locator('.jobs a').first().waitFor();
    await press(page, 'a[href="/jobs/1"]');
    await page.waitForURL('**/jobs/1');
    await waitFor(async () => (await focused(page)).startsWith('H1 a-name'), {
      what: 'the focus to go to the heading',
    });
    await press(page, '.tasks a[href="/jobs/1/tasks/0"]');
    await waitFor(async () => (await focused(page)) === 'H1 Task 0', { what: 'the focus to go to the heading' });
    assert.equal(await page.title(), 'Task 0 of job 1 · manyhands');
    assert.ok((await page.locator('[role=status]').count()) > 0, 'what changes is told');
    assertQuiet(opened);
  });
});

async function focused(page: Page): Promise<string> {
  return (await page.evaluate('document.activeElement.tagName + " " + document.activeElement.textContent')) as string;
}

/** Tab until the wanted thing has the focus, which must be visible all the way; then Enter. */
async function press(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    await page.keyboard.press('Tab');
    const [there, outlined] = (await page.evaluate(
      `[document.activeElement.matches(${JSON.stringify(selector)}), parseFloat(getComputedStyle(document.activeElement).outlineWidth) > 0]`,
    )) as [boolean, boolean];
    assert.ok(outlined, `the focus cannot be seen on ${await focused(page)}`);
    if (!there) continue;
    await page.keyboard.press('Enter');
    return;
  }
  assert.fail(`${selector} cannot be reached with Tab`);
}
