import assert from 'node:assert/strict';
import { BLOCK_TASKS } from '../../model/limits.ts';
import { aLease, aSegment, progressOf } from '../store-records.ts';
import { aBlock, inputsOf, type MakeHome, rule } from './home.ts';

/** Which tasks of a block are open, by their bitmap. */
function openTasks(first: number, count: number, ended: Uint8Array | undefined): number[] {
  const open: number[] = [];
  for (let at = 0; at < count; at++) {
    if (((ended?.[at >> 3] ?? 0) & (1 << (at & 7))) === 0) open.push(first + at);
  }
  return open;
}

export function reopenRules(makeHome: MakeHome): void {
  openAgain(makeHome);
  generations(makeHome);
  leftAlone(makeHome);
}

function openAgain(makeHome: MakeHome): void {
  rule('D7 failed tasks, and only those, are open again', makeHome, async (s) => {
    const job = await s.job({}, { retried: 3 });
    await s.commit(inputsOf(job, 0, 10), inputsOf(job, 10, 10), inputsOf(job, 20, 4));
    await s.commit(
      aSegment(job, 1, 0, 10, { failed: 2, failures: [{ start: 2, count: 2 }] }),
      aSegment(job, 2, 10, 10),
      aSegment(job, 3, 20, 2, { failed: 2 }),
      aSegment(job, 4, 22, 2, { block: 20 }),
      aBlock(job, 20, 4),
      { kind: 'blockEnded', job, first: 20 },
    );
    await s.progress(job, {
      state: 'failed',
      open: false,
      total: 24,
      done: 20,
      failed: 4,
      retried: 3,
      endedAt: 5,
      reason: 'x',
    });
    assert.equal(await s.store.reopen(job), 4);
    await s.crash();
    const after = await s.store.readJob(job);
    assert.deepEqual(after?.progress, progressOf({ open: false, total: 24, done: 20, generation: 1, retried: 3 }));
    const claimed = await s.store.claim(job, 9, s.epoch);
    assert.deepEqual(
      claimed.map(({ block }) => [block.generation, ...openTasks(block.first, block.count, block.ended)]),
      [
        [1, 2, 3],
        [1, 20, 21],
      ],
    );
    assert.ok(claimed.every(({ inputs }) => inputs !== undefined));
  });
}

function generations(makeHome: MakeHome): void {
  rule('D7 the next time only failures of the newest generation count', makeHome, async (s) => {
    const count = BLOCK_TASKS + 5;
    const job = await s.job({ range: { start: 0, step: 1, count } });
    const last = { start: BLOCK_TASKS + 1, count: 2 };
    await s.commit(
      aSegment(job, 1, 0, BLOCK_TASKS, { failed: 1, failures: [{ start: 9, count: 1 }] }),
      aSegment(job, 2, BLOCK_TASKS, 5, { failed: 2, failures: [last] }),
    );
    await s.progress(job, { state: 'failed', open: false, total: count, failed: 3 });
    assert.equal(await s.store.reopen(job), 3);
    assert.equal((await s.store.claim(job, 9, s.epoch)).length, 2);
    await s.commit(
      aSegment(job, 3, 9, 1, { block: 0, generation: 1 }),
      aSegment(job, 4, last.start, 2, {
        block: BLOCK_TASKS,
        generation: 1,
        failed: 1,
        failures: [{ ...last, count: 1 }],
      }),
      { kind: 'blockEnded', job, first: 0 },
      { kind: 'blockEnded', job, first: BLOCK_TASKS },
    );
    await s.progress(job, { state: 'failed', open: false, total: count, failed: 1, generation: 1 });
    assert.equal(await s.store.reopen(job), 1);
    const [claimed] = await s.store.claim(job, 9, s.epoch);
    assert.deepEqual(openTasks(BLOCK_TASKS, 5, claimed?.block.ended), [BLOCK_TASKS + 1]);
    assert.equal(claimed?.block.generation, 2);
  });
}

function leftAlone(makeHome: MakeHome): void {
  rule('D7 what a cancel left behind is gone, and those tasks stay cancelled', makeHome, async (s) => {
    const job = await s.job({ range: { start: 0, step: 1, count: 3 * BLOCK_TASKS } });
    await s.store.claim(job, 2, s.epoch);
    await s.commit(aLease(job, 0, 9, 1), aSegment(job, 1, 0, 2, { failed: 2 }));
    await s.progress(job, { state: 'cancelled', total: 3 * BLOCK_TASKS, failed: 2, cancelled: 3 * BLOCK_TASKS - 2 });
    assert.equal(await s.store.reopen(job), 2);
    const recovered = await s.store.recover(s.epoch);
    assert.deepEqual([recovered.blocks, recovered.leases], [[], []]);
    const claimed = await s.store.claim(job, 9, s.epoch);
    assert.deepEqual(
      claimed.map(({ block }) => openTasks(block.first, block.count, block.ended)),
      [[0, 1]],
    );
    assert.equal((await s.store.readJob(job))?.progress.cancelled, 3 * BLOCK_TASKS - 2);
  });

  rule('D7 without failures, or before the end, nothing changes', makeHome, async (s) => {
    const job = await s.job();
    await s.commit(inputsOf(job, 0, 4), aSegment(job, 1, 0, 2, { failed: 2 }));
    assert.equal(await s.store.reopen(job), 0, 'still open');
    const clean = await s.job({}, { state: 'done', open: false });
    assert.equal(await s.store.reopen(clean), 0);
    assert.equal((await s.store.readJob(clean))?.progress.state, 'done');
    assert.equal(await s.store.reopen(clean + 1), 0);
  });
}
