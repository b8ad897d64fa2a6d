import assert from 'node:assert/strict';
import { leaseId } from '../../model/ids.ts';
import { BLOCK_TASKS } from '../../model/limits.ts';
import { aJob, aLease, aSegment, progressOf } from '../store-records.ts';
import { aBlock, inputsOf, type MakeHome, rejects, rule, textOf } from './home.ts';

/** Who holds what: epochs, recovery, job numbers, claims, the lock. */
export function ownershipRules(makeHome: MakeHome): void {
  epochs(makeHome);
  recovery(makeHome);
  claims(makeHome);
  claimsOfRanges(makeHome);
}

function epochs(makeHome: MakeHome): void {
  rule('D1 each start gets a higher epoch, also after a crash', makeHome, async (s) => {
    const seen = [s.epoch, await s.store.start(), await s.store.start()];
    await s.crash();
    seen.push(s.epoch);
    await s.restart();
    seen.push(s.epoch);
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  });

  rule('D1 what carries an old epoch is fenced off and changes nothing', makeHome, async (s) => {
    const job = await s.job({ range: { start: 0, step: 1, count: 10 } });
    const old = s.epoch;
    s.epoch = await s.store.start();
    await rejects(s.store.commit([{ kind: 'progress', job, progress: progressOf({ done: 9 }) }], old), 'fenced');
    await rejects(s.store.commit([], s.epoch + 1), 'fenced');
    await rejects(s.store.claim(job, 1, old), 'fenced');
    await rejects(s.store.recover(old), 'fenced');
    const after = await s.store.readJob(job);
    assert.deepEqual([after?.progress.done, after?.claimedTo], [0, 0]);
  });

  rule('D3 job numbers rise and are never given twice', makeHome, async (s) => {
    const given = [await s.store.nextJobId(), await s.store.nextJobId()];
    await s.restart();
    given.push(await s.store.nextJobId());
    assert.deepEqual(given, [1, 2, 3]);
    await s.crash();
    given.push(...(await Promise.all(Array.from({ length: 40 }, () => s.store.nextJobId()))));
    await s.crash();
    given.push(await s.store.nextJobId());
    for (const [at, job] of given.entries()) assert.ok(at === 0 || job > (given[at - 1] as number), given.join());
  });

  rule('D10 data that is open cannot be opened again, unless it is shared', makeHome, async (s) => {
    if (s.store.shared !== undefined) return await (await s.home.open()).close();
    await rejects(s.home.open(), 'locked');
    await s.restart();
    await rejects(s.home.open(), 'locked');
  });

  rule('D15 verbs act in the order in which they were called', makeHome, async (s) => {
    const { store, epoch } = s;
    const job = await store.nextJobId();
    const calls = [
      store.readJob(job),
      store.commit([aJob(job), inputsOf(job, 0, 3)], epoch),
      store.readJob(job),
      store.claim(job, 1, epoch),
      store.commit([{ kind: 'progress', job, progress: progressOf({ done: 3 }) }], epoch),
      store.readJob(job),
    ] as const;
    const [before, , made, claimed, , after] = await Promise.all(calls);
    assert.equal(before, undefined);
    assert.deepEqual([made?.claimedTo, claimed.length, after?.claimedTo, after?.progress.done], [0, 1, 3, 3]);
  });
}

function recovery(makeHome: MakeHome): void {
  rule('D2 recovery gives open jobs, their held blocks and their leases, twice the same', makeHome, async (s) => {
    const done = await s.job();
    await s.commit(aBlock(done, 0, 4), aLease(done, 0, 4, 7));
    await s.progress(done, { state: 'done', open: false });
    const open = await s.job();
    const paused = await s.job({}, { state: 'paused' });
    const exceptions = [
      { index: 5, count: 1, charged: 1, failedOn: [], lostWorkers: ['w'], losses: 1, alone: true, notBeforeAt: 99 },
    ];
    await s.commit(
      inputsOf(open, 0, 4),
      inputsOf(open, 4, 4),
      aBlock(open, 0, 4),
      { kind: 'blockEnded', job: open, first: 0 },
      aBlock(open, 4, 4, { ended: Uint8Array.of(0b11), exceptions }),
      aBlock(paused, 0, 4, { epoch: 0 }),
      aLease(open, 4, 2, 1),
      aLease(open, 6, 2, 2),
      { kind: 'leaseEnded', lease: leaseId(1, 1) },
      aSegment(open, 1, 0, 4),
    );
    await s.comeBack();
    const first = await s.store.recover(s.epoch);
    assert.deepEqual(
      first.jobs.map(({ id, claimedTo }) => [id, claimedTo]),
      [
        [open, 8],
        [paused, 4],
      ],
    );
    assert.equal(first.blocks.length, 1, 'a free block is claimed, not recovered');
    const [block] = first.blocks;
    assert.deepEqual([block?.first, block?.count, block?.epoch], [4, 4, s.epoch], 'blocks of dead epochs are ours now');
    assert.deepEqual([...(block?.ended ?? [])], [0b11]);
    assert.deepEqual(block?.exceptions, exceptions);
    assert.deepEqual(
      first.leases.map(({ lease }) => lease),
      [leaseId(1, 2)],
    );
    assert.deepEqual(await s.store.recover(s.epoch), first);
    await s.comeBack();
    const again = await s.store.recover(s.epoch);
    assert.deepEqual({ ...again, blocks: [] }, { ...first, blocks: [] });
    assert.deepEqual(again.blocks, [{ ...block, epoch: s.epoch }]);
  });
}

function claims(makeHome: MakeHome): void {
  rule('D5 freed blocks come first, lowest index first, then new ones from the frontier', makeHome, async (s) => {
    const job = await s.job();
    for (const first of [0, 3, 6, 9, 12]) await s.commit(inputsOf(job, first, 3));
    await s.store.claim(job, 3, s.epoch);
    await s.commit(aBlock(job, 6, 3, { epoch: 0 }), aBlock(job, 0, 3, { epoch: 0, ended: Uint8Array.of(1) }));
    const claimed = await s.store.claim(job, 3, s.epoch);
    assert.deepEqual(
      claimed.map(({ block, inputs }) => [block.first, block.count, block.epoch, textOf(inputs)]),
      [
        [0, 3, s.epoch, 'inputs 0'],
        [6, 3, s.epoch, 'inputs 6'],
        [9, 3, s.epoch, 'inputs 9'],
      ],
    );
    assert.deepEqual([...(claimed[0]?.block.ended ?? [])], [1], 'what has ended in a freed block stays ended');
    assert.equal((await s.store.readJob(job))?.claimedTo, 12);
    assert.equal((await s.store.claim(job, 3, s.epoch)).length, 1, 'fewer than asked: no more for now');
    assert.deepEqual(await s.store.claim(job, 3, s.epoch), []);
    await s.commit(inputsOf(job, 15, 2));
    assert.deepEqual(
      (await s.store.claim(job, 3, s.epoch)).map(({ block }) => block.first),
      [15],
    );
  });

  rule('D5 a claim is durable, and no block is held twice', makeHome, async (s) => {
    const job = await s.job();
    await s.commit(inputsOf(job, 0, 2), inputsOf(job, 2, 2));
    await s.store.claim(job, 1, s.epoch);
    await s.comeBack();
    const { blocks } = await s.store.recover(s.epoch);
    assert.deepEqual(
      blocks.map(({ first, epoch }) => [first, epoch]),
      [[0, s.epoch]],
    );
    assert.deepEqual(
      (await s.store.claim(job, 9, s.epoch)).map(({ block }) => block.first),
      [2],
    );
  });

  rule('D5 a block that was written counts as claimed, whatever becomes of it', makeHome, async (s) => {
    const job = await s.job();
    await s.commit(inputsOf(job, 0, 2), aBlock(job, 0, 2), { kind: 'blockEnded', job, first: 0 });
    await s.commit(inputsOf(job, 2, 2));
    assert.equal((await s.store.readJob(job))?.claimedTo, 2);
    const claimed = await s.store.claim(job, 9, s.epoch);
    assert.deepEqual(
      claimed.map(({ block }) => block.first),
      [2],
    );
  });
}

function claimsOfRanges(makeHome: MakeHome): void {
  rule('D5 a range is cut into blocks as it is claimed', makeHome, async (s) => {
    const count = 2 * BLOCK_TASKS + 10;
    const job = await s.job({ range: { start: 5, step: 2, count } });
    assert.deepEqual(await s.store.listBlocks(job, 0, 2), [
      { first: 0, count: BLOCK_TASKS },
      { first: BLOCK_TASKS, count: BLOCK_TASKS },
    ]);
    assert.deepEqual(await s.store.listBlocks(job, BLOCK_TASKS + 1, 9), [{ first: 2 * BLOCK_TASKS, count: 10 }]);
    const claimed = await s.store.claim(job, 9, s.epoch);
    assert.deepEqual(
      claimed.map(({ block, inputs }) => [block.first, block.count, inputs]),
      [
        [0, BLOCK_TASKS, undefined],
        [BLOCK_TASKS, BLOCK_TASKS, undefined],
        [2 * BLOCK_TASKS, 10, undefined],
      ],
    );
    assert.equal((await s.store.readJob(job))?.claimedTo, count);
    assert.deepEqual(await s.store.claim(job, 9, s.epoch), []);
  });

  rule('D5 nothing is claimed of a job that has ended or is not there', makeHome, async (s) => {
    const job = await s.job({ range: { start: 0, step: 1, count: 10 } }, { state: 'cancelled' });
    assert.deepEqual(await s.store.claim(job, 1, s.epoch), []);
    assert.deepEqual(await s.store.claim(job + 1, 1, s.epoch), []);
  });
}
