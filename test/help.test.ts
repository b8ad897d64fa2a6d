import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from './support/directories.ts';
import { run } from './support/processes.ts';

test('npm run bench and npm run demo say what they can do, and what they can not', async (t) => {
  for (const [file, usage] of [
    ['bench/run.ts', /^npm run bench -- \[QUESTION…\] [^\n]*\n {2}limits what/],
    ['examples/render/demo.ts', /^npm run demo -- \[--keep\]/],
  ] as const) {
    const ask = (option: string) =>
      run(t, [process.execPath, path.join(repository, file), option], { timeout: 60_000 });
    const help = await ask('--help');
    assert.deepEqual([help.code, help.stderr], [0, '']);
    assert.match(help.stdout, usage);
    const wrong = await ask('--nix');
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /^(bench|demo): Unknown option '--nix'/);
    assert.doesNotMatch(wrong.stderr, /\n {4}at /);
  }
});
