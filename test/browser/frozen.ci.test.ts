import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { LEASE_TIME } from '../../src/model/limits.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { cleanUp } from '../support/cleanup.ts';
import { lendPage, valuesOf, workersOf } from '../support/lent-page.ts';
import { assertQuiet } from '../support/opened-page.ts';
import { ServedFarm } from '../support/served-farm.ts';

const browser = (noBrowser === false ? await openBrowser({ after }) : undefined) as Browser;

describe('a page that does not run', { skip: noBrowser }, () => {
  test('F-44 P13: keeps its lease, because its browser answers for it', async (t) => {
    const farm = await ServedFarm.start(t);
    const opened = await lendPage(t, browser, farm, 1);
    const code = `export default async (x, ctx) => {
      ctx.log('attempt ' + ctx.attempt);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return x;
    };`;
    const job = await farm.submit({ code, inputs: [7] });
    await opened.page.getByText('computing').waitFor();
    const pids = await renderers();
    cleanUp(t, () => signal(pids, 'SIGCONT'));
    signal(pids, 'SIGSTOP');
    // Longer than any other worker may be silent.
    await sleep(LEASE_TIME + 15_000);
    assert.deepEqual(
      (await workersOf(farm)).map(({ state }) => state),
      ['ready'],
    );
    signal(pids, 'SIGCONT');
    assert.deepEqual(await valuesOf(farm, job), [7]);
    const logs = (await farm.ask('GET', `/v1/jobs/${job}/tasks/0/logs`)).text;
    assert.equal(logs.match(/attempt /g)?.length, 1, 'it ran once');
    assertQuiet(opened);
  });
});

/** The processes in which pages and their slots run; the network is in another one. */
async function renderers(): Promise<number[]> {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

function signal(pids: readonly number[], name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids) process.kill(pid, name);
}
