import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedStoreContract, storeContract } from '../../testing/store-contract.ts';
import { aJob } from '../../testing/store-records.ts';
import { StoreError } from '../store.ts';
import { MemoryDisk } from './memory-disk.ts';
import { MemoryStore } from './memory-store.ts';

storeContract('memory', async () => {
  const disk = new MemoryDisk();
  let isFull = false;
  const commitGate = async (apply: () => void): Promise<void> => {
    if (isFull) throw new StoreError('full', 'no room');
    apply();
  };
  return {
    open: async () => new MemoryStore(disk, { commitGate }),
    crash: async (store) => (store as MemoryStore).crash(),
    full: (full) => void (isFull = full),
    remove: async () => undefined,
  };
});

sharedStoreContract('memory that several servers share', async () => {
  let now = 1_000_000;
  const disk = new MemoryDisk('memory', () => now);
  return {
    open: async () => new MemoryStore(disk),
    crash: async (store) => (store as MemoryStore).crash(),
    later: async (time) => void (now += time),
    remove: async () => undefined,
  };
});

test('D25 D3 a copy that takes the place of the data is noticed by all who had them open', async () => {
  const disk = new MemoryDisk('memory', () => 1_000);
  const [one, other] = [new MemoryStore(disk), new MemoryStore(disk)];
  const [mine, theirs] = [await one.start(), await other.start()];
  await one.commit([aJob(await one.nextJobId())], mine);
  const copy = disk.copy();
  await one.commit([aJob(await one.nextJobId())], mine);
  const lost = await other.start();
  disk.failOver(copy);
  for (const verb of [
    () => one.commit([], mine),
    () => one.claim(1, 1, mine),
    () => one.nextJobId(),
    () => one.readSegments(1, { after: 0, history: 0 }, 1),
    () => other.shared?.pulse(lost, ''),
    () => other.shared?.takeOver([], theirs),
  ])
    await assert.rejects(async () => verb(), { code: 'rewound' });
  assert.deepEqual([...disk.jobs.keys()], [1]);
  const again = await one.start();
  assert.ok(again > lost, `${again} may be nobody's, also in what is lost`);
  const { history, jobs } = await one.recover(again);
  assert.deepEqual([history, jobs.map(({ id }) => id)], [1, [1]]);
  assert.ok((await one.nextJobId()) > 2);
  assert.equal(await other.start(), again + 1);
  // Who has begun again may still have readers of before.
  await assert.rejects(other.readSegments(1, { after: 0, history: 0 }, 1), { code: 'rewound' });
  assert.deepEqual(await other.readSegments(1, { after: 0, history: 1 }, 1), []);
});

test('D4 a crash before the gate keeps nothing, after it everything, and neither is answered', async () => {
  for (const applied of [false, true]) {
    const disk = new MemoryDisk();
    let reached: () => void = () => undefined;
    const atGate = new Promise<void>((resolve) => (reached = resolve));
    let stop = false;
    const store = new MemoryStore(disk, {
      async commitGate(apply) {
        if (!stop || applied) apply();
        reached();
        if (stop) await new Promise(() => undefined);
      },
    });
    const epoch = await store.start();
    stop = true;
    let answered = false;
    const commit = store.commit([aJob(1)], epoch).finally(() => (answered = true));
    await atGate;
    store.crash();
    const next = new MemoryStore(disk);
    assert.equal((await next.readJob(1)) !== undefined, applied);
    assert.equal(answered, false);
    void commit;
  }
});

test('D4 a commit delayed beyond a crash never happens', async () => {
  const disk = new MemoryDisk();
  const gates: (() => void)[] = [];
  const store = new MemoryStore(disk, { commitGate: async (apply) => void gates.push(apply) });
  void store.commit([], 0);
  await new Promise((resolve) => setImmediate(resolve));
  store.crash();
  for (const apply of gates) apply();
  assert.equal(disk.jobs.size, 0);
});

test('D4 after an unknown outcome the store says no more', async () => {
  const disk = new MemoryDisk();
  let broken = false;
  const store = new MemoryStore(disk, {
    async commitGate(apply) {
      apply();
      if (broken) throw new StoreError('broken', 'the sync failed');
    },
  });
  const epoch = await store.start();
  broken = true;
  await assert.rejects(store.commit([aJob(1)], epoch), { code: 'broken' });
  await assert.rejects(store.readJob(1), { code: 'broken' });
  await store.close();
  assert.equal((await new MemoryStore(disk).readJob(1))?.id, 1);
});
