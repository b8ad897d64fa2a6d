import assert from 'node:assert/strict';
import type { JobId } from '../../model/ids.ts';
import { FORGET_STEP_ROWS } from '../../model/limits.ts';
import { aJob, aLease, aSegment, progressOf } from '../store-records.ts';
import { aBlock, inputsOf, type MakeHome, rejects, rule, type Subject } from './home.ts';

async function fill(s: Subject, job: JobId, segments: number): Promise<void> {
  await s.commit(
    inputsOf(job, 0, 3),
    aBlock(job, 0, 3),
    aLease(job, 0, 3, job),
    { kind: 'blobRef', job, sha256: `blob ${job}` },
    { kind: 'idempotency', owner: 'o', key: `key ${job}`, digest: 'd', job },
    { kind: 'attempt', attempt: { job, index: 1, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: '' } },
    { kind: 'log', log: { job, index: 1, lease: 1, stream: 'log', at: 1, text: 'x' } },
    ...Array.from({ length: segments }, (_, at) => aSegment(job, at + 1, 0, 3)),
    { kind: 'progress', job, progress: progressOf({ state: 'done' }) },
  );
}

/** Nothing that could be read of the job. */
async function assertGone(s: Subject, job: JobId): Promise<void> {
  const { store } = s;
  assert.equal(await store.readJob(job), undefined);
  assert.equal(await store.findIdempotent('o', `key ${job}`), undefined);
  assert.ok(!(await store.listJobs({ limit: 99 })).some(({ id }) => id === job));
  const { jobs, blocks, leases } = await store.recover(s.epoch);
  for (const record of [...blocks, ...leases]) assert.notEqual(record.job, job);
  assert.ok(!jobs.some(({ id }) => id === job));
}

async function forgetWhole(s: Subject, job: JobId): Promise<number> {
  for (let steps = 1; ; steps++) {
    if (await s.store.forget(job)) return steps;
    assert.ok(steps < 1_000, 'forgetting comes to an end');
  }
}

export function forgetRules(makeHome: MakeHome): void {
  rule('D8 nothing of a forgotten job is left, and everything of others', makeHome, async (s) => {
    const [kept, gone] = [await s.job(), await s.job()];
    await fill(s, kept, 3);
    await fill(s, gone, 3);
    await forgetWhole(s, gone);
    await assertGone(s, gone);
    assert.deepEqual(await s.store.readSegments(gone, { after: 0 }, 1e6), []);
    assert.equal(await s.store.readInputs(gone, 0), undefined);
    assert.deepEqual(await s.store.readTask(gone, 1), { attempts: [] });
    assert.deepEqual(await s.store.readLogs(gone, { after: 0, limit: 9 }), []);
    assert.deepEqual(await s.store.unreferenced([`blob ${gone}`, `blob ${kept}`]), [`blob ${gone}`]);
    assert.equal((await s.store.readSegments(kept, { after: 0 }, 1e6)).length, 3);
    assert.equal((await s.store.readTask(kept, 1)).attempts.length, 1);
    assert.deepEqual(await s.store.findIdempotent('o', `key ${kept}`), { job: kept, digest: 'd' });
    assert.ok(await s.store.forget(gone), 'a second time there is nothing to do');
    assert.deepEqual((await s.store.recover(s.epoch)).forgetting, []);
    await rejects(s.commit(aSegment(gone, 4, 0, 1)), 'conflict');
  });

  rule(
    'D8 a crash between steps leaves a job that is not listed and can be forgotten to the end',
    makeHome,
    async (s) => {
      const job = await s.job();
      await fill(s, job, 2 * FORGET_STEP_ROWS);
      for (let steps = 0; ; steps++) {
        const ended = await s.store.forget(job);
        await s.crash();
        await assertGone(s, job);
        const { forgetting } = await s.store.recover(s.epoch);
        assert.deepEqual(forgetting, ended ? [] : [job]);
        await rejects(s.commit(aSegment(job, 1, 0, 1)), 'conflict');
        if (ended) break;
        await rejects(s.store.commit([aJob(job)], s.epoch), 'conflict');
        assert.ok(steps < 20, 'steps are not too small either');
      }
      assert.deepEqual(await s.store.readSegments(job, { after: 0 }, 1e6), []);
    },
  );

  rule('D8 a job that has not ended is not forgotten', makeHome, async (s) => {
    const job = await s.job();
    await rejects(s.store.forget(job), 'conflict', /not ended/);
    assert.equal((await s.store.readJob(job))?.id, job);
  });
}
