import assert from 'node:assert/strict';
import { after, describe, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const SLOW = `export default async (n) => {
  console.log('task ' + n);
  await new Promise((resolve) => setTimeout(resolve, 40));
  if (n % 10 === 7) throw new RangeError('no answer for ' + n);
  return n === 3 ? undefined : { n, square: n * n };
};`;

interface Stage {
  readonly browser: Browser;
  readonly farm: ServedFarm;
}

const { browser, farm } = (noBrowser === false ? await setUp({ after }) : {}) as Stage;

async function setUp(suite: Cleanup): Promise<Stage> {
  const stage = { browser: await openBrowser(suite), farm: await ServedFarm.start(suite) };
  await stage.farm.join(2);
  return stage;
}

describe('the dashboard in Chromium', { skip: noBrowser }, () => {
  const address = (path: string, token = farm.tokens.admin) => `http://127.0.0.1:${farm.port}${path}#${token}`;
  const open = async (t: TestContext, path: string, token?: string, width = 1_280) => {
    const opened = await openPage(t, browser, address(path, token), { viewport: { width, height: 800 } });
    return { page: opened.page, quiet: () => assertQuiet(opened) };
  };
  const submit = (more: object = {}) =>
    farm.submit({
      name: 'squares',
      code: SLOW,
      sourceName: 'squares.js',
      range: { start: 0, step: 1, count: 60 },
      maxFailures: 99,
      ...more,
    });
  const ended = (job: number) =>
    waitFor(
      async () => (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt,
      {
        what: `the end of job ${job}`,
        timeout: 20_000,
      },
    );

  test('an empty farm says how to run a first job and how to add a device', async (t) => {
    const empty = await ServedFarm.start(t);
    const opened = await openPage(t, browser, `${empty.server.dashboardUrl}`);
    const { page } = opened;
    await page.getByRole('heading', { name: 'No worker is here yet.' }).waitFor();
    await page.getByRole('heading', { name: 'Run a first job' }).waitFor();
    await page.getByText('npx manyhands run square.ts').waitFor();
    await page.getByRole('button', { name: 'Make a join link' }).click();
    const command = page.getByText(/^npx manyhands join http.*\/join#mh_[\w-]{43}$/);
    await command.waitFor();
    const token = /#(mh_.*)$/.exec((await command.textContent()) ?? '')?.[1] ?? '';
    assert.deepEqual((await empty.ask('GET', '/v1/me', { token })).json, {
      ...((await empty.ask('GET', '/v1/me', { token })).json as object),
      role: 'work',
    });
    assertQuiet(opened);
  });

  test('the index shows a job from its start to its end without being touched', async (t) => {
    const { page, quiet } = await open(t, '/');
    await page.getByRole('heading', { name: /^Idle: 2 slots of 1 worker are free/ }).waitFor();
    const job = await submit();
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
    const { page, quiet } = await open(t, '/');
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

  test('a job shows its results, failures by what they say, tasks, log, and what was asked for', async (t) => {
    const job = await submit({ retries: 0, timeout: 5_000 });
    await ended(job);
    const { page, quiet } = await open(t, `/jobs/${job}`);
    await page.getByRole('heading', { level: 1, name: 'squares' }).waitFor();
    await page.getByText('6 × RangeError: no answer for').waitFor();
    await page.getByText('Where', { exact: true }).click();
    await page.locator('.failures pre', { hasText: /^RangeError: no answer for \d+\n +at / }).waitFor();
    await page.locator('.results li', { hasText: '"square": 1 }' }).waitFor();
    const tasks = page.locator('.tasks tbody tr');
    await tasks.nth(19).waitFor();
    assert.match((await tasks.nth(7).textContent()) ?? '', /7failedRangeError: no answer for 7/);
    assert.match((await tasks.nth(3).textContent()) ?? '', /3doneundefined/);
    await page.getByRole('button', { name: 'Later' }).click();
    await page.getByText('20 to 39 of 60').waitFor();
    await page.getByLabel('Go to').fill('59');
    await page.getByLabel('Go to').press('Enter');
    await page.getByText('40 to 59 of 60').waitFor();
    await page.getByRole('row', { name: /^59/ }).waitFor();
    await page.locator('.log li', { hasText: 'task 12' }).waitFor();
    await page.getByText('squares.js (js').waitFor();
    await page.getByText('0 to 59', { exact: true }).waitFor();
    quiet();
  });

  test('a job is paused, resumed, cancelled for good only on a second word, and retried', async (t) => {
    const job = await submit({ range: { start: 0, step: 1, count: 2_000 }, maxFailures: 5_000 });
    const { page, quiet } = await open(t, `/jobs/${job}`);
    const actions = page.getByRole('group', { name: 'Actions' });
    await actions.getByRole('button', { name: 'Pause' }).click();
    await page
      .locator('.standing')
      .getByText(/^paus(ed|ing)$/)
      .waitFor();
    await actions.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.standing').getByText('running').waitFor();
    await page.getByText(/^\d+ × RangeError/).waitFor();
    await actions.getByRole('button', { name: 'Cancel', exact: true }).click();
    await actions.getByRole('button', { name: 'No, go on' }).click();
    await actions.getByRole('button', { name: 'Cancel', exact: true }).click();
    await actions.getByRole('button', { name: /^Cancel [\d,]+ tasks for good$/ }).click();
    await page.getByText('It ended early: cancelled by request').waitFor();
    await actions.getByRole('button', { name: /^Retry \d+ failed$/ }).click();
    await page.getByText('Retried').waitFor();
    await ended(job);
    quiet();
  });

  test('results and a task are saved through tickets, which are used up', async (t) => {
    const job = await submit({ range: { start: 0, step: 1, count: 5 } });
    await ended(job);
    const { page, quiet } = await open(t, `/jobs/${job}`);
    const [results] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download results' }).click(),
    ]);
    assert.equal(results.suggestedFilename(), `job-${job}.ndjson`);
    const text = await (await results.createReadStream()).toArray();
    assert.equal(Buffer.concat(text).toString().trim().split('\n').length, 5);
    assert.equal((await page.request.get(results.url())).status(), 401, 'the ticket was used');
    await page.getByRole('link', { name: '4', exact: true }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Task 4' }).waitFor();
    const [output] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the output' }).click(),
    ]);
    assert.deepEqual(JSON.parse(Buffer.concat(await (await output.createReadStream()).toArray()).toString()), {
      n: 4,
      square: 16,
    });
    quiet();
  });

  test('a task says why it waits, then where it runs, then what came of it', async (t) => {
    const job = await submit({ requires: { place: 'moon' }, range: { start: 0, step: 1, count: 9 } });
    const { page, quiet } = await open(t, `/jobs/${job}/tasks/8`);
    await page.getByRole('heading', { name: 'Why it waits' }).waitFor();
    await page.getByText('No connected worker can run it.').waitFor();
    const { startWorker } = await import('../../src/worker/node/join.ts');
    const worker = startWorker({ url: farm.server.joinUrl, slots: 1, name: 'moon base', labels: { place: 'moon' } });
    cleanUp(t, () => worker.stop());
    await page.getByRole('heading', { name: 'Output' }).waitFor();
    await page.locator('pre', { hasText: '"square": 64' }).waitFor();
    await page.getByRole('link', { name: 'moon base' }).click();
    await page.getByRole('heading', { level: 1, name: 'moon base' }).waitFor();
    await page.getByText('Label place').waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'Previous' }).click();
    await page.getByRole('heading', { level: 1, name: 'Task 7' }).waitFor();
    await page.getByText('RangeError: no answer for 7').first().waitFor();
    await page.locator('.log li', { hasText: 'task 7' }).waitFor();
    quiet();
  });

  test('a worker is drained and stopped by an admin', async (t) => {
    const { startWorker } = await import('../../src/worker/node/join.ts');
    const worker = startWorker({ url: farm.server.joinUrl, slots: 1, name: 'short guest' });
    cleanUp(t, () => worker.stop());
    const { page, quiet } = await open(t, '/');
    await page.getByRole('link', { name: 'short guest' }).click();
    await page.getByRole('button', { name: 'Drain' }).click();
    await page.getByText('draining').waitFor();
    await page.getByRole('button', { name: 'Give it tasks again' }).click();
    await page.getByText('idle').waitFor();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Stop it for good' }).click();
    await worker.ended;
    await page.getByRole('heading', { level: 1, name: /slots/ }).waitFor();
    quiet();
  });

  test('who may only read sees everything and is offered nothing', async (t) => {
    const job = await submit({ range: { start: 0, step: 1, count: 500 }, maxFailures: 999 });
    const { page, quiet } = await open(t, `/jobs/${job}`, farm.tokens.read);
    const names = async () => page.getByRole('group', { name: 'Actions' }).getByRole('button').allTextContents();
    await page.getByText(/^\d+ of 500$/).waitFor();
    await waitFor(async () => (await names()).length > 0, { what: 'an offer', timeout: 20_000 });
    assert.deepEqual(await names(), ['Download results']);
    await page.getByRole('link', { name: 'manyhands' }).click();
    await page.getByText('The whole link was printed when the server started').waitFor();
    await farm.json('POST', `/v1/jobs/${job}/cancel`);
    quiet();
  });

  test('a revoked token, one that may not read, and none: each page says what to do', async (t) => {
    const revoked = await farm.makeToken({ role: 'read' });
    const opened = await openPage(t, browser, address('/', revoked.token));
    await opened.page.getByText('live', { exact: true }).waitFor();
    await farm.ask('DELETE', `/v1/tokens/${revoked.id}`);
    await opened.page.getByRole('heading', { name: 'This link is not good any more.' }).waitFor();
    await opened.page.getByLabel('Link or token').fill('nonsense');
    await opened.page.getByRole('button', { name: 'Open' }).click();
    await opened.page.getByRole('alert').getByText('That holds no token').waitFor();
    await opened.page.getByLabel('Link or token').fill(` ${address('/', farm.tokens.read)} `);
    await opened.page.getByRole('button', { name: 'Open' }).click();
    await opened.page.getByText('live', { exact: true }).waitFor();
    const worker = await open(t, '/', farm.tokens.work);
    await worker.page.getByRole('heading', { name: 'This link may not read.' }).waitFor();
    await worker.page.goto(`http://127.0.0.1:${farm.port}/join#${farm.tokens.work}`);
    await worker.page.getByText(`npx manyhands join http://127.0.0.1:${farm.port}/join#${farm.tokens.work}`).waitFor();
    assert.equal(worker.page.url(), `http://127.0.0.1:${farm.port}/join`);
  });

  test('a page finds its server again after a restart, and goes on', async (t) => {
    const dataDir = temporaryDirectory(t, 'restarted');
    const first = await ServedFarm.start(t, { dataDir });
    const { port } = first;
    const { page } = await openPage(t, browser, first.server.dashboardUrl);
    await page.getByText('live', { exact: true }).waitFor();
    await first.server.close();
    await page.getByText('the server does not answer; trying again').waitFor();
    const second = await ServedFarm.start(t, { dataDir, port });
    await second.submit({ name: 'after the restart', code: SLOW, inputs: [1] });
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'after the restart' }).waitFor();
  });

  test('a page that nobody sees lets go of its connection, and comes back', async (t) => {
    const { page, quiet } = await open(t, '/');
    await page.getByText('live', { exact: true }).waitFor();
    await hide(page, true);
    const readers = async () =>
      Number(/manyhands_feed_readers (\d+)/.exec((await farm.ask('GET', '/metrics')).text)?.[1]);
    await waitFor(async () => (await readers()) === 0, { what: 'the page to let go', timeout: 40_000 });
    const job = await submit({ name: 'meanwhile', range: { start: 0, step: 1, count: 3 } });
    await ended(job);
    await hide(page, false);
    await page.getByRole('link', { name: 'meanwhile' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    quiet();
  });
});

/** What a browser says to a page whose tab is not looked at. Headless ones never do. */
async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(
    `Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true }); document.dispatchEvent(new Event('visibilitychange'));`,
  );
}
