import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { start, startManyhands } from '../../test/support/processes.ts';

const script = path.join(import.meta.dirname, 'worker.sh');
const BUSYBOX = 'busybox';
// .ci/run installs it.
const skip =
  spawnSync(BUSYBOX, ['true']).status !== 0 && process.env['CI'] !== 'true' && 'busybox is not installed here';

test('the kit finds that it keeps every rule that concerns it, those of polls among them', { skip }, async (t) => {
  const kit = startManyhands(t, ['conformance', '--json']);
  const [, link = ''] = await kit.output(/"joinUrl":"([^"]+)"/);
  const worker = start(t, [BUSYBOX, 'sh', script, link]);
  const { code, stdout } = await kit.exit(110_000);
  const verdicts = stdout
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as { rule: string; kept: boolean });
  assert.deepEqual([code, verdicts.filter(({ kept }) => !kept)], [0, []], worker.describe());
  assert.equal(verdicts.filter(({ rule }) => rule === 'P26').length, 2);
  assert.equal((await worker.exit()).code, 0, worker.describe());
});
