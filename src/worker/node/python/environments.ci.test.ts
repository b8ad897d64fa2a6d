import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { temporaryDirectory } from '../../../../test/support/directories.ts';
import { logsOf } from '../../../../test/support/python-tasks.ts';
import { ServedFarm } from '../../../../test/support/served-farm.ts';
import { waitFor } from '../../../../test/support/wait.ts';
import { TaskError } from '../../../client/task-error.ts';
import { makesEnvironments } from './environments.ts';
import { findPython } from './python-runner.ts';

const suite = { after };
const python = findPython();
const makes = python !== undefined && spawnSync(python, ['-c', 'import ensurepip, venv']).status === 0;
const noEnvironments = !makes && 'python3 makes no environments here';

/** A wheel is a zip with a module, and files that say what it is: no index is asked for it. */
const WHEEL = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    about = "tinywheel-1.0.dist-info"
    wheel.writestr("tinywheel.py", "def triple(x):\\n    return 3 * x\\n")
    wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: tinywheel\\nVersion: 1.0\\n")
    wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{about}/RECORD", "".join(f"{name},,\\n" for name in wheel.namelist()))
`;

const script = (dependency: string, ...lines: string[]): string =>
  ['# /// script', '# dependencies = [', `#   "${dependency}",`, '# ]', '# ///', ...lines, ''].join('\n');

describe('files of Python that name requirements', { skip: noEnvironments }, async () => {
  const wheel = path.join(temporaryDirectory(suite, 'wheel'), 'tinywheel-1.0-py3-none-any.whl');
  execFileSync(python as string, ['-c', WHEEL, wheel]);
  const tiny = `tinywheel @ ${pathToFileURL(wheel).href}`;
  const files = moduleFiles(suite, {
    'triple.py': script(tiny, 'import tinywheel', 'def task(x): return tinywheel.triple(x)'),
    'again.py': script(tiny, 'import sys, tinywheel', 'def task(x): return [tinywheel.triple(x), sys.prefix]'),
    'plain.py': 'def task(x):\n    import tinywheel\n',
    'gone.py': script(`gone @ ${pathToFileURL(wheel).href}.gone`, 'def task(x): return x'),
    'option.py': script('--index-url=x', 'def task(x): return x'),
    'odd.py': ['# /// script', '# dependencies = ["a"', '# ///', 'def task(x): return x', ''].join('\n'),
  });
  const { farm, server } = await clientFarm(suite, { allow: ['python'] });
  const failure = async (name: string): Promise<string> => {
    const error: unknown = await farm.run(files(name), 1).catch((reason: unknown) => reason);
    assert.ok(error instanceof TaskError, String(error));
    return `${error.cause.name}: ${error.cause.message}`;
  };

  it('run with these installed, once for a worker, and the log tells', async () => {
    const job = await farm.map<(x: number) => number>(files('triple.py'), [1, 2, 3], { timeout: 2_000 });
    assert.deepEqual(await job.values(), [3, 6, 9], 'time to install is no time of a task');
    const said = async () => (await logsOf(server, job.id)).map(({ text }) => text).join('');
    const log = await waitFor(async () => /Successfully installed/.exec(await said())?.input, { what: 'the log' });
    assert.match(log, /^making an environment for tinywheel @ file:.*\nProcessing /);
    const begun = performance.now();
    const second = await farm.map<(x: number) => [number, string]>(files('again.py'), [5]);
    const [[value, prefix] = [0, '']] = await second.values();
    assert.equal(value, 15);
    assert.match(prefix, /venv-[0-9a-f]{16}$/);
    assert.ok(performance.now() - begun < 5_000);
    assert.deepEqual(await logsOf(server, second.id), []);
  });

  it('leave the python3 of other jobs as it is', async () => {
    assert.match(await failure('plain.py'), /^ModuleNotFoundError: No module named 'tinywheel'/);
  });

  it('fail with one sentence where that cannot be done', async () => {
    assert.match(
      await failure('gone.py'),
      /^TaskCodeError: the requirements of gone\.py could not be installed: .*No such file/,
    );
    assert.match(await failure('option.py'), /option\.py have --index-url=x, which is the name of no package$/);
    assert.match(await failure('odd.py'), /^TaskCodeError: the requirements of odd\.py cannot be read: /);
  });

  it('are not given to workers that may not install, and explain says what to do', async (t) => {
    const bare = await ServedFarm.start(t);
    await bare.join(1);
    const job = await bare.submit({ code: 'def task(x): return x', runner: 'venv', inputs: [1] });
    const { reasons } = await bare.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/explain`);
    assert.match(reasons.join(), /^No worker installs what a file of Python names: join one with --allow python whose/);
  });
});

it('a Python that lacks the part for environments is known by where it lies', (t) => {
  const usr = temporaryDirectory(t, 'usr');
  for (const folder of ['bin', 'lib/python3.9']) mkdirSync(path.join(usr, folder), { recursive: true });
  const program = path.join(usr, 'bin/python3.9');
  writeFileSync(program, '');
  symlinkSync('python3.9', path.join(usr, 'bin/python3'));
  assert.equal(makesEnvironments(path.join(usr, 'bin/python3')), false);
  mkdirSync(path.join(usr, 'lib/python3.9/ensurepip'));
  assert.equal(makesEnvironments(path.join(usr, 'bin/python3')), true);
});
