import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { repository, temporaryDirectory } from '../../../../test/support/directories.ts';
import { PackageRegistry } from '../../../../test/support/package-registry.ts';
import { logsOf } from '../../../../test/support/python-tasks.ts';
import { jsonBody, ServedFarm } from '../../../../test/support/served-farm.ts';
import { TaskError } from '../../../client/task-error.ts';
import { packagesOf } from '../../../model/packages.ts';

const suite = { after };
const isHere = spawnSync('npm', ['--version']).status === 0;
/** Any native code will do; this one is a part of what checks the repository. */
const modules = path.join(repository, 'node_modules');
const native = path.join(modules, '@oxc-resolver', 'binding-linux-x64-gnu', 'resolver.linux-x64-gnu.node');
const isNative = process.platform === 'linux' && process.arch === 'x64';

describe('modules that name packages of npm', { skip: !isHere && 'there is no npm here' }, async () => {
  const registry = await PackageRegistry.start(suite, {
    tiny: {
      about: { exports: { '.': './index.js', './part': './part.js' }, scripts: { install: 'node made.js' } },
      files: {
        'index.js': "exports.triple = (x) => 3 * x;\nexports.made = () => require('./made.json');\n",
        'part.js': "module.exports = 'a part';\n",
        'made.js': "require('node:fs').writeFileSync('made.json', JSON.stringify(process.versions.modules));\n",
      },
    },
    addon: {
      files: {
        ...(isNative && { 'it.node': pathToFileURL(native) }),
        'index.js': "module.exports = require('./it.node');\n",
      },
    },
    broken: {
      about: { scripts: { install: 'node fail.js' } },
      files: {
        'fail.js':
          "require('node:fs').appendFileSync(process.env.TRIES, 'x'); console.error('it.c:1:1: error: no compiler here\\nnot ok'); process.exit(1);\n",
      },
    },
  });
  const tries = path.join(temporaryDirectory(suite), 'tries');
  Object.assign(process.env, registry.environment(suite), { TRIES: tries });
  const files = moduleFiles(suite, {
    'triple.ts':
      "import { triple, made } from 'tiny';\nexport default (x: number) => [triple(x), made(), process.versions.modules];\n",
    'required.mjs': "import part from './part.cjs';\nexport default (x) => part + x;\n",
    'part.cjs': "module.exports = require('tiny/part');\n",
    'native.ts': "import it from 'addon';\nexport default () => typeof it.ResolverFactory;\n",
    'broken.ts': "import 'broken';\nexport default () => 1;\n",
    'bare.ts': 'export default () => 1;\n',
    'reach.ts':
      "import { readFileSync } from 'node:fs';\nexport default (path: string) => readFileSync(path, 'utf8');\n",
    'file.py': 'def task(x): return x\n',
  });
  const cache = temporaryDirectory(suite, 'cache');
  const { farm, server } = await clientFarm(suite, { slots: 2, allow: ['install'], cache });
  const folders = (): string[] => readdirSync(cache).filter((name) => name.startsWith('packages-'));
  const failure = async (name: string, install: string[]): Promise<string> => {
    const error = (await farm.run(files(name), 1, { install }).catch((reason: unknown) => reason)) as Error;
    return error instanceof TaskError ? error.cause.message : `${error.name}: ${error.message}`;
  };

  it('run with these installed, once for all slots and jobs, and the log tells', async () => {
    const job = await farm.map(files('triple.ts'), [1, 2, 3, 4], { install: ['tiny'], timeout: 1_000 });
    const abi = process.versions.modules;
    assert.deepEqual(
      await job.values(),
      [1, 2, 3, 4].map((x) => [3 * x, abi, abi]),
    );
    assert.equal((await logsOf(server, job.id))[0]?.text, 'installing tiny\n');
    assert.equal(await farm.run(files('required.mjs'), 1, { install: ['tiny'] }), 'a part1');
    assert.equal(registry.fetched.get('tiny'), 1);
    assert.equal(folders().length, 1);
  });

  it('are functions, too, and the list is a part of what they are', async () => {
    // As a text, since it is not installed here.
    const text = "(async (x) => { const tiny = await import('tiny'); return tiny.triple(x); })";
    const triple = runInThisContext(text) as (x: number) => Promise<number>;
    assert.equal(await farm.run(triple, 5, { install: ['tiny@1.0.0'] }), 15);
    await assert.rejects(farm.run(triple, 5), /imports "tiny", which workers don't have/);
  });

  it('may have native parts', { skip: !isNative }, async () => {
    assert.equal(await farm.run(files('native.ts'), 1, { install: ['addon'] }), 'function');
  });

  it('read no files but those of their packages', async () => {
    const elsewhere = fileURLToPath(files('bare.ts'));
    await assert.rejects(farm.run(files('reach.ts'), elsewhere, { install: ['tiny'] }), /a task may not read /);
  });

  it('fail with one sentence where that cannot be done', async () => {
    assert.equal(
      await failure('broken.ts', ['broken']),
      'the packages of broken.ts could not be installed: command failed: it.c:1:1: error: no compiler here',
    );
    // Others with this code do not wait for the same once more.
    const job = await farm.map(files('broken.ts'), [1, 2, 3, 4, 5], { install: ['broken'], maxFailures: 9 });
    const statuses = (await job.settled()).map(({ status }) => status);
    assert.deepEqual(statuses, Array(5).fill('failed'));
    assert.equal(readFileSync(tries, 'utf8'), 'x');
    assert.equal(
      await failure('bare.ts', ['none@2']),
      'TaskCodeError: the packages cannot be had: there is no package none@2',
    );
    assert.equal(
      await failure('bare.ts', ['tiny@2.0.0']),
      'TaskCodeError: the packages cannot be had: No matching version found for tiny@2.0.0.',
    );
    assert.match(
      await failure('file.py', ['tiny']),
      /^TaskCodeError: packages of npm are for modules .* file\.py is none; it names/,
    );
    assert.match(await failure('bare.ts', ['../x']), /^TypeError: "\.\.\/x" is not the name of a package of npm: /);
    assert.match(await failure('bare.ts', []), /^TypeError: the list of packages to install is empty$/);
  });

  it('are installed by two workers that share a cache as if each were alone', async (t) => {
    const shared = temporaryDirectory(t, 'cache');
    const both = await Promise.all([0, 1].map(() => clientFarm(t, { allow: ['install'], cache: shared })));
    const results = both.map((each) => each.farm.run(files('required.mjs'), 1, { install: ['tiny'] }));
    assert.deepEqual(await Promise.all(results), ['a part1', 'a part1']);
    assert.equal(readdirSync(shared).filter((name) => name.startsWith('packages-')).length, 1);
  });

  it('start at once on the next worker with this cache, which removes what was left half made or unused', async (t) => {
    const [kept = ''] = folders();
    const old = path.join(cache, 'packages-0123456789abcdef');
    const half = path.join(cache, 'packages-0123456789abcdef.0123456789ab');
    for (const folder of [old, half]) mkdirSync(folder);
    utimesSync(old, 0, 0);
    // Of a process that is gone: its number was given to another since.
    writeFileSync(path.join(half, 'owner'), JSON.stringify({ pid: process.pid, started: '1', place: 'elsewhere' }));
    utimesSync(path.join(half, 'owner'), 0, 0);
    const next = await clientFarm(t, { allow: ['install'], cache });
    assert.ok(folders().includes(kept));
    assert.ok(!folders().some((name) => name.startsWith('packages-0123456789abcdef')), folders().join());
    const before = registry.fetched.get('tiny');
    assert.equal(await next.farm.run(files('required.mjs'), 2, { install: ['tiny'] }), 'a part2');
    assert.equal(registry.fetched.get('tiny'), before);
  });
});

it('are not given to workers that do not allow it, and explain says so; by HTTP the list comes with the code', async (t) => {
  const farm = await ServedFarm.start(t);
  await farm.join(1);
  const body = { code: "import x from 'tiny';\nexport default () => x;", install: ['tiny@1'], inputs: [1] };
  const job = await farm.submit(body);
  const { reasons } = await farm.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/explain`);
  assert.match(reasons.join(), /No worker installs packages: join one with --allow install/);
  const { spec } = await farm.json<{ spec: { code: { runner: string; sha256: string } } }>('GET', `/v1/jobs/${job}`);
  assert.equal(spec.code.runner, 'npm');
  for (const [install, more, says] of [
    [['git+ssh://x'], {}, /"install": "git\+ssh:\/\/x" is not the name of a package/],
    [[], {}, /"install": the list of packages is empty/],
    [['tiny'], { runner: 'python' }, /"install" is for code that is the text of a module in JavaScript/],
  ] as const) {
    const answer = await farm.ask('POST', '/v1/jobs', jsonBody({ ...body, install, ...more }));
    assert.equal(answer.status, 400);
    assert.match((answer.json as { detail: string }).detail, says);
  }
});

it('a list that has no form is refused', () => {
  const line = (text: string): string => `export default 1;\n//# manyhands-packages=${text}\n`;
  assert.throws(() => packagesOf('export default 1;\n'), /does not say which packages/);
  assert.throws(() => packagesOf(line('{')), /is no JSON/);
  assert.throws(() => packagesOf(line('null')), /is no list/);
  assert.throws(() => packagesOf(line('{"install":[1]}')), /is no list/);
  assert.throws(() => packagesOf(line('{"install":["--registry=x"]}')), /is not the name of a package/);
  assert.deepEqual(packagesOf(line('{"install":["@a/b@^1.2.0"]}')), { install: ['@a/b@^1.2.0'] });
});
