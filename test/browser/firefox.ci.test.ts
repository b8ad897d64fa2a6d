import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Firefox, noFirefox } from '../support/firefox.ts';
import { valuesOf } from '../support/lent-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const COUNT = 200;
/** Tries to get out of its box by what a page has, and computes. */
const CODE = `export default async (n) => {
  const reached = [];
  for (const name of ['document', 'localStorage', 'parent']) if (typeof globalThis[name] === 'object') reached.push(name);
  await fetch('/healthz').then(() => reached.push('fetch'), () => {});
  return { square: n * n, reached };
};`;

test('a page of Firefox that was lent computes, in a box, and shows what it did', { skip: noFirefox }, async (t) => {
  const farm = await ServedFarm.start(t);
  const firefox = await Firefox.open(t);
  await firefox.goto(farm.server.joinUrl);
  const shown = () => firefox.text('document.querySelector("main")?.innerText ?? ""');
  await waitFor(async () => /Lend this device/.test(await shown()), { what: 'the page', timeout: 20_000 });
  await waitFor(() => firefox.text('(document.querySelector("#lend")?.click(), !!document.querySelector("#lend"))'));
  const tapped = performance.now();
  const job = await farm.submit({ code: CODE, range: { start: 0, step: 1, count: COUNT } });
  const isOver = async () =>
    (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
  await waitFor(isOver, { what: 'the end of the job', timeout: 60_000 });
  t.diagnostic(`${COUNT} tasks in ${Math.round(performance.now() - tapped)} ms from the tap`);
  const { text } = await farm.ask('GET', `/v1/jobs/${job}/results?order=index`);
  const values = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { value: unknown }).value);
  assert.deepEqual(
    values,
    Array.from({ length: COUNT }, (_, n) => ({ square: n * n, reached: [] })),
  );
  const begun = performance.now();
  // By a snapshot that another engine has made.
  const inPython = await farm.submit({ code: 'def task(x): return [x * x, hash(1)]', runner: 'python', inputs: [3] });
  assert.deepEqual(await valuesOf(farm, inPython), [[9, 1]]);
  t.diagnostic(`the first task in Python after ${Math.round(performance.now() - begun)} ms`);
  await waitFor(async () => /20[01]/.test(await shown()), { what: 'what it has done', timeout: 10_000 });
  await firefox.goto(farm.server.dashboardUrl);
  await waitFor(async () => /Connections/.test(await shown()), { what: 'the dashboard', timeout: 20_000 });
});
