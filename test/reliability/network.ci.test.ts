import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { manyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Lan } from './lan.ts';
import { needs } from './needs.ts';
import { Served } from './served.ts';

const WORKERS = 50;

interface WorkerSeen {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly done: number;
}

async function workersOf(served: Served): Promise<WorkerSeen[]> {
  return (await served.get<{ workers: WorkerSeen[] }>('/v1/workers')).workers;
}

/** The addresses that connections to the server come from, as the kernel has them. */
function peersOf(served: Served): string[] {
  const lines = execFileSync('ss', ['-Htn', 'state', 'established', `sport = :${served.port}`], { encoding: 'utf8' });
  const peers = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/\s+/)[3] as string);
  return peers.map((peer) => peer.replace(/^\[?(?:::ffff:)?/, '').replace(/\]?:\d+$/, ''));
}

function descriptorsOf(served: Served): number {
  return readdirSync(`/proc/${served.process.pid}/fd`).length;
}

async function openFarm(t: Parameters<typeof Served.start>[0]): Promise<{ lan: Lan; served: Served; link: string }> {
  const lan = new Lan(t);
  const served = await Served.start(t, { options: ['--lan'] });
  return { lan, served, link: served.joinUrl.replace('127.0.0.1', lan.host) };
}

test('50 workers behind one translated address work side by side', needs('root', 'ip', 'nft'), async (t) => {
  const { lan, served, link } = await openFarm(t);
  const script = path.join(import.meta.dirname, 'entry/many-workers.ts');
  const many = lan.start([process.execPath, script, link, `${WORKERS}`]);
  await many.output(/all have joined/, { timeout: 120_000 });
  const all = () => {
    assert.equal(many.child.exitCode ?? many.child.signalCode, null, many.describe());
    return peersOf(served).filter((peer) => peer === lan.outside).length === WORKERS;
  };
  await waitFor(all, { what: `${WORKERS} connections from ${lan.outside}`, timeout: 60_000 });
  const farm = await served.connect();
  const job = await farm.map(
    async (input: number) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return input * 2;
    },
    Array.from({ length: 100 * WORKERS }, (_, at) => at),
  );
  assert.deepEqual(
    await job.values(),
    Array.from({ length: 100 * WORKERS }, (_, at) => 2 * at),
  );
  const workers = await workersOf(served);
  assert.equal(workers.length, WORKERS);
  assert.ok(
    workers.every(({ done }) => done > 0),
    JSON.stringify(workers.map(({ done }) => done)),
  );
  await many.kill();
  await waitFor(async () => (await workersOf(served)).every(({ state }) => state === 'lost'), { what: 'their loss' });
});

test(
  'a line that is cut without a sound: the work is elsewhere within 30 s, and heals without loss (F-9, F-10, L2)',
  needs('root', 'ip', 'nft'),
  async (t) => {
    const { lan, served, link } = await openFarm(t);
    const counter = await Counter.start(t, '0.0.0.0');
    const descriptors = descriptorsOf(served);
    const far = lan.start([
      ...manyhands,
      'join',
      link,
      '--json',
      '--slots',
      '4',
      '--name',
      'far',
      '--label',
      'place=far',
    ]);
    await far.output(/"joined"/, { timeout: 60_000 });
    const farm = await served.connect();
    const wait = async ({ url, millis }: { url: string; millis: number }, ctx: { key: string; attempt: string }) => {
      await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
      await new Promise((resolve) => setTimeout(resolve, millis));
      return ctx.attempt;
    };
    const inputs = [1, 2].map(() => ({ url: `http://${lan.host}:${counter.port}`, millis: 8_000 }));
    const anywhere = await farm.map(wait, inputs);
    const there = await farm.map(wait, inputs, { requires: { place: 'far' } });
    await waitFor(() => counter.starts.size === 4, { what: 'four tasks behind the line', timeout: 30_000 });
    lan.cut();
    const cut = performance.now();
    await served.join('--slots', '2', '--name', 'near');
    const moved = () =>
      [...counter.starts].filter(([key, starts]) => key.includes(`-${anywhere.id}-`) && starts.length === 2);
    await waitFor(() => moved().length === 2, { what: 'the work to be elsewhere', timeout: 60_000, interval: 50 });
    const seconds = (performance.now() - cut) / 1_000;
    console.log(`the work of a worker behind a cut line was elsewhere after ${seconds.toFixed(1)} s`);
    assert.ok(seconds <= 30, `${seconds} s`);
    await waitFor(() => !peersOf(served).includes(lan.outside), {
      what: 'its connection to be closed',
      timeout: 30_000,
    });
    // The client and the near worker have one each.
    await waitFor(() => descriptorsOf(served) <= descriptors + 2, { what: 'the descriptor to be free' });
    await anywhere.values();
    // What only the far worker may do was done behind the cut line, and waits there.
    assert.equal((await there.status()).progress.done, 0);
    await sleep(5_000);
    lan.heal();
    const attempts = await there.values();
    for (const attempt of attempts) {
      const [starts] = [...counter.starts.values()].filter((each) => each.includes(attempt));
      assert.deepEqual(starts, [attempt], 'it was done once');
    }
    const { progress } = await anywhere.status();
    assert.deepEqual([progress.done, progress.failed], [2, 0]);
    const far2 = (await workersOf(served)).find(({ name, state }) => name === 'far' && state === 'ready');
    assert.ok(far2 !== undefined, 'the same worker is back');
  },
);
