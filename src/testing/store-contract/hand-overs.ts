import assert from 'node:assert/strict';
import { type LeaseId, leaseId } from '../../model/ids.ts';
import type { BlockRecord } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { TAKEOVER_GRACE } from '../../model/server-limits.ts';
import { aLease, progressOf } from '../store-records.ts';
import { rejects, textOf } from './home.ts';
import { absorbs, blockOfFour, gives, rowOf } from './parts.ts';
import { type MakeSharedHome, type Server, sharedRule, tasksOf } from './servers.ts';

/** What a server that lives gives up, since the worker is at another one (D26). */
export function handOverRules(makeHome: MakeSharedHome): void {
  taken(makeHome);
  nobodyComes(makeHome);
}

function taken(makeHome: MakeSharedHome): void {
  sharedRule(
    'D26 what a server that lives hands over is taken with its tasks, and nothing else',
    makeHome,
    async (farm) => {
      const [a, b, c] = [await farm.join(), await farm.join(), await farm.join()];
      const { job, block } = await blockOfFour(a);
      await a.commit(aLease(job, 0, 2, 1, a.epoch), aLease(job, 2, 1, 2, a.epoch));
      const [one, two] = [leaseId(a.epoch, 1), leaseId(a.epoch, 2)];
      const exceptions = [{ index: 1, count: 1, charged: 1, failedOn: ['w'], losses: 0, lostWorkers: [] }];
      // Of the first lease task 0 has ended meanwhile.
      const [own, handed] = handsOver(a, block, [2, 3], one, [1]) as [Write, Extract<Write, { kind: 'handedOver' }>];
      await a.commit(own, { ...handed, block: { ...handed.block, exceptions } });
      assert.equal((await c.pulse()).jobs[0]?.claimable, false, 'it is not for everybody');
      assert.deepEqual(await c.store.claim(job, 9, c.epoch), []);
      const taken = await b.shared.takeOver([one, two], b.epoch);
      assert.deepEqual(
        [taken.held, taken.leases.map(({ lease }) => lease)],
        [[{ lease: two, holder: a.epoch }], [one]],
      );
      const [part, ...others] = taken.blocks;
      assert.deepEqual(part && [tasksOf(part.block), part.block.epoch, part.block.exceptions, textOf(part.inputs)], [
        [1],
        b.epoch,
        exceptions,
        'inputs 0',
      ]);
      assert.deepEqual(others, []);
      await b.commit(...absorbs(b, part?.block as BlockRecord, []));
      assert.deepEqual(await c.shared.takeOver([one], c.epoch), {
        ...{ blocks: [], leases: [] },
        held: [{ lease: one, holder: b.epoch }],
      });
      const [mine, theirs] = [await a.again(), await b.again()];
      assert.deepEqual([mine.blocks.map(tasksOf), mine.leases.map(({ lease }) => lease)], [[[2, 3]], [two]]);
      assert.deepEqual([theirs.blocks.map(tasksOf), theirs.leases.map(({ lease }) => lease)], [[[1]], [one]]);
    },
  );

  sharedRule('D26 whoever handed it over may have it back', makeHome, async (farm) => {
    const a = await farm.join();
    const { job, block } = await blockOfFour(a);
    const one = leaseId(a.epoch, 1);
    await a.commit(aLease(job, 0, 2, 1, a.epoch), ...handsOver(a, block, [2, 3], one, [0, 1]));
    const { blocks, leases } = await a.again();
    assert.deepEqual([blocks.map(tasksOf), leases], [[[2, 3]], []], 'it is not its own any more');
    const taken = await a.shared.takeOver([one], a.epoch);
    assert.deepEqual([taken.blocks.map((each) => tasksOf(each.block)), taken.leases.length], [[[0, 1]], 1]);
  });
}

function nobodyComes(makeHome: MakeSharedHome): void {
  sharedRule('D26 what nobody takes is free after a while, and its lease is gone', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job, block } = await blockOfFour(a);
    const one = leaseId(a.epoch, 1);
    await a.commit(aLease(job, 0, 2, 1, a.epoch), ...handsOver(a, block, [], one, [0, 1]));
    await a.pulse();
    assert.deepEqual(await b.store.claim(job, 9, b.epoch), []);
    await farm.later(TAKEOVER_GRACE + 500);
    await a.pulse();
    const claimed = await b.store.claim(job, 9, b.epoch);
    assert.deepEqual(
      claimed.map((each) => tasksOf(each.block)),
      [[0, 1]],
    );
    assert.deepEqual(await b.shared.takeOver([one], b.epoch), { blocks: [], leases: [], held: [] });
  });

  sharedRule(
    'D26 who is over hands nothing over, and nothing goes with a job that ended (S12)',
    makeHome,
    async (farm) => {
      const [a, b] = [await farm.join(), await farm.join()];
      const { job, block } = await blockOfFour(a);
      const one = leaseId(a.epoch, 1);
      await a.commit(aLease(job, 0, 2, 1, a.epoch));
      const late = handsOver(a, block, [2, 3], one, [0, 1]);
      const end: Write = { kind: 'progress', job, progress: progressOf({ state: 'cancelled', open: false }) };
      await a.commit(...late, end);
      assert.deepEqual(await b.shared.takeOver([one], b.epoch), { blocks: [], leases: [], held: [] });
      await a.again();
      await rejects(a.store.commit(late, block.epoch), 'fenced');
    },
  );
}

/** It writes the other tasks as its own, and gives these to whoever has the worker of the lease. */
export function handsOver(
  server: Server,
  block: BlockRecord,
  kept: readonly number[],
  lease: LeaseId,
  tasks: readonly number[],
): Write[] {
  const [own] = gives(server, block, kept, []) as [Write, Write];
  return [own, { kind: 'handedOver', lease, block: rowOf(server, block, tasks) }];
}
