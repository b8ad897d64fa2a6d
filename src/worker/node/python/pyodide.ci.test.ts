import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { checkPython, FILES } from '../../../../test/support/python-tasks.ts';

const suite = { after };
const files = moduleFiles(suite, FILES);

describe('tasks in Python on a worker without Python', async () => {
  const { farm, server, worker } = await clientFarm(suite);
  checkPython({ farm, server }, files, [1, 1]);

  it('share a process with tasks in JavaScript, and take turns', async () => {
    for (const n of [1, 2, 3]) {
      assert.equal(await farm.run((x: number) => x * 2, n), n * 2);
      assert.equal(await farm.run(files('no-context.py'), n), n + 1);
    }
    assert.equal(worker.taskPids.length, 1);
  });
});
