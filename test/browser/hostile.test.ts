import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { startWorker } from '../../src/worker/node/join.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { jsonBody, ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

/** Texts that would do something if any part of a page took them for more than text. They say which field they were. */
const hostile = (name: string) =>
  `${name}"'><img src=x onerror=alert('${name}')><script>alert(1)</script><svg onload=alert(2)>\u202e{{7*7}}`;

const fields = 'job source label wish resource worker errorname message cause stack key value input log plotted'.split(
  ' ',
);
const texts = Object.fromEntries(fields.map((name) => [name, hostile(name)])) as Record<string, string>;
const javaScript = (name: string) => JSON.stringify(texts[name]);

/** One task returns, one fails, and one finds no worker. */
const CODE = `export default (input) => {
  console.log(${javaScript('log')});
  console.error(${javaScript('log')});
  if (input === 1) {
    const error = new Error(${javaScript('message')});
    error.name = ${javaScript('errorname')};
    error.stack = ${javaScript('stack')};
    error.cause = new Error(${javaScript('cause')});
    throw error;
  }
  if (typeof input === 'object') return JSON.parse('{"__proto__":{"polluted":1}}');
  return { [${javaScript('key')}]: ${javaScript('value')}, [${javaScript('plotted')}]: 5, map: new Map([[${javaScript('key')}, ${javaScript('value')}]]) };
};`;

interface Stage {
  readonly browser: Browser;
  readonly farm: ServedFarm;
  readonly job: number;
  readonly waiting: number;
  readonly worker: string;
}

const { browser, farm, job, waiting, worker } = (noBrowser === false ? await setUp({ after }) : {}) as Stage;

async function setUp(suite: Cleanup): Promise<Stage> {
  const farm = await ServedFarm.start(suite);
  const named = startWorker({
    url: farm.server.joinUrl,
    slots: 1,
    name: texts['worker'] ?? '',
    labels: { [texts['label'] ?? '']: texts['label'] ?? '' },
    resources: { [texts['resource'] ?? '']: 2 },
  });
  cleanUp(suite, () => named.stop());
  await named.joined;
  const common = { name: texts['job'], sourceName: texts['source'], code: CODE, maxFailures: 9 };
  const job = await farm.submit({ ...common, inputs: [texts['input'], 1, { [texts['key'] ?? '']: texts['input'] }] });
  const waiting = await farm.submit({ ...common, inputs: [1], requires: { [texts['wish'] ?? '']: texts['wish'] } });
  const isOver = async () =>
    (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
  await waitFor(isOver, { what: 'the end of the job', timeout: 30_000 });
  const { workers } = await farm.json<{ workers: { id: string }[] }>('GET', '/v1/workers');
  return { browser: await openBrowser(suite), farm, job, waiting, worker: workers[0]?.id ?? '' };
}

describe('T-6: hostile texts are shown, never obeyed', { skip: noBrowser }, () => {
  const pages: [path: string, shows: string[]][] = [
    ['/', ['job', 'worker']],
    [`/jobs/${job}`, ['job', 'worker', 'source', 'errorname', 'message', 'cause', 'key', 'value', 'log', 'plotted']],
    [`/jobs/${waiting}`, ['job', 'worker', 'source', 'wish']],
    [`/jobs/${job}/tasks/0`, ['job', 'worker', 'input', 'key', 'value', 'log']],
    [`/jobs/${job}/tasks/1`, ['job', 'errorname', 'message', 'cause', 'stack', 'log']],
    [`/jobs/${waiting}/tasks/0`, ['job', 'worker', 'wish']],
    [`/workers/${worker}`, ['worker', 'label', 'resource', 'job']],
    ['/run', []],
  ];
  for (const [path, shows] of pages) {
    const title = path.replace(/[a-z2-7]{10}|\d+/, 'ID');
    test(`on ${title}: ${shows.join(', ')}`, async (t) => {
      const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}${path}#${farm.tokens.admin}`);
      const { page } = opened;
      for (const name of shows)
        await waitFor(async () => holds(await textOf(page), name), { what: `${name} on ${path}`, timeout: 20_000 });
      assert.deepEqual(await grown(page), { scripts: 1, images: 0, handlers: 0, frames: 0, links: 0 });
      assert.equal(await page.evaluate('({}).polluted ?? Object.keys(Object.prototype).length'), 0);
      assertQuiet(opened);
    });
  }

  test('on /run: what was pasted and the file that was picked', async (t) => {
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/run#${farm.tokens.submit}`);
    const { page } = opened;
    await page.getByLabel('The function').fill(texts['source'] ?? '');
    await page.getByLabel('A file', { exact: true }).check();
    const name = `${texts['job']?.replaceAll('/', '')}.csv`;
    const file = (text: string) => ({ name, mimeType: 'text/html', buffer: Buffer.from(text) });
    const picker = page.getByLabel(/^Drop a CSV/);
    await picker.setInputFiles(
      file(`"${texts['key']?.replaceAll('"', '""')}","${texts['key']?.replaceAll('"', '""')}"\n1,2\n`),
    );
    await page.getByRole('alert').getByText('is there twice').waitFor();
    await picker.setInputFiles(file(`a\n"${texts['value']?.replaceAll('"', '""')}"\n`));
    await page.getByText(': 1 input').waitFor();
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('This does not compile').waitFor();
    // Of a long line only what is around the fault.
    await page
      .locator('.place')
      .getByText((texts['source'] ?? '').slice(0, 50))
      .waitFor();
    await waitFor(async () => holds(await textOf(page), 'value'), { what: 'the value on /run', timeout: 20_000 });
    assert.deepEqual(await grown(page), { scripts: 1, images: 0, handlers: 0, frames: 0, links: 0 });
    assertQuiet(opened);
  });

  test('the policy stands behind it: markup that got in anyhow would be refused', async (t) => {
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/`);
    const attempts = `(() => {
      const refused = [];
      const attempt = (name, run) => { try { run(); } catch (error) { refused.push(name); } };
      attempt('innerHTML', () => { document.body.innerHTML = '<b>x</b>'; });
      attempt('a script text', () => { const s = document.createElement('script'); s.textContent = 'alert(1)'; document.body.append(s); });
      const button = document.createElement('button');
      attempt('a handler', () => { button.setAttribute('onclick', 'alert(1)'); document.body.append(button); button.click(); });
      const image = new Image(); image.src = 'http://127.0.0.1:1/x.png'; document.body.append(image);
      return refused;
    })()`;
    const refused = (await opened.page.evaluate(attempts)) as string[];
    assert.deepEqual(refused, ['innerHTML', 'a script text', 'a handler']);
    await waitFor(
      () =>
        ['require-trusted-types-for', 'img-src'].every((what) => opened.complaints.some((line) => line.includes(what))),
      {
        what: 'the policy to refuse',
      },
    );
    assert.ok(!opened.complaints.some((line) => line.startsWith('a dialog')), `${opened.complaints}`);
  });

  test('T-7: bytes that are a page of their own are saved, not opened', async (t) => {
    const html = '<script>alert(document.domain)</script>';
    const { createHash } = await import('node:crypto');
    const sha256 = createHash('sha256').update(html).digest('hex');
    const path = `/v1/blobs/${sha256}`;
    const put = await farm.ask('PUT', path, { headers: { 'content-type': 'application/octet-stream' }, body: html });
    assert.equal(put.status, 201);
    const { ticket } = (await farm.ask('POST', '/v1/tickets', jsonBody({ path }))).json as { ticket: string };
    const opened = await openPage(t, browser, `http://127.0.0.1:${farm.port}/#${farm.tokens.admin}`);
    const { page } = opened;
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.goto(`http://127.0.0.1:${farm.port}${path}?ticket=${ticket}`).catch(() => undefined),
    ]);
    assert.equal(Buffer.concat(await (await download.createReadStream()).toArray()).toString(), html);
    assertQuiet(opened);
  });
});

async function textOf(page: Page): Promise<string> {
  return (await page.locator('#page').textContent()) ?? '';
}

/** As it is, as JSON writes it, or the beginning of it where only that is shown. */
function holds(text: string, name: string): boolean {
  const whole = texts[name] ?? '';
  return [whole, JSON.stringify(whole).slice(1, -1)].some((form) => text.includes(form.slice(0, 80)));
}

/** What markup would have made. */
async function grown(page: Page): Promise<unknown> {
  return page.evaluate(`(() => {
    const count = (selector) => document.querySelectorAll(selector).length;
    const handlers = [...document.querySelectorAll('*')].filter((each) => [...each.attributes].some(({ name }) => name.startsWith('on'))).length;
    const links = [...document.links].filter(({ protocol }) => protocol !== 'http:').length;
    return { scripts: count('script'), images: count('img, image, object, embed'), handlers, frames: count('iframe, frame'), links };
  })()`);
}
