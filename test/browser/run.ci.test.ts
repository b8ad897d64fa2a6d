import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { noBrowser } from '../support/browser.ts';
import { openPage } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;
const { farm, browser } = watched;

const press = (page: Page) => page.getByRole('button', { name: 'Run', exact: true }).click();
const code = (page: Page) => page.getByLabel('The function');
const choose = (page: Page, kind: string) => page.getByLabel(kind, { exact: true }).check();

/** Waits for the job's page and its end, and saves its results. */
async function resultsOf(page: Page, form = 'NDJSON'): Promise<string> {
  await page.waitForURL(/\/jobs\/\d+$/);
  await page
    .locator('.standing')
    .getByText(/^(done|failed)$/)
    .waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: `Download results as ${form}` }).click(),
  ]);
  return Buffer.concat(await (await download.createReadStream()).toArray()).toString();
}

async function dropFile(page: Page, name: string, text: string): Promise<void> {
  const data = await page.evaluateHandle(
    `(() => { const data = new DataTransfer(); data.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)})); return data; })()`,
  );
  await page.locator('fieldset').dispatchEvent('dragover', { dataTransfer: data });
  await page.locator('fieldset').dispatchEvent('drop', { dataTransfer: data });
}

describe('a function is run from the page, in Chromium', { skip: noBrowser }, () => {
  test('typed, with a range, and its results are saved: nothing is installed', async (t) => {
    const { page, quiet } = await watched.open(t, '/', farm.tokens.submit);
    await page.getByRole('link', { name: /Run a function|run it from here/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Run a function' }).waitFor();
    await code(page).fill('(x) => ({ x, square: x * x })');
    await page.getByLabel('to', { exact: true }).fill('3');
    await page.getByLabel('Name of the job').fill('my squares');
    await page.getByLabel('Name of the job').press('Enter');
    await page.getByRole('heading', { level: 1, name: 'my squares' }).waitFor();
    assert.equal(
      await resultsOf(page, 'CSV'),
      'index,status,x,square,error,attempts\r\n0,done,1,1,,1\r\n1,done,2,4,,1\r\n2,done,3,9,,1\r\n',
    );
    quiet();
  });

  test('with the keyboard alone', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    await code(page).waitFor();
    const reach = async (what: string) => {
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(what)})`)) return;
      }
      assert.fail(`${what} cannot be reached`);
    };
    await reach('#code');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('(x) => x + 1');
    await reach('[value=range]');
    await page.keyboard.press('ArrowRight');
    await reach('#typed');
    await page.keyboard.type('41\n');
    await reach('button[type=submit]');
    await page.keyboard.press('Enter');
    assert.equal(await resultsOf(page), '{"index":0,"status":"done","value":42}\n');
    quiet();
  });

  test('a CSV file that is dropped: each line is an input', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    await code(page).fill('export default function (row) { return row.name + "/" + Number(row.n); }');
    await dropFile(page, '<b>cities</b>.csv', 'name,n\n"Bern, CH",1\n<img src=x onerror=alert(1)>,2\n');
    await page.getByText('<b>cities</b>.csv').waitFor();
    await page.getByText(': 2 inputs').waitFor();
    await page.getByText('{"name":"Bern, CH","n":"1"}').waitFor();
    await press(page);
    assert.equal(
      await resultsOf(page),
      '{"index":0,"status":"done","value":"Bern, CH/1"}\n{"index":1,"status":"done","value":"<img src=x onerror=alert(1)>/2"}\n',
    );
    quiet();
  });

  test('files that are picked: JSON, NDJSON with values of any kind, lines of text', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    for (const [name, text, expected] of [
      ['list.json', '[1, {"a": [2]}, "x"]', ['1', '{"a":[2]}', '"x"']],
      [
        'values.ndjson',
        '{"$mh":[["Date","1970-01-01T00:00:00.000Z"]]}\n0.50\n',
        ['{"$mh":[["Date","1970-01-01T00:00:00.000Z"]]}', '0.50'],
      ],
      ['words.txt', 'one\ntwo words\n', ['"one"', '"two words"']],
    ] as const) {
      await page.goto(watched.address('/run'));
      await code(page).fill('(x) => x');
      await choose(page, 'A file');
      await page.getByLabel(/^Drop a CSV/).setInputFiles({ name, mimeType: '', buffer: Buffer.from(text) });
      await page.getByText(`: ${expected.length} inputs`).waitFor();
      await press(page);
      const values = (await resultsOf(page))
        .trim()
        .split('\n')
        .map((line) => /"value":(.*)\}$/.exec(line)?.[1]);
      // What a task returned was written by the worker, a number as JavaScript writes it.
      assert.deepEqual(
        values,
        expected.map((each) => (each === '0.50' ? '0.5' : each)),
        name,
      );
    }
    quiet();
  });

  test('typed inputs, and a function that fails: the job says so', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    await code(page).fill('(x) => { if (x === "b") throw new RangeError("not <i>b</i>"); return x; }');
    await choose(page, 'Typed here');
    await page.getByLabel('One a line').fill('1\na\nb');
    await press(page);
    await page.getByText('1 × RangeError: not <i>b</i>').waitFor();
    quiet();
  });

  test('more inputs than one request takes come in parts, and as one job', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    const lines = Array.from({ length: 30_000 }, (_, i) => `{"i":${i},"text":"${'x'.repeat(150)}"}`);
    await code(page).fill('({ i }) => i');
    await choose(page, 'A file');
    const buffer = Buffer.from(lines.join('\n'));
    await page.getByLabel(/^Drop a CSV/).setInputFiles({ name: 'many.jsonl', mimeType: '', buffer });
    await page.getByText(': 30,000 inputs').waitFor();
    const asked: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && asked.push(new URL(request.url()).pathname));
    await press(page);
    const records = (await resultsOf(page))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { index: number; value: number });
    assert.ok(records.length === 30_000 && records.every(({ index, value }) => index === value));
    assert.ok(asked.filter((path) => path.endsWith('/inputs')).length >= 3, `${asked}`);
    assert.equal(asked.filter((path) => path === '/v1/jobs').length, 1);
    quiet();
  });

  test('what is wrong is said where it is wrong, and nothing is submitted', async (t) => {
    const { page, quiet } = await watched.open(t, '/run');
    await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
    const before = (await farm.json<{ jobs: unknown[] }>('GET', '/v1/jobs')).jobs.length;
    const says = (words: string | RegExp) => page.getByRole('alert').getByText(words).first().waitFor();
    await code(page).fill('(x) => {\n  const y = <img src=x onerror=alert(1)>;\n}');
    await press(page);
    await says('This does not compile: line 2, column 13: Unexpected token.');
    await page.locator('.place', { hasText: 'const y = <img' }).waitFor();
    assert.equal(await code(page).getAttribute('aria-invalid'), 'true');
    await code(page).fill('(x) => x');
    await page.getByLabel('to', { exact: true }).fill('0');
    await press(page);
    await says('from 1 to 0 in steps of 1 there is nothing');
    await choose(page, 'Typed here');
    await press(page);
    await says('there are no inputs: type one a line');
    await choose(page, 'A file');
    await press(page);
    await says('there are no inputs: pick a file, or drop one here');
    for (const [name, text, words] of [
      ['bad.csv', 'a,b\n1,2\n3\n', 'bad.csv cannot be used: line 3: there are 1 fields, but the header has 2.'],
      ['bad.ndjson', '1\n{"a":\n', /^bad\.ndjson cannot be used: line 2, column 6: this is not JSON: the text ends/],
      ['bad.json', '[1,\n2,\n}', /^bad\.json cannot be used: line 3, column 1: this is not JSON: there is "}"/],
      ['empty.csv', 'a,b\n', 'empty.csv cannot be used: there are no inputs in it.'],
    ] as const) {
      await dropFile(page, name, text);
      await says(words);
    }
    const latin = { name: 'latin.txt', mimeType: '', buffer: Buffer.from([0xe4, 0xf6]) };
    await page.getByLabel(/^Drop a CSV/).setInputFiles(latin);
    await says('latin.txt cannot be used: it is not UTF-8 text');
    assert.equal((await farm.json<{ jobs: unknown[] }>('GET', '/v1/jobs')).jobs.length, before);
    quiet();
  });

  test('what the server refuses is shown in its words, and no open job is left behind', async (t) => {
    const { page } = await watched.open(t, '/run');
    await code(page).fill('(x) => x');
    await choose(page, 'A file');
    // JSON for the page, but no value for the server.
    const buffer = Buffer.from('1\n{"$mh":"nonsense"}\n');
    await page.getByLabel(/^Drop a CSV/).setInputFiles({ name: 'odd.ndjson', mimeType: '', buffer });
    await page.getByText(': 2 inputs').waitFor();
    await press(page);
    await page
      .getByRole('alert')
      .getByText(/^The job was not accepted: line 2 /)
      .waitFor();
    const { jobs } = await farm.json<{ jobs: { progress: { state: string } }[] }>('GET', '/v1/jobs');
    assert.equal(jobs[0]?.progress.state, 'cancelled');
  });

  test('who may only read is told so; without workers the job will wait', async (t) => {
    const { page, quiet } = await watched.open(t, '/', farm.tokens.read);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.goto(watched.address('/run', farm.tokens.read));
    await page.getByText('This link may not run anything: its token has the role read.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Run', exact: true }).count(), 0);
    const empty = await ServedFarm.start(t);
    const alone = await openPage(t, browser, `http://127.0.0.1:${empty.port}/run#${empty.tokens.submit}`);
    await alone.page.getByText('No worker is here yet: the job will wait for one.').waitFor();
    quiet();
  });
});
