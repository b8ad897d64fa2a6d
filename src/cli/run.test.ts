import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { runManyhands } from '../../test/support/processes.ts';

test('run prints values in order, tells failures, and names the line of a broken input', async (t) => {
  const cwd = temporaryDirectory(t);
  const env = { XDG_STATE_HOME: cwd, MANYHANDS_URL: undefined, MANYHANDS_TOKEN: undefined };
  writeFileSync(
    path.join(cwd, 'odd.mjs'),
    "export default (x) => { if (x === 2) throw new TypeError('no 2'); return x * x; };",
  );
  writeFileSync(path.join(cwd, 'in.jsonl'), '1\n{"a":\n3\n');
  const good = await runManyhands(t, ['run', 'odd.mjs', '--range', '3..5'], { cwd, env });
  assert.deepEqual([good.code, good.stdout], [0, '9\n16\n25\n']);
  assert.match(good.stderr, /no server found/);
  const failed = await runManyhands(t, ['run', 'odd.mjs', '1', '2', '3', '--quiet'], { cwd, env });
  assert.deepEqual([failed.code, failed.stdout], [1, '1\n9\n']);
  assert.match(failed.stderr, /^task 1 failed: TypeError: no 2\n/);
  const broken = await runManyhands(t, ['run', 'odd.mjs', '--inputs', 'in.jsonl', '--quiet'], { cwd, env });
  assert.equal(broken.code, 2);
  assert.match(broken.stderr, /in\.jsonl, line 2: is not JSON/);
  assert.equal((await runManyhands(t, ['run', 'missing.ts', '1'], { cwd, env })).code, 2);
});
