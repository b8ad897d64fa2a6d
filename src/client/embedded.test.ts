import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { repository, temporaryDirectory } from '../../test/support/directories.ts';
import { type Running, start, treeOf } from '../../test/support/processes.ts';
import { waitFor } from '../../test/support/wait.ts';

const sdk = JSON.stringify(path.join(repository, 'src/index.ts'));

/** A program with a home, a directory for temporary files and no server to be found. */
function program(t: TestContext, text: string, more: NodeJS.ProcessEnv = {}): { running: Running; left(): string[] } {
  const folder = temporaryDirectory(t, 'program');
  const temporary = path.join(folder, 'tmp');
  mkdirSync(temporary);
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  const file = path.join(folder, 'program.ts');
  writeFileSync(file, `import { connect, range } from ${sdk};\n${text}`);
  const env = { TMPDIR: temporary, XDG_STATE_HOME: path.join(folder, 'state'), HOME: folder };
  const none = { MANYHANDS_URL: undefined, MANYHANDS_TOKEN: undefined };
  const running = start(t, [process.execPath, file], { cwd: folder, env: { ...env, ...none, ...more } });
  const left = (): string[] => [
    ...readdirSync(temporary),
    ...(existsSync(env.XDG_STATE_HOME) ? readdirSync(env.XDG_STATE_HOME) : []),
  ];
  return { running, left };
}

/** Nothing that it started runs on, and no file of it is left. */
async function leavesNothing(running: Running, left: () => string[], tree: number[]): Promise<void> {
  const alive = (): number[] => tree.filter((pid) => pid !== running.pid && existsSync(`/proc/${pid}`));
  await waitFor(() => alive().length === 0, { what: 'the end of what it started', timeout: 20_000 });
  await waitFor(() => left().length === 0, { what: 'the end of its files', timeout: 10_000 });
}

const endings: Record<string, { text: string; code: number | null; stderr?: RegExp }> = {
  'closes its farm': { text: 'await farm.close();', code: 0 },
  'forgets to': { text: '', code: 0 },
  'has used farm.run and forgets to': { text: 'await farm.run((n: number) => n, 1);', code: 0 },
  'calls process.exit': { text: 'process.exit(3);', code: 3 },
  throws: { text: 'throw new Error("that was that");', code: 1, stderr: /that was that/ },
};

describe('without a server, a program has a farm of its own', () => {
  for (const [how, { text, code, stderr = /^$/ }] of Object.entries(endings)) {
    test(`and ends when it ${how}, leaving nothing behind`, async (t) => {
      const { running, left } = program(
        t,
        `const farm = await connect({ slots: 1 });
        const job = await farm.map((n: number) => n * n, range(0, 5));
        console.log(JSON.stringify(await job.values()), farm.embedded);
        ${text}`,
        // One of them as its users start it; the others need not compile it all again.
        how === 'closes its farm' ? { NODE_COMPILE_CACHE: undefined } : {},
      );
      await running.output(/\[0,1,4,9,16\] true/, { timeout: 60_000 });
      const tree = treeOf(running.pid);
      const exit = await running.exit(60_000);
      assert.equal(exit.code, code, running.describe());
      assert.match(exit.stderr, stderr);
      await leavesNothing(running, left, tree);
    });
  }

  test('and nothing is left when it is killed in the middle', async (t) => {
    const { running, left } = program(
      t,
      `const farm = await connect({ slots: 1 });
      const job = await farm.map(() => new Promise((resolve) => setTimeout(resolve, 1e6)), [1]);
      await job.results({ ordered: false }).next();`,
    );
    const tree = await waitFor(
      () => {
        const pids = treeOf(running.pid);
        return pids.length >= 3 ? pids : undefined;
      },
      { what: 'the program, its farm and a task', timeout: 60_000 },
    );
    running.signal('SIGKILL');
    await leavesNothing(running, left, tree);
  });

  test('and is told when that farm dies', async (t) => {
    const { running, left } = program(
      t,
      `const farm = await connect({ slots: 1 });
      const job = await farm.map(() => new Promise((resolve) => setTimeout(resolve, 1e6)), [1]);
      console.log('submitted');
      await job.values().catch((error) => console.log(error.name, error.code, error.message));`,
    );
    await running.output(/submitted/, { timeout: 60_000 });
    const tree = treeOf(running.pid);
    const children = tree.filter((pid) => pid !== running.pid);
    process.kill(Math.min(...children), 'SIGKILL');
    const exit = await running.exit(60_000);
    assert.match(exit.stdout, /FarmError closed the embedded farm is gone: its process ended \(SIGKILL\)/);
    assert.equal(exit.code, 0);
    await leavesNothing(running, left, tree);
  });

  test('and an endless source does not keep it', async (t) => {
    const { running, left } = program(
      t,
      `await using farm = await connect({ slots: 1 });
      async function* naturals() { for (let n = 0; ; n++) yield n; }
      const job = await farm.map((n: number) => n, naturals());
      for await (const record of job.results()) if (record.index === 10) break;
      console.log('enough');`,
    );
    const exit = await running.exit(60_000);
    assert.deepEqual([exit.stdout, exit.stderr, exit.code], ['enough\n', '', 0]);
    await leavesNothing(running, left, [running.pid]);
  });

  test('and may have several at once, a warning of nobody', async (t) => {
    const { running, left } = program(
      t,
      `const control = new AbortController();
      for (let i = 0; i < 12; i++) {
        const farm = await connect({ slots: 1, signal: control.signal });
        await farm.close();
      }
      console.log(process.listenerCount('beforeExit'));`,
    );
    const exit = await running.exit(120_000);
    assert.deepEqual([exit.stdout, exit.stderr, exit.code], ['0\n', '', 0]);
    await leavesNothing(running, left, [running.pid]);
  });
});
