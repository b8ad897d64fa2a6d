import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { noBrowser } from '../support/browser.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;

describe('the pages of commands in Chromium', { skip: noBrowser }, () => {
  test('the page of a task shows what its command has printed, as text, also when it failed', async (t) => {
    await watched.farm.join(1, { allow: ['exec'], name: 'allows commands' });
    const code = JSON.stringify({ command: 'echo "one {}"; echo "<two>"; echo three >&2; exit {}' });
    const job = await watched.farm.submit({ code, runner: 'exec', inputs: [['0'], ['3']], maxFailures: 9 });
    await watched.ended(job);
    for (const [index, exitCode] of [0, 3].entries()) {
      const { page, quiet } = await watched.open(t, `/jobs/${job}/tasks/${index}`);
      const printed = page.getByRole('region', { name: 'Printed' });
      await printed.waitFor();
      assert.deepEqual(await printed.locator('pre').allInnerTexts(), [`one ${exitCode}\n<two>\n`, 'three\n']);
      assert.match(await printed.innerText(), new RegExp(`Exit code\\s+${exitCode}\\b`));
      quiet();
    }
    const { page, quiet } = await watched.open(t, `/jobs/${job}/tasks/1`);
    await page.getByText('ExitError: its command exited with code 3: three').first().waitFor();
    quiet();
  });
});
