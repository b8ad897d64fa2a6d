import assert from 'node:assert/strict';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Cleanup } from './support/cleanup.ts';
import { repository, temporaryDirectory } from './support/directories.ts';
import { nodeOf } from './support/nodes.ts';
import { run, start } from './support/processes.ts';

// In the repository the shell's Node may be too old: the command's first lines then become the pinned one. The program
// behind these first lines is one that shows what reaches it.

const PROGRAM = `
export async function main(argv: string[]): Promise<number> {
  if (argv[0] === 'exit') return Number(argv[1]);
  if (argv[0] === 'echo') {
    for await (const bytes of process.stdin) process.stdout.write(bytes);
    return 0;
  }
  process.on('SIGTERM', () => process.exit(43));
  console.log('waiting on ' + process.version);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  return 1;
}
`;

/** A repository with nothing but the command's first lines, such a program, and the pinned Node. */
function repositoryWith(t: Cleanup): string {
  const directory = temporaryDirectory(t, 'repository');
  mkdirSync(path.join(directory, 'node_modules/.bin'), { recursive: true });
  symlinkSync(process.execPath, path.join(directory, 'node_modules/.bin/node'));
  cpSync(path.join(repository, 'src/cli/entry'), path.join(directory, 'src/cli/entry'), { recursive: true });
  writeFileSync(path.join(directory, 'src/cli/main.ts'), PROGRAM);
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }');
  return path.join(directory, 'src/cli/entry/manyhands.mjs');
}

// The first has no execve and starts a child; the second replaces itself.
for (const version of ['20.19.0', '22.15.0']) {
  describe(`the command started by Node ${version}`, () => {
    test('runs on the pinned Node with its own input, output, exit code and signals', async (t) => {
      const old = path.join(await nodeOf(t, version), 'node');
      const command = repositoryWith(t);

      const echo = await run(t, [old, command, 'echo'], { input: 'many hands' });
      assert.deepEqual(echo, { code: 0, signal: null, stdout: 'many hands', stderr: '' });
      assert.equal((await run(t, [old, command, 'exit', '7'])).code, 7);

      const handled = start(t, [old, command, 'wait']);
      await handled.output(new RegExp(`waiting on ${process.version}`));
      handled.signal('SIGTERM');
      assert.equal((await handled.exit()).code, 43);

      const unhandled = start(t, [old, command, 'wait']);
      await unhandled.output(/waiting/);
      unhandled.signal('SIGINT');
      assert.equal((await unhandled.exit()).signal, 'SIGINT');
    });
  });
}
