import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from './support/directories.ts';
import { start } from './support/processes.ts';

/** Milliseconds: it takes a minute and a half where nothing else runs. */
const PATIENCE = 900_000;

test('F-34: a tenth of the soak leaves the server with the memory, descriptors and timers that it had after its first hundredth', async (t) => {
  const soak = start(t, [process.execPath, path.join(repository, 'bench/soak.ts'), '--share', '0.1']);
  const { code, stdout, stderr } = await soak.exit(PATIENCE);
  t.diagnostic(stdout.split('\n').slice(-4).join('\n'));
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /10,000,000 tasks in 100 jobs, 1000 workers lost: memory × [\d.]+\n/);
});
