import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';
import type { Timeline } from '../../model/timeline.ts';

const farm = await ServedFarm.start({ after });
await farm.join(2);
const timeline = (of: ServedFarm, job: number, query = '') =>
  of.json<Timeline>('GET', `/v1/jobs/${job}/timeline${query}`);

async function ended(of: ServedFarm, job: number): Promise<JobView> {
  return await waitFor(
    async () => {
      const view = await of.json<JobView>('GET', `/v1/jobs/${job}`);
      return view.progress.endedAt === undefined ? undefined : view;
    },
    { what: `the end of job ${job}`, timeout: 30_000 },
  );
}

describe('GET /v1/jobs/ID/timeline', () => {
  test('says which worker ran what, when and for how long, and how it ended', async () => {
    const code = `export default async (n) => { await new Promise((done) => setTimeout(done, 60)); if (n === 5) throw new Error('five'); };`;
    const job = await farm.submit({ code, range: { start: 0, step: 1, count: 12 } });
    const { progress } = await ended(farm, job);
    const { bars, batches, step } = await timeline(farm, job);
    assert.deepEqual([batches, step], [bars.length, 1]);
    assert.equal(
      bars.reduce((sum, { tasks }) => sum + tasks, 0),
      12,
    );
    assert.equal(
      bars.reduce((sum, { failed }) => sum + failed, 0),
      1,
    );
    assert.equal(
      bars.reduce((sum, { micros }) => sum + micros, 0),
      progress.busyMicros,
    );
    for (const { from, to, worker: id, tasks } of bars) {
      assert.ok(to - from >= 55 * tasks, `${tasks} tasks in ${to - from} ms`);
      assert.ok(from >= (progress.startedAt ?? 0) - 1 && to <= (progress.endedAt ?? 0) + 1);
      assert.match(id, /^[a-z2-7]{10}$/);
    }
    const middle = (bars[0]?.to ?? 0) + 1;
    const rest = await timeline(farm, job, `?from=${middle}`);
    assert.ok(rest.bars.length < bars.length && rest.bars.every(({ to }) => to >= middle));
  });

  test('says what runs now', async () => {
    const code = `export default (n, { signal }) => new Promise((_, no) => { signal.onabort = () => no(signal.reason); });`;
    const job = await farm.submit({ code, range: { start: 0, step: 1, count: 40 } });
    const running = await waitFor(
      async () => {
        const told = await timeline(farm, job);
        return told.running.length >= 2 ? told : undefined;
      },
      { what: 'two tasks to run' },
    );
    assert.ok(running.running.every(({ tasks, from }) => tasks >= 1 && from <= running.at));
    assert.deepEqual((await farm.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/explain`)).reasons, [
      'All fitting slots are busy (2 in 1 worker).',
    ]);
    await farm.json('POST', `/v1/jobs/${job}/cancel`);
    assert.deepEqual((await timeline(farm, job)).running, []);
    assert.deepEqual((await farm.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/explain`)).reasons, []);
  });

  test('is the same after a restart of the server', async (t) => {
    const dataDir = temporaryDirectory(t, 'restarted');
    const first = await ServedFarm.start(t, { dataDir });
    await first.join(1);
    const job = await first.submit({ code: 'export default (n) => n', range: { start: 0, step: 1, count: 5_000 } });
    await ended(first, job);
    const before = await timeline(first, job, '?after=0');
    await first.server.close();
    const second = await ServedFarm.start(t, { dataDir });
    const after = await timeline(second, job, '?after=0');
    assert.deepEqual(after.bars, before.bars);
    assert.equal(
      after.bars.reduce((sum, { tasks }) => sum + tasks, 0),
      5_000,
    );
  });

  test('of a job that failed and was tried again tells both', async () => {
    const code = `const seen = new Set(); export default (n) => { if (!seen.has(n)) { seen.add(n); throw new Error('first'); } };`;
    const job = await farm.submit({ code, inputs: [1], retries: 3 });
    await ended(farm, job);
    const { attempts, isCut } = await timeline(farm, job);
    const [attempt] = attempts;
    assert.ok(attempt !== undefined && attempts.length <= 3 && !isCut);
    assert.deepEqual([attempt.index, attempt.outcome, attempt.message], [0, 'failed', 'Error: first']);
    assert.ok((attempt.startedAt ?? Number.POSITIVE_INFINITY) <= attempt.endedAt);
  });

  test('says what cannot be asked', async () => {
    assert.equal((await farm.ask('GET', '/v1/jobs/999/timeline')).status, 404);
    for (const query of ['limit=0', 'limit=4001', 'from=-1', 'after=-1', 'from=now'])
      assert.equal((await farm.ask('GET', `/v1/jobs/1/timeline?${query}`)).status, 400, query);
  });
});
