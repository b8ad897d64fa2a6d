import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { TestPostgres } from '../../test/support/postgres.ts';
import { drawStep, type Kind, outcome } from '../../test/support/store-steps.ts';
import { Random } from '../testing/simulation/random.ts';
import { MemoryDisk } from './memory/memory-disk.ts';
import { MemoryStore } from './memory/memory-store.ts';
import { openPostgresStore } from './postgres/postgres-store.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

const STEPS = 150;
const server = await TestPostgres.start({ fsync: 'off' });
after(() => server.remove());

async function kindOf(t: TestContext, name: string, servers: number, open: () => Promise<Store>): Promise<Kind> {
  const kind: Kind = { name, servers: [] };
  for (let at = 0; at < servers; at++) {
    const store = await open();
    cleanUp(t, () => store.close());
    kind.servers.push({ store, epoch: await store.start() });
  }
  return kind;
}

async function sameAnswers(kinds: readonly Kind[], random: Random, plain: boolean): Promise<void> {
  const [reference, ...others] = kinds as [Kind, ...Kind[]];
  for (let at = 0; at < STEPS; at++) {
    const step = drawStep(random, plain);
    const who = random.whole(0, reference.servers.length - 1);
    const expected = await outcome(step(reference.servers[who] as Kind['servers'][0]));
    for (const { name, servers } of others) {
      assert.deepEqual(await outcome(step(servers[who] as Kind['servers'][0])), expected, `step ${at} in ${name}`);
    }
  }
}

for (const seed of [1, 2]) {
  test(`the same steps have the same answers in memory, SQLite and PostgreSQL (D1 to D17, seed ${seed})`, async (t) => {
    const { url } = await server.database();
    const directory = temporaryDirectory(t, 'same');
    const kinds = [
      await kindOf(t, 'memory', 1, async () => new MemoryStore()),
      await kindOf(t, 'SQLite', 1, () => openSqliteStore(directory)),
      await kindOf(t, 'PostgreSQL', 1, () => openPostgresStore(url)),
    ];
    await sameAnswers(kinds, new Random(seed, 'steps'), true);
  });

  test(`the same steps of two servers have the same answers in memory and PostgreSQL (D18 to D27, seed ${seed})`, async (t) => {
    const { url } = await server.database();
    const disk = new MemoryDisk('memory', () => 0);
    const kinds = [
      await kindOf(t, 'memory', 2, async () => new MemoryStore(disk)),
      await kindOf(t, 'PostgreSQL', 2, () => openPostgresStore(url)),
    ];
    await sameAnswers(kinds, new Random(seed, 'shared steps'), false);
  });
}
