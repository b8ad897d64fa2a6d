import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runManyhands } from '../support/processes.ts';
import { Served } from './served.ts';

test('a second server on the same data is refused and told who holds it; a killed one holds nothing (F-37, D10)', async (t) => {
  const first = await Served.start(t);
  const { pid } = first.process;
  for (let turn = 0; turn < 2; turn++) {
    const second = await runManyhands(t, ['serve', '--json', '--port', '0', '--data', first.dataDir]);
    assert.deepEqual([second.code, second.stdout], [2, '']);
    const said = `^manyhands: the data in ${first.dataDir} is in use by process ${pid} \\(since 20[^)]*Z\\); stop that server first or use another --data\\n$`;
    assert.match(second.stderr, new RegExp(said));
  }
  assert.equal((await first.ask({ path: '/v1/jobs' })).status, 200, 'the first one goes on');
  await first.kill();
  await first.start();
  assert.equal((await first.ask({ path: '/v1/jobs' })).status, 200);
  await first.stop();
});
