import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';
import { run, start, treeOf } from './processes.ts';
import { waitFor, within } from './wait.ts';

/** A test context whose end can be brought about and looked behind. */
function fakeTest(): Cleanup & { end(): Promise<void> } {
  const cleaners: (() => void | Promise<void>)[] = [];
  return {
    after: (clean) => cleaners.push(clean),
    end: async () => {
      for (const clean of cleaners) await clean();
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a run collects both streams, the input and the exit code', async (t) => {
  const script =
    'process.stdin.on("data", (d) => console.error("got " + d)).on("end", () => process.exit(7)); console.log("hello")';
  const result = await run(t, [process.execPath, '-e', script], { input: 'abc' });
  assert.deepEqual(result, { code: 7, signal: null, stdout: 'hello\n', stderr: 'got abc\n' });
});

test('the end of a test kills what its process started, also in another session, then removes the directory', async () => {
  const t = fakeTest();
  const directory = temporaryDirectory(t);
  const grandchild = 'console.log("grandchild " + process.pid); setInterval(() => {}, 1000)';
  const child = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { detached: true, stdio: 'inherit' });`;
  const running = start(t, [process.execPath, '-e', child], { cwd: directory });
  const pid = Number((await running.output(/grandchild (\d+)/))[1]);
  assert.ok(isAlive(pid));
  assert.ok(treeOf(running.pid).includes(process.platform === 'linux' ? pid : running.pid));
  await t.end();
  await waitFor(() => !isAlive(pid), { what: 'the grandchild to die' });
  assert.ok(!isAlive(running.pid));
  assert.ok(!existsSync(directory));
});

test('waiting for output that never comes fails with what was printed', async (t) => {
  const running = start(t, [process.execPath, '-e', 'console.log("only this")']);
  await assert.rejects(running.output(/something else/), /ended \(0\) without printing[\s\S]*only this/);
});

test('cleaning runs backwards and goes on after a failure, which it reports', async () => {
  const t = fakeTest();
  const order: number[] = [];
  cleanUp(t, () => order.push(1));
  cleanUp(t, () => {
    throw new Error('broken');
  });
  cleanUp(t, () => order.push(3));
  await assert.rejects(t.end(), /broken/);
  assert.deepEqual(order, [3, 1]);
});

test('a wait gives the value, or names what it waited for', async () => {
  let looks = 0;
  assert.equal(await waitFor(() => (++looks === 3 ? 'there' : undefined)), 'there');
  await assert.rejects(
    waitFor(() => false, { what: 'the moon', timeout: 20 }),
    /20 ms in vain for the moon/,
  );
  await assert.rejects(within(new Promise(() => {}), 10, 'the tide'), /the tide took longer than 10 ms/);
});
