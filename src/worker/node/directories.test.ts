import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { start } from '../../../test/support/processes.ts';
import { waitFor } from '../../../test/support/wait.ts';

const module = new URL('./directories.ts', import.meta.url).href;

/** A process that has a worker's directories, until it is killed. */
async function owner(t: TestContext, TMPDIR: string, cache?: string) {
  const code = `import { openDirectories } from ${JSON.stringify(module)};
    const { clean, ...directories } = openDirectories(${JSON.stringify(cache)});
    console.log(JSON.stringify(directories));
    process.on('SIGTERM', () => { clean(); process.exit(0); });
    setInterval(() => {}, 1_000);`;
  const running = start(t, [process.execPath, '--input-type=module', '-e', code], { env: { TMPDIR } });
  const [said] = await running.output(/^\{.*\}$/m, { stream: 'stdout', timeout: 60_000 });
  return { running, directories: JSON.parse(said) as { root: string; code: string; blobs: string } };
}

test('what a killed worker left is removed at the next start, what a living one has is not', async (t) => {
  const tmp = temporaryDirectory(t, 'tmp');
  const living = await owner(t, tmp);
  const killed = await owner(t, tmp);
  writeFileSync(path.join(killed.directories.blobs, 'left'), 'bytes');
  killed.running.signal('SIGKILL');
  await killed.running.exited;
  const next = await owner(t, tmp);
  await waitFor(() => !existsSync(path.dirname(killed.directories.root)), { what: 'what was left to be gone' });
  assert.ok(existsSync(living.directories.root));
  assert.ok(existsSync(next.directories.root));
  living.running.signal('SIGTERM');
  await living.running.exited;
  assert.ok(!existsSync(path.dirname(living.directories.root)), 'who leaves leaves nothing');
});

test('each worker has a folder for blobs of its own in a directory that they share', async (t) => {
  const tmp = temporaryDirectory(t, 'tmp');
  const cache = path.join(tmp, 'cache');
  const first = await owner(t, tmp, cache);
  const second = await owner(t, tmp, cache);
  assert.deepEqual(
    [first.directories.blobs, second.directories.blobs].map((folder) => path.basename(folder)),
    ['blobs', 'blobs-2'],
  );
  first.running.signal('SIGKILL');
  await first.running.exited;
  const third = await owner(t, tmp, cache);
  assert.equal(path.basename(third.directories.blobs), 'blobs', 'that of the killed one');
  // One whose process nobody can look for, since it is on another machine: as long as it gives signs of life.
  third.running.signal('SIGKILL');
  await third.running.exited;
  const file = path.join(cache, 'blobs', 'owner');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), place: 'elsewhere' }));
  assert.equal(path.basename((await owner(t, tmp, cache)).directories.blobs), 'blobs-3');
});
