import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { ServedFarm } from '../../../../test/support/served-farm.ts';
import { TaskError } from '../../../client/task-error.ts';

const suite = { after };
const { farm, worker } = await clientFarm(suite);
const files = moduleFiles(suite, {
  'first.py': [
    'import json, os, sys, tempfile',
    'sys.path.append("/somewhere")',
    'os.environ["LEFT"] = "x"',
    'left = []',
    'with open("mine.py", "w") as file: file.write("name = \\"first\\"")',
    'with open(tempfile.gettempdir() + "/left", "w") as file: file.write("x")',
    'import mine',
    'class Point: pass',
    'async def task(input):',
    '    left.append(input)',
    '    return [mine.name, len(left)]',
  ].join('\n'),
  'second.py': [
    'import os, sys, tempfile',
    'def task(input):',
    '    try: import mine',
    '    except ImportError: mine = None',
    '    traces = [os.listdir("."), os.listdir(tempfile.gettempdir()), os.environ.get("LEFT"), "/somewhere" in sys.path]',
    '    return [mine, hasattr(sys.modules["task"], "Point"), *traces]',
  ].join('\n'),
  'reach.py': [
    'import os',
    'def task(path):',
    '    try: return os.listdir(path)',
    '    except OSError as error: return type(error).__name__',
  ].join('\n'),
  'fails.py': 'def task(input):\n    return 1 / input\n',
});

test('a worker without Python runs it by what its server gives it', async (t) => {
  const begun = performance.now();
  assert.deepEqual(await farm.run(files('first.py'), 1), ['first', 1]);
  t.diagnostic(`the first task came after ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  assert.deepEqual(await farm.run(files('first.py'), 1), ['first', 2], 'a file is loaded once');
});

test('what one job leaves behind, the next does not find', async () => {
  assert.deepEqual(await farm.run(files('second.py'), 1), [null, false, [], [], null, false]);
  assert.deepEqual(await farm.run(files('first.py'), 1), ['first', 3], 'and the first goes on as it was');
});

test('it sees no files of the machine, and none of ours', async () => {
  const root = (await farm.run(files('reach.py'), '/')) as string[];
  assert.deepEqual(root.sort(), ['dev', 'home', 'lib', 'proc', 'tmp']);
  assert.equal(await farm.run(files('reach.py'), '/etc'), 'FileNotFoundError');
  assert.equal(worker.taskPids.length, 1);
});

test('a failure is told with the lines of its author', async () => {
  const error: unknown = await farm.run(files('fails.py'), 0).catch((reason: unknown) => reason);
  assert.ok(error instanceof TaskError);
  assert.match(error.cause.stack ?? '', /^Traceback .*\n {2}File "fails\.py", line 2, in task\n {4}return 1 \/ input/);
});

test('where the server has no Pyodide, its tasks wait, and explain says what to do', async (t) => {
  const bare = await ServedFarm.start(t, { pyodide: false });
  await bare.join(1);
  const { workers } = await bare.json<{ workers: { runners: string[] }[] }>('GET', '/v1/workers');
  assert.deepEqual(workers[0]?.runners, ['js', 'node', 'wasi']);
  const job = await bare.submit({ code: 'def task(x): return x', runner: 'python', inputs: [1] });
  const { reasons } = await bare.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/explain`);
  assert.match(reasons.join(), /^No worker runs Python: install Pyodide beside the server and start it again \(npm/);
  assert.equal((await bare.ask('GET', '/v1/pyodide')).status, 404);
});
