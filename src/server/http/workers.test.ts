import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView, WorkerView } from '../../model/feed.ts';

const farm = await ServedFarm.start({ after });

const list = async () => (await farm.json<{ workers: WorkerView[] }>('GET', '/v1/workers')).workers;
const act = (id: string, action: string, token = farm.tokens.admin) =>
  farm.ask('POST', `/v1/workers/${id}/${action}`, { token });

test('workers are listed, drained, undrained and stopped', async () => {
  assert.deepEqual(await list(), []);
  const worker = await farm.join(2);
  await waitFor(async () => (await list()).length > 0, { what: 'the worker' });
  const [known] = await list();
  const id = known?.id as string;
  assert.deepEqual([known?.name, known?.kind, known?.slots, known?.state], ['helper', 'node', 2, 'ready']);
  assert.deepEqual(await farm.json('GET', `/v1/workers/${id}`), {
    ...known,
    lastHeardAt: (await list())[0]?.lastHeardAt,
  });
  const state = async (wanted: string) =>
    await waitFor(async () => (await list()).find((each) => each.id === id)?.state === wanted, { what: wanted });
  const job = await farm.submit({ code: 'export default (x) => x;', open: true });
  const add = (n: number) =>
    farm.ask('POST', `/v1/jobs/${job}/inputs?from=${n}`, {
      headers: { 'content-type': 'application/x-ndjson' },
      body: '1\n',
    });
  const done = async () => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress.done;
  await add(0);
  await waitFor(async () => (await done()) === 1, { what: 'a task to be done' });
  assert.equal((await act(id, 'drain')).status, 204);
  await state('draining');
  await add(1);
  const { reasons } = await farm.json<{ reasons: string[] }>('GET', `/v1/jobs/${job}/tasks/1/explain`);
  assert.ok(
    reasons.some((reason) => /drain/i.test(reason)),
    reasons.join(' '),
  );
  assert.equal(await done(), 1);
  const work = await farm.json<{ given: unknown[]; jobs: Record<string, number>[]; since: number }>(
    'GET',
    `/v1/workers/${id}/work`,
  );
  assert.ok(work.since <= (work.jobs[0]?.['from'] ?? 0) && work.since > Date.now() - 600_000, 'it says since when');
  assert.deepEqual([work.given, work.jobs.length], [[], 1]);
  assert.deepEqual([work.jobs[0]?.['job'], work.jobs[0]?.['done'], work.jobs[0]?.['failed']], [job, 1, 0]);
  assert.equal((await act(id, 'undrain')).status, 204);
  await state('ready');
  await waitFor(async () => (await done()) === 2, { what: 'the other task to be done' });
  assert.equal((await act(id, 'stop')).status, 204);
  const { reason } = await worker.ended;
  assert.match(reason, /stop/i);
  await waitFor(async () => (await list()).every((each) => each.id !== id || each.state === 'lost'), {
    what: 'it to be gone',
  });
});

test('who is not there is named, and only administrators may', async () => {
  for (const action of ['drain', 'undrain', 'stop']) {
    const answer = await act('aaaaaaaaaa', action);
    assert.equal(answer.status, 404, action);
    assert.match(answer.text, /worker aaaaaaaaaa/);
    for (const role of ['submit', 'work', 'read'] as const)
      assert.equal((await act('aaaaaaaaaa', action, farm.tokens[role])).status, 403);
  }
  assert.equal((await farm.ask('GET', '/v1/workers/aaaaaaaaaa')).status, 404);
  assert.equal((await farm.ask('GET', '/v1/workers/WORKER')).status, 400);
});
