import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { bundleForBrowsers } from '../../src/server/http/bundle.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { valuesOf, workersOf } from '../support/lent-page.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;

const page = (body: string): string => `<!doctype html><link rel="icon" href="data:,"><title>a school</title>
<script type="importmap">{ "imports": { "manyhands/browser": "/browser.js" } }</script>${body}`;

/** A site of somebody's own, that serves the module as a bundler would have made it. */
async function ownSite(t: Cleanup, body: () => string = () => ''): Promise<string> {
  const module = await bundleForBrowsers(new URL('../../src/worker/browser/index.ts', import.meta.url));
  const server = createServer(({ url }, response) => {
    const isModule = url === '/browser.js';
    response.setHeader('content-type', isModule ? 'text/javascript' : 'text/html');
    response.end(isModule ? module : page(body()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => server.close());
  // Another name than the farm's, so that it is another site.
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

const joined = (link: string) =>
  `import('/browser.js').then(async ({ join }) => {
    globalThis.worker = join(${JSON.stringify(link)}, { slots: 2, name: 'a school' });
    globalThis.told = [];
    worker.addEventListener('change', () => told.push(worker.lending.state));
    return await Promise.race([worker.ended, new Promise((resolve) => setTimeout(resolve, 3000, 'works'))]);
  })`;

describe('a worker in a page of somebody’s own', { skip: noBrowser }, () => {
  test('computes for a server that was told of the site', async (t) => {
    const site = await ownSite(t);
    const farm = await ServedFarm.start(t, { allowOrigins: [site] });
    const opened = await openPage(t, browser, site);
    const job = await farm.submit({
      code: 'export default async (x, ctx) => { const { sha256 } = await ctx.blob(new Uint8Array([x])); return (await ctx.blob(sha256))[0] + 1; };',
      inputs: [1, 2, 3],
    });
    const joining = opened.page.evaluate(joined(farm.server.joinUrl));
    assert.deepEqual(await valuesOf(farm, job), [2, 3, 4]);
    assert.equal((await workersOf(farm))[0]?.name, 'a school');
    assert.equal(await joining, 'works');
    assert.equal(await opened.page.evaluate('worker.lending.done'), 3);
    const end = await opened.page.evaluate('worker.stop()');
    assert.deepEqual(end, { reason: 'its owner stopped it', failed: false });
    await waitFor(async () => (await workersOf(farm)).length === 0, { what: 'it to be gone' });
    assert.equal(await opened.page.evaluate('document.querySelectorAll("iframe").length'), 0);
    assertQuiet(opened);
  });

  test('is made by the lines in docs/sdk.md', async (t) => {
    const guide = readFileSync(new URL('../../docs/sdk.md', import.meta.url), 'utf8');
    const [, lines = ''] = /^```html\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    let link = '';
    const site = await ownSite(t, () => lines.replace(/https:\/\/farm[^']*/, link));
    const farm = await ServedFarm.start(t, { allowOrigins: [site] });
    link = farm.server.joinUrl;
    const opened = await openPage(t, browser, site);
    const job = await farm.submit({ name: 'stars', code: 'export default (x) => x;', inputs: [1, 2] });
    await opened.page.locator('#lend').click();
    assert.deepEqual(await valuesOf(farm, job), [1, 2]);
    await waitFor(async () => (await opened.page.title()) === 'working: 2 tasks, stars', { what: 'the title' });
    assertQuiet(opened);
  });

  test('gets nowhere with a server that was not', async (t) => {
    const site = await ownSite(t);
    const farm = await ServedFarm.start(t);
    const { page } = await openPage(t, browser, site);
    const end = (await page.evaluate(joined(farm.server.joinUrl))) as { reason: string; failed: boolean };
    assert.equal(end.failed, true);
    assert.match(end.reason, /does not answer, or does not answer pages of this site .*--allow-origin/);
    assert.deepEqual(await workersOf(farm), []);
  });
});
