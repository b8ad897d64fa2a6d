import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { decode } from 'fast-png';
import { repository, temporaryDirectory } from '../../test/support/directories.ts';
import { run } from '../../test/support/processes.ts';

/** Milliseconds in which it must end here: several times what it takes on two cores that have nothing else to do. */
const PATIENCE = 600_000;

test('npm run demo renders the whole picture', { timeout: PATIENCE + 60_000 }, async (t) => {
  const picture = path.join(repository, 'examples/render/out/picture.png');
  rmSync(picture, { force: true });
  const env = { XDG_STATE_HOME: temporaryDirectory(t, 'demo'), MANYHANDS_URL: undefined };
  const { code, stdout, stderr } = await run(t, ['npm', 'run', '--silent', 'demo'], { env, timeout: PATIENCE });
  assert.deepEqual([code, stderr], [0, '']);
  const { width, height, data } = decode(readFileSync(picture));
  assert.ok(width >= 1600 && height >= 900, `${width} × ${height}`);
  assert.equal(data.length, width * height * 3);
  assert.match(stdout, /^picture {4}examples\/render\/out\/picture\.png$/m);
  const tasks = Number(/^tasks +(\d+), on/m.exec(stdout)?.[1]);
  assert.ok(tasks >= 400, `${tasks} tasks`);
  // No verdict on time: on a machine that does other things as well, two slots may be no faster than one was before.
  t.diagnostic(`on ${os.availableParallelism()} CPUs: ${/^speed-up .*$/m.exec(stdout)?.[0]}`);
  t.diagnostic(`${/^seconds .*$/m.exec(stdout)?.[0]}`);
});
