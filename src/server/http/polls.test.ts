import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesIn, PollWorker } from '../../../test/support/poll-worker.ts';
import { helloOf } from '../../../test/support/raw-worker.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { FRAME_BYTES, POLL_BYTES } from '../../model/limits.ts';

const farmOf = async (t: Parameters<typeof ServedFarm.start>[0]) => {
  const farm = await ServedFarm.start(t);
  return { farm, worker: new PollWorker(farm.port, farm.tokens.work) };
};

test('P26: a worker that polls computes a job, also when its polls are cut', async (t) => {
  const { farm, worker } = await farmOf(t);
  const { id } = await farm.json<{ id: number }>('POST', '/v1/jobs', {
    runner: 'js',
    code: 'export default (x) => x;',
    inputs: ['a', 'b', 'c'],
  });
  assert.deepEqual((await worker.poll(helloOf())).map(({ kind }) => kind).slice(0, 1), ['welcome']);
  const results = async () => (await farm.ask('GET', `/v1/jobs/${id}/results`)).text.split('\n').length - 1;
  for (let done = 0; done < 3; ) {
    const tasks = (await worker.hears('tasks', 1)).at(-1);
    const runs = tasks?.runs as [number, number][];
    const count = runs.reduce((sum, [, each]) => sum + each, 0);
    const outcomes = { kind: 'outcomes', lease: tasks?.lease, job: id, runs, micros: 1, values: tasks?.values };
    const cut = worker.askToBeCut([outcomes]);
    done += count;
    await waitFor(async () => (await results()) === done, { what: 'the outcomes of a poll that will have no answer' });
    cut();
    await worker.poll(outcomes);
    if (done < 3) await worker.hears('tasks', worker.of('tasks').length + 1);
  }
  const { failed, total } = (await farm.json<{ progress: { failed: number; total: number } }>('GET', `/v1/jobs/${id}`))
    .progress;
  assert.deepEqual([failed, total, await results()], [0, 3, 3]);
  assert.ok(worker.of('ack').every(({ verdict }) => verdict === 'recorded'));
});

test('P26: hostile bodies are refused in words, and do no harm to the session', async (t) => {
  const { farm, worker } = await farmOf(t);
  await worker.poll(helloOf());
  const post = (
    body: string | Uint8Array,
    headers: Record<string, string> = { 'content-type': 'application/x-ndjson' },
  ) => farm.ask('POST', worker.path(), { token: farm.tokens.work, headers, body });
  assert.equal((await post(Uint8Array.of(0xff, 0x0a))).status, 400);
  assert.equal((await post('{}\n', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await post('x'.repeat(POLL_BYTES + 1))).status, 413);
  for (const path of ['?sent=-1', '?sent=x', '?seen=1e99', '?other=1'])
    assert.equal((await worker.ask([], worker.path().replace(/\?.*/, path))).status, 400, path);
  assert.equal((await worker.ask([], '/v1/worker/polls/short')).status, 400);
  assert.deepEqual(
    (await worker.poll({ kind: 'beat' })).map(({ kind }) => kind),
    ['beat'],
  );
});

test('P26 P20: a line that is no message, or too long, is the end of the session', async (t) => {
  const { farm } = await farmOf(t);
  for (const line of ['{', '', '[]', '{"kind":"welcome"}', '{"kind":"hello"}', 'x'.repeat(FRAME_BYTES + 1)]) {
    const worker = new PollWorker(farm.port, farm.tokens.work);
    await worker.poll(helloOf());
    const headers = { 'content-type': 'application/x-ndjson' };
    const answer = await farm.ask('POST', worker.path(), {
      token: farm.tokens.work,
      headers,
      body: `${line}\n{"kind":"beat"}\n`,
    });
    const said = messagesIn(answer.text);
    assert.deepEqual(
      said.map(({ kind, code }) => [kind, code]),
      [['refused', 'invalid']],
      line.slice(0, 20),
    );
    worker.heard.push(...said);
    assert.equal((await worker.ask([], worker.path(3))).status, 404);
  }
});

test('P26 P19: a worker whose token is revoked hears so at its poll', async (t) => {
  const { farm } = await farmOf(t);
  const { token, id } = await farm.makeToken({ role: 'work' });
  const worker = new PollWorker(farm.port, token);
  await worker.poll(helloOf());
  const waiting = worker.ask();
  await farm.json('DELETE', `/v1/tokens/${id}`);
  const { status, text } = await waiting;
  if (status === 200)
    assert.deepEqual(
      messagesIn(text).map(({ kind, code }) => [kind, code]),
      [['refused', 'revoked']],
    );
  else assert.equal(status, 401);
  assert.equal((await worker.ask()).status, 401);
});
