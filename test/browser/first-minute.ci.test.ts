import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Lan } from '../reliability/lan.ts';
import { needs } from '../reliability/needs.ts';
import { noBrowser, openBrowserBy } from '../support/browser.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { repository, temporaryDirectory } from '../support/directories.ts';
import { cleanEnvironment, npm } from '../support/nodes.ts';
import { openPage } from '../support/opened-page.ts';
import { start } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** Milliseconds for all of it: a minute is promised, and the machine of a test may be busy. */
const PATIENCE = 180_000;

/** The repository as a clone has it: what is not in it is not there. */
function clone(t: Cleanup): string {
  const directory = path.join(temporaryDirectory(t, 'clone'), 'manyhands');
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: repository,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((each) => each !== '')) {
    cpSync(path.join(repository, file), path.join(directory, file), { force: true });
  }
  return directory;
}

const needed = noBrowser === false ? needs('root', 'ip', 'nft') : { skip: noBrowser };

test('the first minute: the demo is started, and a phone in the network computes for it', needed, async (t) => {
  const lan = new Lan(t);
  const directory = clone(t);
  const began = performance.now();
  const said = (what: string) => t.diagnostic(`${((performance.now() - began) / 1_000).toFixed(1)} s: ${what}`);
  await npm(t, directory, 'ci', '--prefer-offline');
  said('installed');
  const demo = start(t, ['npm', 'run', 'demo', '--', '--keep', '--lan'], { cwd: directory, env: cleanEnvironment() });
  const [, link = ''] = await demo.output(/(http:\/\/[^\s/]+\/join#\S+)/, { timeout: PATIENCE });
  said('the link is there');
  const browser = await openBrowserBy(t, lan.command);
  // Where this machine has no way out, the link names it as only itself does.
  const opened = await openPage(t, browser, link.replace('//127.0.0.1:', `//${lan.host}:`));
  const { page } = opened;
  assert.equal(await page.evaluate('isSecureContext'), false, 'plain HTTP, as phones have it');
  assert.notEqual(new URL(page.url()).hostname, '127.0.0.1');
  await page.locator('#lend').click();
  said('the button is pressed');
  const done = page.locator('dt', { hasText: 'Tasks done here' }).locator('xpath=following-sibling::dd');
  await waitFor(async () => Number(await done.textContent()) > 0, { what: 'a task', timeout: PATIENCE });
  said('a task is done');
  assert.ok(performance.now() - began < PATIENCE, demo.describe());
  // Of plain HTTP the browser says that one header is for HTTPS alone.
  const complaints = opened.complaints.filter((each) => !each.includes('Cross-Origin-Opener-Policy'));
  assert.deepEqual(complaints, []);
});
