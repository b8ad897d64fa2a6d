import assert from 'node:assert/strict';
import { endedExcept } from '../../model/bitmaps.ts';
import { leaseId } from '../../model/ids.ts';
import type { BlockRecord } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { SERVER_LEASE, TAKEOVER_GRACE } from '../../model/server-limits.ts';
import type { ClaimedBlock } from '../../store/store.ts';
import { aLease } from '../store-records.ts';
import { inputsOf, textOf } from './home.ts';
import { type MakeSharedHome, type Server, sharedRule, tasksOf } from './servers.ts';

/** Tasks that go from one server to another (D20, D21). */
export function partRules(makeHome: MakeSharedHome): void {
  parts(makeHome);
  takeOvers(makeHome);
  grace(makeHome);
}

/** A server's own row of a block in which only these tasks are open. */
export function rowOf({ epoch }: Server, block: BlockRecord, tasks: readonly number[]): BlockRecord {
  const { part: _part, ...row } = block;
  const runs = tasks.map((start) => ({ start, count: 1 }));
  return { ...row, epoch, ended: endedExcept(block.first, block.count, runs) };
}

/** It writes these as its own and gives those away. */
export function gives(server: Server, block: BlockRecord, kept: readonly number[], given: readonly number[]): Write[] {
  const own: Write =
    kept.length === 0
      ? { kind: 'blockEnded', job: block.job, first: block.first }
      : { kind: 'block', block: rowOf(server, block, kept) };
  return [own, { kind: 'blockFreed', block: rowOf(server, block, given) }];
}

/** A part becomes part of the server's own row. */
export function absorbs(server: Server, part: BlockRecord, own: readonly number[]): Write[] {
  return [
    {
      kind: 'block',
      block: rowOf(
        server,
        part,
        [...own, ...tasksOf(part)].sort((a, b) => a - b),
      ),
    },
    { kind: 'blockEnded', job: part.job, first: part.first, part: part.part as number },
  ];
}

export async function blockOfFour(a: Server): Promise<{ job: number; block: BlockRecord }> {
  const job = await a.job();
  await a.commit(inputsOf(job, 0, 4));
  const [claimed] = await a.store.claim(job, 1, a.epoch);
  return { job, block: (claimed as ClaimedBlock).block };
}

function parts(makeHome: MakeSharedHome): void {
  sharedRule('D20 what is given back is claimed by another server, and absorbed', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job, block } = await blockOfFour(a);
    const exceptions = [{ index: 3, count: 1, charged: 1, failedOn: ['w'], losses: 0, lostWorkers: [] }];
    const [own, freed] = gives(a, block, [0, 1], [2, 3]) as [Write, Extract<Write, { kind: 'blockFreed' }>];
    await a.commit(own, { ...freed, block: { ...freed.block, exceptions } });
    assert.equal((await b.pulse()).jobs[0]?.claimable, true);
    const [claimed, ...others] = await b.store.claim(job, 9, b.epoch);
    assert.equal(others.length, 0);
    assert.equal(textOf(claimed?.inputs), 'inputs 0', 'with the inputs of the whole block');
    const part = claimed?.block as BlockRecord;
    assert.ok(part.part !== undefined, 'under a number of its own');
    assert.deepEqual([tasksOf(part), part.epoch, part.exceptions], [[2, 3], b.epoch, exceptions]);
    await b.commit(...absorbs(b, part, []));
    const { blocks } = await b.again();
    assert.deepEqual(
      blocks.map((each) => [each.part, tasksOf(each)]),
      [[undefined, [2, 3]]],
    );
    assert.deepEqual((await a.again()).blocks.map(tasksOf), [[0, 1]]);
  });

  sharedRule('D20 several parts of a block are kept apart until they are absorbed', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job, block } = await blockOfFour(a);
    await a.commit(...gives(a, block, [0, 1, 2], [3]));
    await a.commit(...gives(a, block, [0], [1, 2]));
    const claimed = await b.store.claim(job, 9, b.epoch);
    const found = claimed.map(({ block: part }) => tasksOf(part));
    assert.deepEqual(found.toSorted(), [[1, 2], [3]]);
    assert.equal(new Set(claimed.map(({ block: { part } }) => part)).size, 2);
    const before = (await b.again()).blocks;
    assert.deepEqual(
      before.map(tasksOf).toSorted(),
      [[1, 2], [3]],
      'a start between claim and absorption loses nothing',
    );
    const [first, second] = before as [BlockRecord, BlockRecord];
    await b.commit(...absorbs(b, first, []), ...absorbs(b, second, tasksOf(first)));
    assert.deepEqual((await b.again()).blocks.map(tasksOf), [[1, 2, 3]]);
  });

  sharedRule('D20 what a server gives back it may claim again', makeHome, async (farm) => {
    const a = await farm.join();
    const { job, block } = await blockOfFour(a);
    await a.commit(...gives(a, block, [0], [1, 2, 3]));
    const [claimed] = await a.store.claim(job, 1, a.epoch);
    assert.deepEqual((await a.again()).blocks.map(tasksOf), [[0], [1, 2, 3]]);
    await a.commit(...absorbs(a, claimed?.block as BlockRecord, [0]));
    assert.deepEqual((await a.again()).blocks.map(tasksOf), [[0, 1, 2, 3]]);
  });
}

function takeOvers(makeHome: MakeSharedHome): void {
  sharedRule('D21 leases of a server that is over are taken with their tasks', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job } = await blockOfFour(a);
    await a.commit(aLease(job, 0, 2, 1, a.epoch), aLease(job, 2, 1, 2, a.epoch));
    const [one, two, gone] = [leaseId(a.epoch, 1), leaseId(a.epoch, 2), leaseId(a.epoch, 9)];
    const early = await b.shared.takeOver([two, one, gone], b.epoch);
    const held = [two, one].map((lease) => ({ lease, holder: a.epoch }));
    assert.deepEqual(early, { blocks: [], leases: [], held }, 'its server lives');
    await farm.crash(a);
    await farm.steady(b, 2 * SERVER_LEASE - SERVER_LEASE / 2);
    const taken = await b.shared.takeOver([one, gone], b.epoch);
    assert.deepEqual([taken.held, taken.leases.map(({ lease }) => lease)], [[], [one]]);
    const [part] = taken.blocks;
    assert.deepEqual(part && [tasksOf(part.block), part.block.epoch, textOf(part.inputs)], [
      [0, 1],
      b.epoch,
      'inputs 0',
    ]);
    assert.ok(part?.block.part !== undefined);
    assert.deepEqual(
      await b.shared.takeOver([one], b.epoch),
      { blocks: [], leases: [], held: [] },
      'it is its own now',
    );
    const recovered = await b.again();
    assert.deepEqual([recovered.blocks.map(tasksOf), recovered.leases.map(({ lease }) => lease)], [[[0, 1]], [one]]);
  });

  sharedRule('D21 of what has ended in a lease nothing is taken', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job, block } = await blockOfFour(a);
    await a.commit(aLease(job, 0, 4, 1, a.epoch), { kind: 'block', block: rowOf(a, block, [1, 3]) });
    await a.store.close();
    const taken = await b.shared.takeOver([leaseId(a.epoch, 1)], b.epoch);
    assert.deepEqual(
      taken.blocks.map((each) => tasksOf(each.block)),
      [[1, 3]],
    );
  });

  sharedRule('D21 recovery gives nothing of others', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job } = await blockOfFour(a);
    await a.commit(aLease(job, 0, 2, 1, a.epoch));
    const { jobs, blocks, leases } = await b.again();
    assert.deepEqual([jobs.map(({ id }) => id), blocks, leases], [[job], [], []]);
  });
}

function grace(makeHome: MakeSharedHome): void {
  sharedRule('D21 what nobody takes over is free after a while, and its leases are gone', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { job } = await blockOfFour(a);
    await a.commit(aLease(job, 0, 1, 1, a.epoch), aLease(job, 1, 1, 2, a.epoch));
    await a.store.close();
    await b.shared.takeOver([leaseId(a.epoch, 1)], b.epoch);
    assert.deepEqual(await b.store.claim(job, 9, b.epoch), [], 'not yet');
    await farm.later(TAKEOVER_GRACE + 500);
    assert.equal((await b.pulse()).jobs[0]?.claimable, true);
    const claimed = await b.store.claim(job, 9, b.epoch);
    assert.deepEqual(
      claimed.map(({ block }) => [tasksOf(block), block.part !== undefined]),
      [[[1, 2, 3], true]],
    );
    assert.deepEqual(await b.shared.takeOver([leaseId(a.epoch, 2)], b.epoch), { blocks: [], leases: [], held: [] });
    assert.deepEqual(
      (await b.again()).leases.map(({ lease }) => lease),
      [leaseId(a.epoch, 1)],
    );
  });
}
