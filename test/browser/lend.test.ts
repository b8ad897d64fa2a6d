import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { bundleModule } from '../../src/client/code/bundle.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { lendPage, recordsOf, setSlots, valuesOf, workersOf } from '../support/lent-page.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;

describe('a page is a worker', { skip: noBrowser }, () => {
  test('one touch, and it computes', async (t) => {
    const farm = await ServedFarm.start(t);
    const job = await farm.submit({ code: 'export default (x) => x * x;', range: { start: 0, step: 1, count: 50 } });
    const began = performance.now();
    const opened = await openPage(t, browser, farm.server.joinUrl);
    const { page } = opened;
    await page.locator('#lend').waitFor();
    const tapped = performance.now();
    await page.locator('#lend').click();
    const isDone = async () =>
      (await farm.json<{ progress: { done: number } }>('GET', `/v1/jobs/${job}`)).progress.done;
    await waitFor(isDone, { what: 'the first task', timeout: 20_000 });
    const first = performance.now();
    t.diagnostic(
      `first task: ${Math.round(first - began)} ms after opening, ${Math.round(first - tapped)} ms after the tap`,
    );
    assert.deepEqual(
      await valuesOf(farm, job),
      Array.from({ length: 50 }, (_, i) => i * i),
    );
    await page.locator('dd', { hasText: /^50$/ }).waitFor();
    assert.ok(!page.url().includes('mh_'), 'the token is not in the address bar');
    assertQuiet(opened);
  });

  test('it shows what it does, and stop means stop', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const { page } = opened;
    const job = await farm.submit({
      name: 'waits <img src=x onerror=alert(1)>',
      code: 'export default () => new Promise(() => {});',
      inputs: [1, 2],
    });
    await page.locator('dd', { hasText: 'waits <img src=x onerror=alert(1)>' }).waitFor();
    await page.getByText('computing').waitFor();
    await page.locator('#stop').click();
    await page.locator('#lend').waitFor();
    await waitFor(async () => (await workersOf(farm)).length === 0, { what: 'the worker to be gone' });
    assert.equal(page.frames().length, 1, 'no slot is left');
    const { progress } = await farm.json<{ progress: { failed: number } }>('GET', `/v1/jobs/${job}`);
    assert.equal(progress.failed, 0, 'what it ran is nobody else’s fault');
    // Names are text, whatever is in them. (T-6)
    assertQuiet(opened);
  });

  test('two quick touches lend, and do not stop what they started', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await openPage(t, browser, farm.server.joinUrl);
    await opened.page.locator('#lend').dblclick();
    await opened.page.getByText('waits for tasks').waitFor();
    assert.equal((await workersOf(farm)).length, 1);
    assertQuiet(opened);
  });

  test('the slider takes effect while it works', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const [worker] = await workersOf(farm);
    assert.deepEqual([worker?.kind, worker?.slots], ['browser', 1]);
    await setSlots(opened.page, 2);
    await waitFor(async () => (await workersOf(farm))[0]?.slots === 2, { what: 'the second slot' });
    const [same] = await workersOf(farm);
    assert.equal(same?.id, worker?.id);
    const both = `export default async (name) => { const c = new BroadcastChannel('both'); const met = new Promise((resolve) => { c.onmessage = resolve; }); const again = setInterval(() => c.postMessage(name), 20); await met; c.postMessage(name); clearInterval(again); return name; };`;
    const job = await farm.submit({ code: both, inputs: ['a', 'b'] });
    assert.deepEqual(await valuesOf(farm, job), ['a', 'b'], 'two tasks run at once');
    assertQuiet(opened);
  });

  test('what its owner chose is chosen again the next time, and nothing that is not a choice', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await openPage(t, browser, farm.server.joinUrl);
    const { page } = opened;
    await page.locator('#slots').fill('1');
    await page.getByLabel('this page is hidden').check();
    await page.goto('about:blank');
    await page.goto(farm.server.joinUrl);
    assert.equal(await page.locator('#slots').inputValue(), '1');
    assert.equal(await page.getByLabel('this page is hidden').isChecked(), true);
    await page.locator('#lend').click();
    await waitFor(async () => (await workersOf(farm))[0]?.slots === 1, { what: 'a worker of one slot' });
    assert.doesNotMatch((await page.evaluate('JSON.stringify(localStorage)')) as string, /mh_/, 'no token is kept');
    const most = (await page.locator('#slots').getAttribute('max')) as string;
    for (const [kept, slots, isPaused] of [
      ['{"slots":99999}', most, false],
      ['{"slots":-3,"pauseWhen":{"hidden":"yes"}}', '1', false],
      ['[', most, false],
      ['{"pauseWhen":{"hidden":true}}', most, true],
    ] as const) {
      await page.evaluate(`localStorage.setItem('manyhands.lend', ${JSON.stringify(kept)})`);
      await page.reload();
      assert.equal(await page.locator('#slots').inputValue(), slots, kept);
      assert.equal(await page.getByLabel('this page is hidden').isChecked(), isPaused, kept);
    }
    assertQuiet(opened);
  });

  test('tasks have what they have on Node', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const code = `export default async (input, ctx) => {
      console.log('said %d', 7, { a: [1, 'x'] });
      console.error(new Error('complaint').message);
      ctx.log('noted');
      ctx.progress(0.5, 'half');
      const made = await ctx.blob(new Uint8Array(100_000).fill(3));
      const back = await ctx.blob(made.sha256);
      if (input === 'big') return 'ä'.repeat(200_000);
      if (input === 'bytes') return new Uint8Array(300_000).fill(9);
      return { input, index: ctx.index, key: ctx.key.split('-').slice(1), attempt: ctx.attempt.length > 0, aborted: ctx.signal.aborted, back: back.length + back[5] };
    };`;
    const inputs = [{ date: 1 }, 'big', 'bytes', 'y'.repeat(100_000)];
    const job = await farm.submit({ code, inputs });
    const [first, , , last] = await valuesOf(farm, job);
    assert.deepEqual(first, {
      input: { date: 1 },
      index: 0,
      key: [`${job}`, '0'],
      attempt: true,
      aborted: false,
      back: 100_003,
    });
    assert.equal((last as { input: string }).input.length, 100_000);
    const big = await farm.ask('GET', `/v1/jobs/${job}/tasks/1/output`);
    assert.equal(JSON.parse(big.text), 'ä'.repeat(200_000));
    const bytes = await farm.ask('GET', `/v1/jobs/${job}/tasks/2/output`);
    assert.equal(bytes.body.length, 300_000);
    const logs = await farm.ask('GET', `/v1/jobs/${job}/tasks/0/logs`);
    assert.match(logs.text, /said 7 \{ a: \[ 1, 'x' \] \}/);
    assert.match(logs.text, /complaint/);
    assert.match(logs.text, /noted/);
    assertQuiet(opened);
  });

  test('short tasks with large inputs and results, one behind the other', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const inputs = Array.from({ length: 60 }, (_, i) => String.fromCharCode(97 + (i % 7)).repeat(70_000 + (i % 7)));
    const code = `export default async (text, ctx) => {
      const bytes = new TextEncoder().encode(text);
      const made = await ctx.blob(bytes);
      return [bytes, made.size][ctx.index % 2];
    };`;
    const values = await valuesOf(farm, await farm.submit({ code, inputs }));
    for (const [i, value] of values.entries()) {
      if (i % 2 === 1) assert.equal(value, 70_000 + (i % 7));
      else assert.ok(JSON.stringify(value).length > 90_000, 'bytes in Base64');
    }
    assertQuiet(opened);
  });

  test('what fails, fails as on Node, and takes only its own slot away', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const code = `export default async (how) => {
      if (how === 'throws') throw new RangeError('too far');
      if (how === 'loops') for (;;);
      if (how === 'rejects') { Promise.reject(new Error('later')); await new Promise(() => {}); }
      if (how === 'closes') { close(); await new Promise(() => {}); }
      if (how === 'lies') { postMessage({ message: { kind: 'done' } }); return 'honest'; }
      return how;
    };`;
    const inputs = ['throws', 'loops', 'rejects', 'closes', 'lies', 'fine'];
    const job = await farm.submit({ code, inputs, timeout: 1_000, maxFailures: 9, sourceName: 'how.js' });
    const records = await recordsOf(farm, job);
    const errors = records.map(({ error, value }) => (error === undefined ? value : (error as { name: string }).name));
    assert.deepEqual(errors, ['RangeError', 'TimeoutError', 'CrashError', 'CrashError', 'honest', 'fine']);
    const [thrown, , rejected] = records as { error: { stack: string; message: string } }[];
    assert.match(thrown?.error.stack ?? '', /how\.js:2:\d+/);
    assert.match(rejected?.error.message ?? '', /Uncaught Error: later/);
    const broken = await farm.submit({ code: 'export default 1 +;', inputs: [1], sourceName: 'broken.js' });
    const [record] = (await recordsOf(farm, broken)) as { error: { name: string; message: string } }[];
    assert.equal(record?.error.name, 'TaskCodeError');
    assert.match(record?.error.message ?? '', /broken\.js does not compile/);
    assertQuiet(opened);
  });

  test("an error in a bundled module shows the author's own lines", async (t) => {
    const farm = await ServedFarm.start(t);
    const directory = temporaryDirectory(t, 'bundled');
    const lines = ['type N = number;', 'const fail = (n: N): never => {', "  throw new RangeError('not ' + n);", '};'];
    writeFileSync(path.join(directory, 'task.ts'), [...lines, 'export default (n: N) => fail(n);'].join('\n'));
    const { code, sourceName, runner } = await bundleModule('task.ts', directory);
    const opened = await lendPage(t, browser, farm, 1);
    const [record] = await recordsOf(farm, await farm.submit({ code, sourceName, runner, inputs: [3] }));
    const { stack } = (record as { error: { stack: string } }).error;
    assert.equal(stack, 'RangeError: not 3\n    at fail (task.ts:3:9)\n    at task_default (task.ts:5:26)');
    assertQuiet(opened);
  });

  test("R18: tasks that need Node's own parts are not sent to it", async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const job = await farm.submit({ code: "import os from 'node:os'; export default () => os.EOL;", inputs: [1] });
    const easy = await farm.submit({ code: 'export default () => 1;', inputs: [1] });
    assert.deepEqual(await valuesOf(farm, easy), [1]);
    const { text } = await farm.ask('GET', `/v1/jobs/${job}/tasks/0/explain`);
    assert.match(text, /has no runner 'node'/);
    await farm.join(1);
    assert.deepEqual(await valuesOf(farm, job), ['\n']);
    assertQuiet(opened);
  });
});
