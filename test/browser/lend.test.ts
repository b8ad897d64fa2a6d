import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { noBrowser, openBrowser } from '../support/browser.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const { browser, farm } = (noBrowser === false ? await setUp({ after }) : {}) as { browser: Browser; farm: ServedFarm };

async function setUp(suite: Cleanup): Promise<{ browser: Browser; farm: ServedFarm }> {
  return { browser: await openBrowser(suite), farm: await ServedFarm.start(suite) };
}

describe('a page is a worker', { skip: noBrowser }, () => {
  test('one touch, and it computes', async (t) => {
    const job = await farm.submit({
      name: 'squares',
      code: 'export default (x) => x * x;',
      range: { start: 0, step: 1, count: 50 },
    });
    const opened = await openPage(t, browser, farm.server.joinUrl);
    const { page } = opened;
    const tapped = performance.now();
    await page.locator('#lend').click();
    await page.getByText('Tasks done here').waitFor();
    const isOver = async () =>
      (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
    await waitFor(isOver, { what: 'the end of the job', timeout: 30_000 });
    t.diagnostic(`${Math.round(performance.now() - tapped)} ms from the tap to the end of the job`);
    const results = await farm.ask('GET', `/v1/jobs/${job}/results?order=index`);
    assert.deepEqual(
      results.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).value),
      Array.from({ length: 50 }, (_, i) => i * i),
    );
    await page.locator('#stop').click();
    await page.locator('#lend').waitFor();
    assertQuiet(opened);
  });
});
