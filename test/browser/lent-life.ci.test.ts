import assert from 'node:assert/strict';
import { after, describe, type TestContext, test } from 'node:test';
import type { Browser, BrowserContext } from 'playwright-core';
import { noBrowser, openBrowser, openDrowsyBrowser } from '../support/browser.ts';
import { lendPage, recordsOf, valuesOf, workersOf } from '../support/lent-page.ts';
import { assertQuiet, type OpenedPage, openPage } from '../support/opened-page.ts';
import { PageWindow } from '../support/put-away.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;
const drowsy = (noBrowser === false ? await openDrowsyBrowser({ after }) : undefined) as BrowserContext;

/** Some milliseconds of arithmetic whose result depends on all of it. */
const WORK = `export default (seed) => {
  let x = seed + 1;
  for (let i = 0; i < 1_000_000; i++) x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  return { seed, x, list: [x % 7, String(x)], when: new Date(seed) };
};`;

const isThere = async (farm: ServedFarm): Promise<boolean> =>
  (await workersOf(farm)).some(({ state }) => state !== 'lost');

describe('pages come and go', { skip: noBrowser }, () => {
  test('S1: a job shared by a worker of Node and two pages, one killed half way, gives what Node alone gives', async (t) => {
    const farm = await ServedFarm.start(t);
    const inputs = Array.from({ length: 200 }, (_, i) => i);
    await farm.join(1);
    const alone = await recordsOf(farm, await farm.submit({ code: WORK, inputs }));
    const kept = await lendPage(t, browser, farm, 1);
    // In a browser of its own, so that its death is its own.
    const killed = await lendPage(t, await openBrowser(t), farm, 1);
    const job = await farm.submit({ code: WORK, inputs, name: 'shared' });
    const progress = async () => (await farm.json<{ progress: { done: number } }>('GET', `/v1/jobs/${job}`)).progress;
    await waitFor(async () => (await progress()).done >= 80, { what: 'half of it', timeout: 60_000 });
    const workers = await farm.json<{ workers: { kind: string; done: number }[] }>('GET', '/v1/workers');
    const devtools = await killed.page.context().newCDPSession(killed.page);
    void devtools.send('Page.crash').catch(() => {});
    const shared = await recordsOf(farm, job);
    assert.deepEqual(shared, alone);
    const pages = workers.workers.filter(({ kind }) => kind === 'browser');
    assert.equal(pages.length, 2);
    for (const { done } of pages) assert.ok(done > 0, 'each page did a part of it');
    assertQuiet(kept);
  });

  test('P11: a page that is frozen hands its work to others, and goes on when it wakes', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, drowsy, farm, 1);
    const window = await PageWindow.of(opened.page);
    const [before] = await workersOf(farm);
    const code = `export default async (input, ctx) => {
      ctx.log('attempt ' + ctx.attempt);
      if (input === 0) await new Promise((resolve) => setTimeout(resolve, 1500));
      return ctx.attempt;
    };`;
    const job = await farm.submit({ code, inputs: [0, 1, 2] });
    await opened.page.getByText('computing').waitFor();
    await window.freeze();
    await waitFor(async () => !(await isThere(farm)), { what: 'the farm to know that it is away' });
    await window.thaw();
    const attempts = await valuesOf(farm, job);
    const [after] = await workersOf(farm);
    assert.equal(after?.id, before?.id, 'it is the same worker');
    const logs = (await farm.ask('GET', `/v1/jobs/${job}/tasks/0/logs`)).text;
    assert.deepEqual(logs.match(/attempt \S+?(?=\\n|"|\n)/g), [`attempt ${attempts[0]}`], 'what ran was not run again');
    assertQuiet(opened);
  });

  test('what a frozen page had is done by others meanwhile', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, drowsy, farm, 1);
    const window = await PageWindow.of(opened.page);
    const code = 'export default (x) => new Promise((resolve) => setTimeout(() => resolve(x), 1000));';
    const job = await farm.submit({ code, inputs: [5, 6, 7] });
    await opened.page.getByText('computing').waitFor();
    await window.freeze();
    await farm.join(2);
    assert.deepEqual(await valuesOf(farm, job), [5, 6, 7]);
    await window.thaw();
    await waitFor(() => isThere(farm), { what: 'the page to be back' });
    assertQuiet(opened);
  });

  test('a page that is left says goodbye', async (t) => {
    const farm = await ServedFarm.start(t);
    const { page } = await lendPage(t, browser, farm, 1);
    await page.goto('about:blank');
    await waitFor(async () => (await workersOf(farm)).length === 0, { what: 'the worker to be gone' });
  });

  /** A page whose owner wants a pause for one reason works until then, finishes what runs, and goes on when it is over. */
  async function pauses(
    t: TestContext,
    opened: OpenedPage,
    farm: ServedFarm,
    reason: { choice: string; said: string; begin: () => Promise<unknown>; end: () => Promise<unknown> },
  ): Promise<void> {
    const { page } = opened;
    await page.locator('#slots').fill('1');
    await page.getByLabel(reason.choice).check();
    await page.locator('#lend').click();
    await waitFor(() => isThere(farm), { what: 'the page to join' });
    const code = 'export default (x) => new Promise((resolve) => setTimeout(() => resolve(x), 500));';
    const job = await farm.submit({ code, inputs: [1, 2, 3] });
    await page.getByText('computing').waitFor();
    await reason.begin();
    await page.getByText(`paused: ${reason.said}`).waitFor();
    await waitFor(async () => !(await isThere(farm)), { what: 'the farm to know that it pauses' });
    const { progress } = await farm.json<{ progress: { done: number } }>('GET', `/v1/jobs/${job}`);
    assert.ok(progress.done > 0 && progress.done < 3, `${progress.done} are done: what ran, and no more`);
    await reason.end();
    assert.deepEqual(await valuesOf(farm, job), [1, 2, 3]);
    t.diagnostic(`${progress.done} of 3 were done before the pause`);
    assertQuiet(opened);
  }

  test('it pauses while the battery is low, if its owner wants that, and finishes what runs first', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await openPage(t, browser, farm.server.joinUrl);
    const { page } = opened;
    // The machine of a test has no battery.
    await page.addInitScript(`
      globalThis.battery = Object.assign(new EventTarget(), { charging: true, level: 0.2 });
      Object.defineProperty(navigator, 'getBattery', { value: async () => globalThis.battery });
    `);
    await page.reload();
    const charging = (is: boolean) =>
      page.evaluate(`battery.charging = ${is}; battery.dispatchEvent(new Event('chargingchange'));`);
    const said = 'the battery is low';
    const [begin, end] = [() => charging(false), () => charging(true)];
    await pauses(t, opened, farm, { choice: 'the battery is low and not charging', said, begin, end });
  });

  test('it pauses while its page is hidden, if its owner wants that', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await openPage(t, drowsy, farm.server.joinUrl);
    const window = await PageWindow.of(opened.page);
    const [begin, end] = [() => window.hide(), () => window.show()];
    await pauses(t, opened, farm, { choice: 'this page is hidden', said: 'nobody sees its page', begin, end });
  });

  test('it pauses while the connection is metered, if its owner wants that', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await openPage(t, drowsy, farm.server.joinUrl);
    const window = await PageWindow.of(opened.page);
    const [begin, end] = [() => window.saveData(true), () => window.saveData(false)];
    const said = 'the connection is metered';
    await pauses(t, opened, farm, { choice: said, said, begin, end });
  });

  test('a page that is hidden or saves data works on where its owner asked for no pause', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, drowsy, farm, 1);
    const window = await PageWindow.of(opened.page);
    await window.hide();
    await window.saveData(true);
    const job = await farm.submit({ code: 'export default (x) => x + 1', inputs: [1, 2, 3] });
    assert.deepEqual(await valuesOf(farm, job), [2, 3, 4]);
    assert.equal(await opened.page.evaluate('document.hidden && navigator.connection.saveData'), true);
    assertQuiet(opened);
  });
});
