import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkerView } from '../../src/model/feed.ts';
import { Door } from '../support/door.ts';
import { startManyhands } from '../support/processes.ts';
import { waitFor, within } from '../support/wait.ts';
import { Counter } from './counter.ts';
import type { Served } from './served.ts';
import { checkDatabase, SeveralServers } from './several-servers.ts';

/** Longer than it takes to notice a silent line and to be at another server. */
const LONG = 14_000;
const LANE = { lane: 'moving' };

async function counted({ url, millis }: { url: string; millis: number }, ctx: { key: string; attempt: string }) {
  await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
  await new Promise((resolve) => setTimeout(resolve, millis));
  return ctx.key;
}

/** Names of the workers that are connected to this very server. */
async function own(server: Served): Promise<string[]> {
  const { workers } = await server.get<{ workers: WorkerView[] }>('/v1/workers');
  return workers.flatMap(({ name, server: at }) => (at === undefined ? [name] : [])).sort();
}

test('R39 D26 P30: workers whose way to a server is cut, or goes silent, keep what they run at another one: each task runs once', async (t) => {
  const several = await SeveralServers.start(t, 2);
  const [first, second] = several.servers as [Served, Served];
  const are = (server: Served, names: string[]) =>
    waitFor(async () => (await own(server)).join() === names.join(), { what: names.join(), timeout: 30_000 });
  const token = new URL(first.joinUrl).hash;
  const lane = ['--slots', '1', '--label', `lane=${LANE.lane}`];
  // As many as the others will be, so that none of those has to go.
  for (const name of ['one', 'two']) several.worker(1, '--slots', '1', '--name', name);
  await are(second, ['one', 'two']);
  const [cut, silent] = [await Door.open(t, first.port), await Door.open(t, first.port)];
  for (const [name, door] of Object.entries({ cut, silent })) {
    const links = [door.url, second.url].map((url) => `${url}/join${token}`).join(',');
    startManyhands(t, ['join', links, '--json', '--name', name, ...lane]);
  }
  await are(first, ['cut', 'silent']);

  const counter = await Counter.start(t);
  const farm = await several.connect(0);
  const inputs = [1, 2].map(() => ({ url: counter.url, millis: LONG }));
  const job = await farm.map(counted, inputs, { requires: LANE });
  await waitFor(() => counter.starts.size === 2, { what: 'two tasks that run', timeout: 20_000 });
  // It would take them at once.
  several.worker(0, '--name', 'idle', ...lane);
  await are(first, ['cut', 'idle', 'silent']);
  await cut.kill();
  silent.running.signal('SIGSTOP');
  await are(second, ['cut', 'one', 'silent', 'two']);
  assert.equal((await within(job.values(), LONG + 10_000, 'the tasks')).length, 2);
  for (const [key, attempts] of counter.starts) assert.equal(attempts.length, 1, `task ${key} was begun again`);
  const { progress } = await job.status();
  assert.deepEqual([progress.done, progress.lost, progress.retried], [2, 0, 0]);
  await checkDatabase(several);
});
