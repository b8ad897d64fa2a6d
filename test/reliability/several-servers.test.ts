import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkerView } from '../../src/model/feed.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import type { Served } from './served.ts';
import { SeveralServers } from './several-servers.ts';

interface Input {
  readonly url: string;
  readonly millis: number;
}

async function counted({ url, millis }: Input, ctx: { key: string; attempt: string }): Promise<string> {
  await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
  await new Promise((resolve) => setTimeout(resolve, millis));
  return ctx.key;
}

const workersOf = async (server: Served): Promise<WorkerView[]> =>
  (await server.get<{ workers: WorkerView[] }>('/v1/workers')).workers;
/** Workers that are connected to this very server. */
const own = async (server: Served): Promise<WorkerView[]> =>
  (await workersOf(server)).filter((worker) => worker.server === undefined);

test('two servers over one PostgreSQL are one farm: workers spread, any server shows and steers all, and one dies (R35, R37, R38, D23, F-40)', async (t) => {
  const several = await SeveralServers.start(t, 2);
  const [first, second] = several.servers as [Served, Served];
  // All are given the first server first.
  for (let at = 0; at < 4; at++) several.worker(0, '--slots', '1', '--name', `w${at}`);
  const spread = async () => [(await own(first)).length, (await own(second)).length] as const;
  await waitFor(async () => (await spread()).join() === '2,2', { what: 'two workers at each server', timeout: 30_000 });
  await waitFor(async () => (await workersOf(first)).length === 4 && (await workersOf(second)).length === 4, {
    what: 'all workers at both servers',
    timeout: 10_000,
  });

  const counter = await Counter.start(t);
  const farm = await several.connect(0);
  const inputs = (count: number, millis: number): Input[] =>
    Array.from({ length: count }, () => ({ url: counter.url, millis }));
  const shared = await farm.map(counted, inputs(40, 100), { name: 'shared' });
  assert.equal((await shared.values()).length, 40);
  // What the other server's have done is known here with its next pulse.
  await waitFor(async () => (await workersOf(first)).every(({ done }) => done > 0), {
    what: 'each worker to have done something',
    timeout: 10_000,
  });

  // Through the server that does not have it.
  const [elsewhere] = (await own(second)) as [WorkerView];
  const said = await first.ask({ method: 'POST', path: `/v1/workers/${elsewhere.id}/drain` });
  assert.equal(said.status, 204, said.text);
  const drained = async () => (await own(second)).find(({ id }) => id === elsewhere.id)?.state === 'draining';
  await waitFor(drained, { what: 'a worker drained through another server', timeout: 10_000 });
  await second.ask({ method: 'POST', path: `/v1/workers/${elsewhere.id}/undrain` });

  const begun = counter.starts.size;
  const long = await farm.map(counted, inputs(4, 4_000), { name: 'long' });
  await waitFor(() => counter.starts.size === begun + 4, { what: 'four long tasks that run', timeout: 20_000 });
  await first.kill();
  assert.equal((await long.values()).length, 4);
  for (const [key, attempts] of counter.starts)
    assert.equal(attempts.length, 1, `task ${key} ran as ${attempts.join(', ')}`);
  assert.equal((await own(second)).length, 4);
});

test('a server that comes later gets its share of workers, and so of the work, within seconds (R38)', async (t) => {
  const several = await SeveralServers.start(t, 1);
  for (let at = 0; at < 4; at++) several.worker(0, '--slots', '1', '--name', `w${at}`);
  await waitFor(async () => (await own(several.first)).length === 4, { what: 'four workers', timeout: 30_000 });
  const farm = await several.connect(0);
  const counter = await Counter.start(t);
  const job = await farm.map(
    counted,
    Array.from({ length: 200 }, () => ({ url: counter.url, millis: 100 })),
    { name: 'going on' },
  );
  const late = await several.add();
  await waitFor(async () => (await own(late)).filter(({ done }) => done > 0).length === 2, {
    what: 'two workers that work for the new server',
    timeout: 20_000,
  });
  assert.equal((await job.values()).length, 200);
});
