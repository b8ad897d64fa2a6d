import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { range, type TaskContext } from '../../src/index.ts';
import { waitFor } from '../support/wait.ts';
import { Served } from './served.ts';
import { SeveralServers } from './several-servers.ts';

const KILLS = 12;

test('R31 F-18: results on their way through a chain of jobs come once, in order, whenever the server is killed', async (t) => {
  const served = await Served.start(t);
  await served.join('--slots', '2');
  const farm = await served.connect();
  const slowly = async (n: number): Promise<number | undefined> => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return n % 2 === 0 ? undefined : n;
  };
  const odd = await farm.map(slowly, range(0, 20_000));
  const squares = await farm.map((n: number) => n * n, odd);
  const texts = await farm.map((n: number) => `${n}`, squares);
  const last = await farm.map((text: string) => text.length, ['last'], { after: [texts] });
  for (let kill = 0; kill < KILLS; kill++) {
    const { done } = (await texts.status()).progress;
    await waitFor(async () => (await texts.status()).progress.done > done, { what: 'progress', timeout: 60_000 });
    await sleep(Math.random() * 200);
    await served.kill();
    await served.start();
  }
  assert.equal((await odd.status()).progress.state, 'active', 'the chain is still under way');
  assert.deepEqual(
    await texts.values(),
    Array.from({ length: 10_000 }, (_, i) => `${(2 * i + 1) ** 2}`),
  );
  assert.deepEqual(await last.values(), [4]);
});

test('R31 R34 F-40: so do they where three servers are killed in turn, and what tasks give their own job', async (t) => {
  const several = await SeveralServers.start(t, 3);
  for (const first of [0, 1, 2]) several.worker(first, '--slots', '1');
  const farm = await several.connect(1);
  const slowly = async (n: number): Promise<number | undefined> => {
    await new Promise((resolve) => setTimeout(resolve, 4));
    return n % 2 === 0 ? undefined : n;
  };
  const odd = await farm.map(slowly, range(0, 10_000));
  const squares = await farm.map((n: number) => n * n, odd);
  const branch = async (path: string, ctx: TaskContext): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (path.length < 11) for (const next of 'ab') ctx.spawn(path + next);
    return path;
  };
  const tree = await farm.map(branch, ['x'], { spawns: true });
  for (let kill = 0; kill < 6; kill++) {
    const server = several.servers[kill % 3] as Served;
    const { done } = (await squares.status()).progress;
    await waitFor(async () => (await squares.status()).progress.done > done, { what: 'progress', timeout: 60_000 });
    await sleep(Math.random() * 500);
    await server.kill();
    await server.start();
  }
  assert.deepEqual(
    await squares.values(),
    Array.from({ length: 5_000 }, (_, i) => (2 * i + 1) ** 2),
  );
  const paths = await tree.values();
  assert.deepEqual([paths.length, new Set(paths).size], [2 ** 11 - 1, 2 ** 11 - 1]);
});
