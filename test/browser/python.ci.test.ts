import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { repository } from '../support/directories.ts';
import { lendPage, recordsOf, valuesOf } from '../support/lent-page.ts';
import { assertQuiet } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';
import { waitFor } from '../support/wait.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;
const pi = readFileSync(path.join(repository, 'examples/python/task.py'), 'utf8');

/** What works alike wherever Python runs, and what fails alike. */
const VARIED = `import asyncio, datetime, math, os, sys
async def task(input, ctx):
    await asyncio.sleep(0)
    what, *values = input
    if what == "kinds": return {"big": 2**70, "set": {1}, "map": {1: 2}, "odd": [math.nan, -0.0], "bytes": b"ab"}
    if what == "blob": return ctx.blob(ctx.blob(b"x" * values[0])["sha256"])
    if what == "text": return "x" * values[0]
    if what == "divide": return 1 / values[0]
    if what == "exit": sys.exit(values[0])
    if what == "file":
        if os.path.exists("f"): return "found"
        with open("f", "w") as file: file.write("x")
        return "written"
    print(what, flush=True)
    return [what, *values]
`;

const VARIETY = [
  ['kinds'],
  ['blob', 100_000],
  ['text', 100_000],
  ['divide', 0],
  ['exit', 3],
  ['says', 'é', 1.5],
  ['file'],
  ['file'],
];

describe('Python in a page', { skip: noBrowser }, () => {
  test('ends as on Node, whatever comes of it, and shares a job with Node', { timeout: 170_000 }, async (t) => {
    const farm = await ServedFarm.start(t);
    const varied = async (more: object = {}): Promise<unknown[]> => {
      const job = { code: VARIED, runner: 'python', sourceName: 'varied.py', inputs: VARIETY, maxFailures: 9, ...more };
      const records = await recordsOf(farm, await farm.submit(job));
      return records.map(({ status, value, error, blob }) => ({ status, value, error, blob }));
    };
    const opened = await lendPage(t, browser, farm, 1);
    const begun = performance.now();
    const inPage = await varied();
    t.diagnostic(`the first job in Python in a page took ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
    assert.deepEqual(await varied(), inPage, 'nothing of the first job is there for the second');
    assert.match(JSON.stringify(inPage[3]), /ZeroDivisionError.*File \\"varied\.py\\", line 8, in task/);
    await farm.join(1, { labels: { where: 'node' } });
    assert.deepEqual(await varied({ requires: { where: 'node' } }), inPage);

    // Both have Pyodide by now.
    const inputs = Array.from({ length: 40 }, () => 50_000);
    const ask = async (more: object = {}): Promise<unknown[]> =>
      valuesOf(farm, await farm.submit({ code: pi, runner: 'python', sourceName: 'task.py', inputs, ...more }));
    const shared = await waitFor(() => sharedBy(farm, ask), { what: 'a job of both', timeout: 30_000 });
    assert.deepEqual(await ask({ requires: { where: 'node' } }), shared);
    assertQuiet(opened);
  });
});

/** What a job gave of which a page and Node each had tasks; else undefined. */
async function sharedBy(farm: ServedFarm, ask: () => Promise<unknown[]>): Promise<unknown[] | undefined> {
  const done = async (): Promise<Record<string, number>> => {
    const { workers } = await farm.json<{ workers: { kind: string; done: number }[] }>('GET', '/v1/workers');
    return Object.fromEntries(workers.map(({ kind, done: tasks }) => [kind, tasks]));
  };
  const before = await done();
  const values = await ask();
  const after = await done();
  return ['browser', 'node'].every((kind) => (after[kind] ?? 0) > (before[kind] ?? 0)) ? values : undefined;
}
