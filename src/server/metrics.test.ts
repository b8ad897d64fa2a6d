import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveServer } from '../../test/support/live-server.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { ended, RawWorker, submitRange } from '../../test/support/raw-worker.ts';
import { waitFor } from '../../test/support/wait.ts';
import { ValueStatus } from '../model/envelope.ts';

async function scrape(server: LiveServer): Promise<Map<string, number>> {
  const answer = await server.api('GET', '/metrics');
  assert.equal(answer.status, 200);
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('the figures are those of what happened, and counters never fall', async (t) => {
  const server = await LiveServer.start(t);
  const before = await scrape(server);
  const client = await RawClient.open(t, server);
  const worker = await RawWorker.join(t, server, { hello: { slots: 3 } });
  const idle = await RawWorker.join(t, server, { hello: { slots: 2, runners: [] } });
  const job = await submitRange(server, 3, { retries: 1 });
  await waitFor(() => worker.granted.length === 3, { what: 'all tasks' });
  const during = await waitFor(async () => {
    const now = await scrape(server);
    return now.get('manyhands_tasks_running') === 3 ? now : undefined;
  });
  const figures = {
    manyhands_jobs_open: 1,
    manyhands_slots: 5,
    manyhands_tasks_queued: 0,
    manyhands_clients: 1,
    'manyhands_workers{state="ready"}': 2,
    manyhands_feed_readers: 0,
    'manyhands_tasks_total{outcome="done"}': 0,
    manyhands_backlog_bytes: 0,
  };
  for (const [name, value] of Object.entries(figures)) assert.equal(during.get(name), value, name);
  assert.ok((during.get('manyhands_connections') ?? 0) >= 3);
  const [first, second, third] = worker.granted as [[number, number], [number, number], [number, number]];
  worker.report(job, first[0], [first[1]], ['a']);
  worker.report(job, second[0], [second[1]], ['b']);
  worker.fail(job, third[0], [third[1]], ValueStatus.failed, '{"kind":"error","name":"N","message":"m"},');
  await waitFor(() => worker.granted.length === 4, { what: 'the retry' });
  const [lease, index] = worker.granted[3] as [number, number];
  worker.fail(job, lease, [index], ValueStatus.failed, '{"kind":"error","name":"N","message":"m"},');
  await ended(server, job);
  const after = await scrape(server);
  const ends = {
    manyhands_jobs_open: 0,
    manyhands_tasks_running: 0,
    'manyhands_tasks_total{outcome="done"}': 2,
    'manyhands_tasks_total{outcome="failed"}': 1,
    'manyhands_attempts_repeated_total{cause="failed"}': 1,
    'manyhands_verdicts_total{verdict="recorded"}': 4,
    manyhands_commit_failures_total: 0,
  };
  for (const [name, value] of Object.entries(ends)) assert.equal(after.get(name), value, name);
  for (const name of ['commits_total', 'events_total', 'rows_total', 'eventloop_active_seconds_total'].map(
    (each) => `manyhands_${each}`,
  )) {
    assert.ok((after.get(name) ?? 0) > (before.get(name) ?? 0), name);
  }
  for (const [name, value] of during) {
    // Of some of Node's figures `total` says how large something is.
    if (/_total(\{|$)/.test(name) && !name.includes('_nodejs_active_'))
      assert.ok((after.get(name) ?? 0) >= value, `${name} fell`);
  }
  client.wire.socket.close();
  idle.wire.socket.close();
  await waitFor(async () => (await scrape(server)).get('manyhands_clients') === 0, { what: 'the client to be gone' });
  assert.equal((await scrape(server)).get('manyhands_slots'), 3);
});
