import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { checkPython, FILES, logsOf } from '../../../../test/support/python-tasks.ts';
import { waitFor } from '../../../../test/support/wait.ts';
import { findPython } from './python-runner.ts';

const suite = { after };
const files = moduleFiles(suite, FILES);

describe('tasks in Python', { skip: findPython() === undefined && 'there is no python3' }, async () => {
  const { farm, server, worker } = await clientFarm(suite, { allow: ['python'] });
  checkPython({ farm, server }, files, [4, 'SIGABRT']);

  it('do not notice that the idle process for JavaScript on their slot is gone, which then comes back', async () => {
    await farm.run((x: number) => x, 1);
    const [pid] = worker.taskPids;
    const job = await farm.map(files('task.py'), [['sleep', 1.5]]);
    await waitFor(async () => (await logsOf(server, job.id)).length > 0, { what: 'the task to run' });
    process.kill(pid as number, 'SIGKILL');
    assert.deepEqual(await job.values(), ['slept']);
    assert.equal(await farm.run((x: number) => x + 1, 1), 2);
    assert.notEqual(worker.taskPids[0], pid);
  });

  it('and tasks in JavaScript take turns on a slot', async () => {
    for (const n of [1, 2, 3]) {
      assert.equal(await farm.run((x: number) => x * 2, n), n * 2);
      assert.equal(await farm.run(files('no-context.py'), n), n + 1);
    }
  });
});
