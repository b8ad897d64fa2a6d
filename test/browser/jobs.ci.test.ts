import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { startWorker } from '../../src/worker/node/join.ts';
import { noBrowser } from '../support/browser.ts';
import { cleanUp } from '../support/cleanup.ts';
import { waitFor } from '../support/wait.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;
const { farm } = watched;

describe('the pages of jobs, tasks and workers in Chromium', { skip: noBrowser }, () => {
  test('a job shows its results, failures by what they say, tasks, log, and what was asked for', async (t) => {
    const job = await watched.submit({ retries: 0, timeout: 5_000 });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
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

  test('of very many failures some from all over the job are looked at, and the page says so; the causes of each are told', async (t) => {
    const code = `export default (n) => { throw new Error('no page ' + n, { cause: new TypeError(n < 9_000 ? 'no host ' + n : 'no <b>name</b>') }); };`;
    const range = { start: 0, step: 1, count: 12_000 };
    const job = await watched.submit({ name: 'many', code, range, maxFailures: 99_999 });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const failures = page.locator('section.failures');
    await failures.getByText(/^Of 12,000 failures [\d,]+ from all over the job were looked at/).waitFor();
    const told = await failures.locator('.tasks-alike').allTextContents();
    const estimates = told.map((text) => Number(/^about ([\d,]+) ×$/.exec(text)?.[1]?.replace(',', '')));
    assert.equal(estimates.length, 2, told.join());
    const [first = 0, second = 0] = estimates;
    assert.ok(Math.abs(first - 9_000) < 1_500 && Math.abs(second - 3_000) < 1_500, told.join());
    await failures.getByText('caused by TypeError: no <b>name</b>').waitFor();
    await failures.getByRole('link').first().click();
    await page
      .locator('section.failures', { hasText: 'Error: no page' })
      .getByText('caused by TypeError: no host')
      .waitFor();
    quiet();
  });

  test('a job of one task that runs long, whose result is large, is told in words that fit', async (t) => {
    const code = `export default async (release) => { while (!(await fetch(release).then((r) => r.ok, () => false))) await new Promise((go) => setTimeout(go, 100)); return 'x'.repeat(300_000); };`;
    const oracle = createServer((_, response) => response.end());
    cleanUp(t, () => oracle.close());
    // Nothing listens there yet, so the task runs on.
    await new Promise<void>((resolve) => oracle.listen(0, '127.0.0.1', resolve));
    const { port } = oracle.address() as AddressInfo;
    await new Promise((resolve) => oracle.close(resolve));
    const job = await watched.submit({ name: 'one', code, range: undefined, inputs: [`http://127.0.0.1:${port}`] });
    const { page, quiet } = await watched.open(t, '/');
    await page.getByRole('heading', { level: 1, name: '1 of 2 slots of 1 worker is busy.' }).waitFor();
    await page.getByRole('link', { name: 'one' }).click();
    await page.getByText('The only task', { exact: true }).waitFor();
    await page.getByText('The only one', { exact: true }).waitFor();
    assert.equal(await page.getByText('Slots busy').count(), 0, 'what runs is not told as idle');
    oracle.listen(port, '127.0.0.1');
    await watched.ended(job);
    await page.getByRole('row', { name: /^0 done a value of 293.KiB$/ }).waitFor();
    await page.getByText('Slots busy').waitFor();
    quiet();
  });

  test('a job is paused, resumed, cancelled for good only on a second word, and retried', async (t) => {
    const job = await watched.submit({ range: { start: 0, step: 1, count: 2_000 }, maxFailures: 5_000 });
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
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
    await watched.ended(job);
    quiet();
  });

  test('results and a task are saved through tickets, which are used up', async (t) => {
    const job = await watched.submit({ range: { start: 0, step: 1, count: 5 } });
    await watched.ended(job);
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const [results] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download results as NDJSON' }).click(),
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
    const job = await watched.submit({ requires: { place: 'moon' }, range: { start: 0, step: 1, count: 9 } });
    const { page, quiet } = await watched.open(t, `/jobs/${job}/tasks/8`);
    await page.getByRole('heading', { name: 'Why it waits' }).waitFor();
    await page.getByText('No connected worker can run it.').waitFor();

    const worker = startWorker({ url: farm.server.joinUrl, slots: 1, name: 'moon base', labels: { place: 'moon' } });
    cleanUp(t, () => worker.stop());
    await page.getByRole('heading', { name: 'Output' }).waitFor();
    await page.locator('pre', { hasText: '"square": 64' }).waitFor();
    await page
      .getByRole('region', { name: 'Attempts' })
      .getByText(/^doneon moon baseended/)
      .waitFor();
    await page.getByRole('region', { name: 'How it went' }).getByRole('link', { name: 'moon base' }).click();
    await page.getByRole('heading', { level: 1, name: 'moon base' }).waitFor();
    await page.getByText('Label place').waitFor();
    await page
      .getByRole('region', { name: 'What it has done' })
      .getByRole('row', { name: /^squares 8 1 / })
      .waitFor();
    await page.getByText('Nothing now.').waitFor();
    await page.getByText(/^Of the jobs that it worked on last, since the server started, .* ago\.$/).waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'Previous' }).click();
    await page.getByRole('heading', { level: 1, name: 'Task 7' }).waitFor();
    await page.getByText('RangeError: no answer for 7').first().waitFor();
    await page.locator('.log li', { hasText: 'task 7' }).waitFor();
    quiet();
  });

  test('each attempt of a task is told with its worker; a worker says what it runs', async (t) => {
    const code = `export default async (n) => {
      if (n === 0) throw new RangeError('not <b>today</b>');
      if (n === 1) process.exit(7);
      await new Promise((resolve) => setTimeout(resolve, 120_000));
    }`;
    const job = await watched.submit({ code, retries: 1, range: { start: 0, step: 1, count: 3 } });
    const { page, quiet } = await watched.open(t, `/jobs/${job}/tasks/0`);
    const attempts = page.getByRole('region', { name: 'Attempts' }).getByRole('listitem');
    await waitFor(async () => (await attempts.count()) === 2, { what: 'both attempts', timeout: 20_000 });
    for (const text of await attempts.allTextContents()) {
      assert.match(text, /^failedon helperended .*RangeError: not <b>today<\/b>$/);
    }
    await page.getByRole('link', { name: 'Next' }).click();
    await page.getByText('exit code 7').first().waitFor();
    const worker = (await farm.json<{ workers: { id: string; name: string }[] }>('GET', '/v1/workers')).workers;
    await page.goto(`http://127.0.0.1:${farm.port}/workers/${worker.find(({ name }) => name === 'helper')?.id}`);
    await page.getByRole('listitem').filter({ hasText: `runningtask 2 of squares` }).waitFor();
    await farm.json('POST', `/v1/jobs/${job}/cancel`);
    await page.getByText('Nothing now.').waitFor();
    await page.getByText(/^Of the jobs that it worked on last, since the server started, .* ago\.$/).waitFor();
    quiet();
  });

  test('a worker is drained and stopped by an admin', async (t) => {
    const worker = startWorker({ url: farm.server.joinUrl, slots: 1, name: 'short guest' });
    cleanUp(t, () => worker.stop());
    const { page, quiet } = await watched.open(t, '/');
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
    const job = await watched.submit({ range: { start: 0, step: 1, count: 500 }, maxFailures: 999 });
    const { page, quiet } = await watched.open(t, `/jobs/${job}`, farm.tokens.read);
    await page.getByText(/^\d+ of 500$/).waitFor();
    await page.getByRole('button', { name: 'Download results as NDJSON' }).waitFor();
    assert.equal(await page.getByRole('group', { name: 'Actions' }).getByRole('button').count(), 0);
    await page.getByRole('link', { name: 'manyhands' }).click();
    await page.getByText('It was printed when the server started').waitFor();
    await farm.json('POST', `/v1/jobs/${job}/cancel`);
    quiet();
  });
});
