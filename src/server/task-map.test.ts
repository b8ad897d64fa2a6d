import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JobProgress } from '../model/job.ts';
import { TASK_MAP_CELLS } from '../model/past-limits.ts';
import { MemoryDisk } from '../store/memory/memory-disk.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { aJob, aSegment, progressOf } from '../testing/store-records.ts';
import { TaskMaps } from './task-map.ts';

const everything = { from: 0, count: Number.MAX_SAFE_INTEGER, cells: 4_096 };

async function desk() {
  const store = new MemoryStore(new MemoryDisk());
  const epoch = await store.start();
  const job = await store.nextJobId();
  await store.commit([aJob(job)], epoch);
  let segments = 0;
  const maps = new TaskMaps(
    () => store,
    () => 0,
  );
  return {
    job,
    maps,
    record: (first: number, count: number, part = {}) =>
      store.commit([aSegment(job, ++segments, first, count, part)], epoch),
    progress: (part: Partial<JobProgress>): JobProgress => progressOf({ ...part, segments }),
  };
}

describe('the map of tasks', () => {
  test('tells of each task how it stands', async () => {
    const { job, maps, record, progress } = await desk();
    await record(0, 4);
    await record(6, 3, { failed: 1, failures: [{ start: 7, count: 1 }] });
    const runs = [{ start: 4, count: 1 }];
    const running = [{ lease: 1, worker: 'w', since: 0, runs }];
    const map = await maps.of(job, progress({ total: 12 }), running, everything);
    assert.deepEqual(map, { job, total: 12, from: 0, cell: 1, states: 'ddddrwdfdwww', read: 2, batches: 2 });
    const over = await maps.of(job, progress({ total: 12, state: 'cancelled' }), [], {
      ...everything,
      from: 4,
      count: 4,
    });
    assert.deepEqual([over.from, over.states], [4, 'ccdf']);
  });

  test('puts many tasks into one cell, which tells the most telling of them', async () => {
    const { job, maps, record, progress } = await desk();
    await record(0, 100);
    await record(100, 55);
    await record(200, 100, { failed: 1, failures: [{ start: 250, count: 1 }] });
    const runs = [{ start: 399, count: 2 }];
    const map = await maps.of(job, progress({ total: 600 }), [{ lease: 1, worker: 'w', since: 0, runs }], {
      ...everything,
      cells: 6,
    });
    assert.deepEqual([map.cell, map.states], [100, 'd5frrw']);
  });

  test('forgets the failures that are tried again', async () => {
    const { job, maps, record, progress } = await desk();
    await record(0, 4, { failed: 2, failures: [{ start: 1, count: 2 }] });
    assert.equal((await maps.of(job, progress({ total: 4 }), [], everything)).states, 'dffd');
    const again = progress({ total: 4, generation: 1 });
    assert.equal((await maps.of(job, again, [], everything)).states, 'dwwd');
    await record(1, 2, { generation: 1, failed: 1, failures: [{ start: 2, count: 1 }] });
    const states = async (of: TaskMaps) =>
      (await of.of(job, progress({ total: 4, generation: 1 }), [], everything)).states;
    assert.equal(await states(maps), 'ddfd');
    // As one that is read afresh, after a restart.
    const other = await desk();
    await other.record(0, 4, { failed: 2, failures: [{ start: 1, count: 2 }] });
    await other.record(1, 2, { generation: 1, failed: 1, failures: [{ start: 2, count: 1 }] });
    assert.equal(await states(other.maps), 'ddfd');
  });

  test('grows with an open job, and beyond one task a cell', async () => {
    const { job, maps, record, progress } = await desk();
    await record(0, 10);
    assert.equal((await maps.of(job, progress({ total: 10, open: true }), [], everything)).states, 'd'.repeat(10));
    await record(10, 30);
    const grown = await maps.of(job, progress({ total: 50, open: true }), [], everything);
    assert.equal(grown.states, 'd'.repeat(40) + 'w'.repeat(10));
    const total = 3 * TASK_MAP_CELLS;
    const huge = await maps.of(job, progress({ total, open: true }), [], { ...everything, count: 64 });
    const beyond = await maps.of(job, progress({ total, open: true }), [], { ...everything, from: total + 1 });
    assert.equal(beyond.states, '');
    assert.deepEqual([huge.cell, huge.states], [4, 'd'.repeat(10) + 'w'.repeat(6)]);
    const whole = await maps.of(job, progress({ total }), [], everything);
    assert.ok(whole.states.length <= 4_096 && whole.states.length * whole.cell >= total);
    assert.match(whole.states, /^1w+$/);
  });

  test('reads a little at a time and says how far it is', async () => {
    const { job, progress } = await desk();
    const store = new MemoryStore(new MemoryDisk());
    const epoch = await store.start();
    await store.nextJobId();
    const segments = Array.from({ length: 1_000 }, (_, i) => aSegment(job, i + 1, i, 1));
    await store.commit([aJob(job), ...segments], epoch);
    let now = 0;
    const slow = new TaskMaps(
      () => store,
      () => (now += 100),
    );
    const told = progressOf({ ...progress({ total: 1_000 }), segments: 1_000 });
    const first = await slow.of(job, told, [], everything);
    assert.ok(first.read > 0 && first.read < 1_000, `${first.read}`);
    const seen = [first.read];
    for (let round = 0; round < 10 && (seen.at(-1) ?? 0) < 1_000; round++)
      seen.push((await slow.of(job, told, [], everything)).read);
    assert.equal(seen.at(-1), 1_000, `${seen}`);
    const both = await Promise.all([slow.of(job, told, [], everything), slow.of(job, told, [], everything)]);
    for (const { states } of both) assert.equal(states, 'd'.repeat(1_000));
  });
});
