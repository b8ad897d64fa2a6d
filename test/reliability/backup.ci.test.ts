import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/directories.ts';
import { run, runManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Journal, outcomeOf } from './journal.ts';
import { LONG_LANE, Load } from './load.ts';
import { checkRecords } from './records.ts';
import { Served } from './served.ts';

interface ResultLine {
  readonly index: number;
  readonly status: 'done' | 'failed' | 'cancelled';
  readonly value?: unknown;
}

test('a backup that is made under load holds everything acknowledged before it, and nothing half (S2)', async (t) => {
  const served = await Served.start(t);
  await served.join('--slots', '2', '--label', `lane=${LONG_LANE.lane}`);
  const farm = await served.connect();
  const journal = new Journal();
  const load = new Load(farm, journal, await Counter.start(t));
  load.failed.catch(() => {});
  const env = { MANYHANDS_URL: served.url, MANYHANDS_TOKEN: served.admin };
  for (let turn = 0; turn < 3; turn++) {
    const before = journal.acked;
    await waitFor(() => journal.acked > before + 100, { what: 'the load to get on', timeout: 60_000 });
    const acked = journal.outcomes();
    const cwd = temporaryDirectory(t, 'backup');
    const saved = await runManyhands(t, ['backup', 'farm.tar'], { env, cwd });
    assert.equal(saved.code, 0, saved.stderr);
    assert.equal((await run(t, ['tar', '-xf', 'farm.tar'], { cwd })).code, 0);
    assert.ok(checkRecords(cwd) > 0, 'there are outcomes');
    await compare(t, cwd, acked);
  }
  await load.stop();
});

/** A server on the backup says of each task what was acknowledged of it. */
async function compare(
  t: Parameters<typeof Served.start>[0],
  dataDir: string,
  acked: ReturnType<Journal['outcomes']>,
): Promise<void> {
  const restored = await Served.start(t, { dataDir });
  for (const [job, outcomes] of acked) {
    const answer = await restored.ask({ path: `/v1/jobs/${job}/results?order=completion` });
    assert.equal(answer.status, 200, `job ${job}: ${answer.text}`);
    const lines = answer.text.split('\n').filter((line) => line !== '');
    const found = new Map(lines.map((line) => JSON.parse(line) as ResultLine).map((record) => [record.index, record]));
    for (const [index, outcome] of outcomes) {
      const record = found.get(index);
      assert.ok(record !== undefined, `task ${job}/${index} was acknowledged, and is not in the backup`);
      if (record.status !== 'done') assert.match(outcome, /^failed /);
      else assert.equal(outcomeOf({ index, status: 'done', value: record.value }), outcome);
    }
  }
  await restored.stop();
}
