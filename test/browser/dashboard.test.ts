import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { encode } from 'uqr';
import { noBrowser, openDrowsyBrowser } from '../support/browser.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { PageWindow } from '../support/put-away.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;
const { farm, browser } = watched;

describe('the dashboard in Chromium', { skip: noBrowser }, () => {
  test('an empty farm says how to run a first job and how to add a device', async (t) => {
    const empty = await ServedFarm.start(t);
    const opened = await openPage(t, browser, `${empty.server.dashboardUrl}`);
    const { page } = opened;
    await page.getByRole('heading', { name: 'No worker is here yet.' }).waitFor();
    await page.getByRole('heading', { name: 'Run a first job' }).waitFor();
    await page.getByText('npx manyhands run square.ts').waitFor();
    await page.getByRole('button', { name: 'Make a join link' }).click();
    const command = page.getByText(/^npx --no manyhands join http.*\/join#mh_[\w-]{43}$/);
    await command.waitFor();
    const [link = '', token = ''] = /http\S*#(mh_.*)$/.exec((await command.textContent()) ?? '') ?? [];
    const drawn = await page.getByRole('img', { name: 'the join link as a QR code' }).locator('path').getAttribute('d');
    assert.equal(drawn, pathOf(link));
    assert.deepEqual((await empty.ask('GET', '/v1/me', { token })).json, {
      ...((await empty.ask('GET', '/v1/me', { token })).json as object),
      role: 'work',
    });
    assertQuiet(opened);
  });

  test('the index shows a job from its start to its end without being touched', async (t) => {
    const { page, quiet } = await watched.open(t, '/');
    await page.getByRole('heading', { name: /^Idle: 2 slots of 1 worker are free/ }).waitFor();
    const job = await watched.submit();
    const row = page.locator('.jobs li', { has: page.locator(`a[href="/jobs/${job}"]`) });
    await row.getByText('running').waitFor();
    const shown = new Set<string>();
    while ((await row.locator('.percent').count()) > 0) {
      shown.add(
        (await row
          .locator('.percent')
          .textContent({ timeout: 1_000 })
          .catch(() => '')) ?? '',
      );
      await page.waitForTimeout(100);
    }
    await row.getByText('failed', { exact: true }).waitFor();
    await row.getByText('60 tasks').waitFor();
    await row.getByText('6 failed').waitFor();
    assert.ok(shown.size >= 3, `it moved: ${[...shown]}`);
    await page.getByRole('img', { name: /^Tasks a second over the last .*now \d/ }).waitFor();
    await page.locator('.workers').getByText('helper').waitFor();
    await page.getByText('Memory').waitFor();
    quiet();
  });

  test('the token leaves the address bar, stays in the tab, and is in no other place', async (t) => {
    const { page, quiet } = await watched.open(t, '/');
    await page.getByText('live', { exact: true }).waitFor();
    assert.equal(page.url(), `http://127.0.0.1:${farm.port}/`);
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    const places = await page.evaluate(
      `({ cookie: document.cookie, local: localStorage.length, session: Object.keys(sessionStorage), html: document.documentElement.outerHTML, history: location.href })`,
    );
    const { html, ...others } = places as { html: string };
    assert.deepEqual(others, {
      cookie: '',
      local: 0,
      session: ['manyhands.token'],
      history: `http://127.0.0.1:${farm.port}/`,
    });
    assert.ok(!html.includes('mh_'));
    const other = await page.context().browser()?.newContext();
    const stranger = await other?.newPage();
    await stranger?.goto(`http://127.0.0.1:${farm.port}/`);
    await stranger?.getByRole('heading', { name: 'This page needs its link.' }).waitFor();
    await other?.close();
    quiet();
  });

  test('a revoked token, one that may not read, and none: each page says what to do', async (t) => {
    const revoked = await farm.makeToken({ role: 'read' });
    const opened = await openPage(t, browser, watched.address('/', revoked.token));
    await opened.page.getByText('live', { exact: true }).waitFor();
    await farm.ask('DELETE', `/v1/tokens/${revoked.id}`);
    await opened.page.getByRole('heading', { name: 'This link is not good any more.' }).waitFor();
    await opened.page.getByLabel('Link or token').fill('nonsense');
    await opened.page.getByRole('button', { name: 'Open' }).click();
    await opened.page.getByRole('alert').getByText('That holds no token').waitFor();
    await opened.page.getByLabel('Link or token').fill(` ${watched.address('/', farm.tokens.read)} `);
    await opened.page.getByRole('button', { name: 'Open' }).click();
    await opened.page.getByText('live', { exact: true }).waitFor();
    const worker = await watched.open(t, '/', farm.tokens.work);
    await worker.page.getByRole('heading', { name: 'This link may not read.' }).waitFor();
    await worker.page.goto(`http://127.0.0.1:${farm.port}/join#${farm.tokens.work}`);
    await worker.page
      .getByText(`npx --no manyhands join http://127.0.0.1:${farm.port}/join#${farm.tokens.work}`)
      .waitFor();
    assert.equal(worker.page.url(), `http://127.0.0.1:${farm.port}/join`);
  });

  test('a link opened in a new tab asks the tabs there are; the join page asks nobody', async (t) => {
    const job = await watched.submit({ name: 'for two tabs', range: { start: 0, step: 1, count: 3 } });
    // Its row goes elsewhere at its end, and with it a link that is just being pressed.
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, '/');
    const context = page.context();
    const link = page.locator(`a[href="/jobs/${job}"]`);
    await link.waitFor();
    // Playwright loses a tab now and then that the browser opens by itself, so it is only asked whether it would.
    assert.equal(await page.evaluate(clicked(`a[href="/jobs/${job}"]`, { ctrlKey: true })), 'left to the browser');
    const tab = await context.newPage();
    await tab.goto(`http://127.0.0.1:${farm.port}${await link.getAttribute('href')}`);
    await tab.getByRole('heading', { level: 1, name: 'for two tabs' }).waitFor();
    await tab.close();
    // The tab that could answer is busy for longer than the new one waits before it shows what else can be done.
    const busy = page.evaluate('(() => { const until = Date.now() + 1500; while (Date.now() < until); })()');
    const late = await context.newPage();
    await late.goto(`http://127.0.0.1:${farm.port}/jobs/${job}`);
    await late.getByRole('heading', { level: 1, name: 'for two tabs' }).waitFor();
    await busy;
    const join = await context.newPage();
    await join.goto(`http://127.0.0.1:${farm.port}/join`);
    await join.getByText('The link that you opened holds no token').waitFor();
    await page.goto(`http://127.0.0.1:${farm.port}/join`);
    await page.getByText('The link that you opened holds no token').waitFor();
    assert.ok(!(await page.content()).includes('mh_'), 'a token for looking is not one to give away');
    quiet();
  });

  test('a page finds its server again after a restart, and goes on', async (t) => {
    const dataDir = temporaryDirectory(t, 'restarted');
    const first = await ServedFarm.start(t, { dataDir });
    const { port } = first;
    const { page } = await openPage(t, browser, first.server.dashboardUrl);
    await page.getByText('live', { exact: true }).waitFor();
    await first.server.close();
    await page.getByText('no answer from the server, trying again; this is what it said last').waitFor();
    const second = await ServedFarm.start(t, { dataDir, port });
    await second.submit({ name: 'after the restart', code: 'export default (n) => n', inputs: [1] });
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'after the restart' }).waitFor();
  });

  test('a page that nobody sees lets go of its connection, and comes back', async (t) => {
    const opened = await openPage(t, await openDrowsyBrowser(t), watched.address('/'));
    const { page } = opened;
    const window = await PageWindow.of(page);
    await page.getByText('live', { exact: true }).waitFor();
    await window.hide();
    const readers = async () =>
      Number(/manyhands_feed_readers (\d+)/.exec((await farm.ask('GET', '/metrics')).text)?.[1]);
    await waitFor(async () => (await readers()) === 0, { what: 'the page to let go', timeout: 40_000 });
    const job = await watched.submit({ name: 'meanwhile', range: { start: 0, step: 1, count: 3 } });
    await watched.ended(job);
    await window.show();
    await page.getByRole('link', { name: 'meanwhile' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    assertQuiet(opened);
  });
});

/** The dark modules of a QR code, row by row. */
function pathOf(text: string): string {
  const { data } = encode(text, { border: 4 });
  return data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
}

/** To be evaluated in a page: who takes a click with these keys. */
function clicked(selector: string, keys: { ctrlKey?: boolean }): string {
  return `(() => {
    let taker;
    const last = (event) => {
      taker = event.defaultPrevented ? 'taken by the page' : 'left to the browser';
      event.preventDefault();
    };
    addEventListener('click', last, { once: true });
    const click = new MouseEvent('click', { bubbles: true, cancelable: true, ...${JSON.stringify(keys)} });
    document.querySelector(${JSON.stringify(selector)}).dispatchEvent(click);
    return taker;
  })()`;
}
