import assert from 'node:assert/strict';
import type { JobId } from '../../model/ids.ts';
import type { Write } from '../../model/records.ts';
import { aJob, aLease, aSegment, bytesOf, progressOf, specOf } from '../store-records.ts';
import { aBlock, inputsOf, type MakeHome, rejects, rule, type Subject, textOf } from './home.ts';

/** What a commit does, and what it refuses. */
export function commitRules(makeHome: MakeHome): void {
  wholeGroups(makeHome);
  copiedBytes(makeHome);
  fullDisks(makeHome);
  inputRules(makeHome);
  refusals(makeHome);
  otherRecords(makeHome);
}

function wholeGroups(makeHome: MakeHome): void {
  rule('D4 what was committed is there after a crash', makeHome, async (s) => {
    const job = await s.job({ name: 'kept' });
    await s.commit(inputsOf(job, 0, 3), aSegment(job, 1, 0, 3), {
      kind: 'progress',
      job,
      progress: progressOf({ done: 3 }),
    });
    await s.crash();
    const found = await s.store.readJob(job);
    assert.deepEqual(found?.spec, specOf({ name: 'kept' }));
    assert.deepEqual(found?.progress, progressOf({ done: 3 }));
    assert.equal(textOf(await s.store.readInputs(job, 0)), 'inputs 0');
    assert.equal((await s.store.readSegments(job, { after: 0 }, 1)).length, 1);
  });

  rule('D4 of a refused group nothing is kept', makeHome, async (s) => {
    const job = await s.job();
    await s.commit(aLease(job, 0, 9, 1), aBlock(job, 0, 9));
    const before = await everything(s, job);
    const group: Write[] = [
      inputsOf(job, 0, 3),
      aSegment(job, 1, 0, 3),
      aBlock(job, 0, 9, { ended: Uint8Array.of(7) }),
      aBlock(job, 9, 9),
      aLease(job, 0, 3, 2),
      { kind: 'leaseEnded', lease: 2 ** 32 + 1 },
      { kind: 'progress', job, progress: progressOf({ done: 3 }) },
      { kind: 'attempt', attempt: { job, index: 1, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: '' } },
      { kind: 'log', log: { job, index: 1, lease: 1, stream: 'log', at: 1, text: '' } },
      { kind: 'blobRef', job, sha256: 'aa' },
      { kind: 'idempotency', owner: 'o', key: 'k', digest: 'd', job },
      { kind: 'token', token: { id: 't', hash: 'h', role: 'read', name: '', createdAt: 1 } },
      aJob(job + 1),
      { kind: 'blockEnded', job, first: 0 },
    ];
    await rejects(s.store.commit([...group, aJob(job)], s.epoch), 'conflict');
    assert.deepEqual(await everything(s, job), before);
    await s.commit(...group);
    assert.notDeepEqual(await everything(s, job), before);
  });
}

function copiedBytes(makeHome: MakeHome): void {
  rule('D4 the bytes are copied before the call returns', makeHome, async (s) => {
    const job = await s.job();
    const pool = Buffer.from('....inputs!....');
    const ended = Uint8Array.of(1, 2);
    const { segment } = aSegment(job, 1, 0, 2);
    const committed = s.commit(
      { kind: 'inputs', job, first: 0, count: 2, column: pool.subarray(4, 11) },
      { kind: 'segment', segment, column: pool.subarray(4, 10) },
      aBlock(job, 0, 2, { ended }),
    );
    pool.fill('x');
    ended.fill(9);
    await committed;
    assert.equal(textOf(await s.store.readInputs(job, 0)), 'inputs!');
    const [stored] = await s.store.readSegments(job, { after: 0 }, 1);
    assert.equal(textOf(stored?.column), 'inputs');
    const [block] = (await s.store.recover(s.epoch)).blocks;
    assert.deepEqual([...(block?.ended ?? [])], [1, 2]);
  });
}

function fullDisks(makeHome: MakeHome): void {
  rule(
    'D13 a full disk keeps nothing of the group, and the next commit works once there is room',
    makeHome,
    async (s) => {
      if (s.home.full === undefined) return;
      const job = await s.job();
      s.home.full(true);
      await rejects(s.store.commit([inputsOf(job, 0, 3)], s.epoch), 'full');
      await rejects(s.store.commit([inputsOf(job, 0, 3)], s.epoch), 'full');
      assert.equal(await s.store.readInputs(job, 0), undefined);
      s.home.full(false);
      await s.commit(inputsOf(job, 0, 3));
      assert.equal(textOf(await s.store.readInputs(job, 0)), 'inputs 0');
    },
  );
}

/** All that can be read, but the log cursors. */
async function everything({ store, epoch }: Subject, job: JobId): Promise<unknown> {
  return {
    jobs: await store.listJobs({ limit: 99 }),
    recovered: await store.recover(epoch),
    blocks: await store.listBlocks(job, 0, 99),
    segments: await store.readSegments(job, { after: 0 }, 1e6),
    task: await store.readTask(job, 1),
    logs: (await store.readLogs(job, { after: 0, limit: 99 })).map(({ log }) => log),
    tokens: await store.listTokens(),
    idempotent: await store.findIdempotent('o', 'k'),
    unreferenced: await store.unreferenced(['aa']),
  };
}

function inputRules(makeHome: MakeHome): void {
  rule('D6 blocks of inputs follow each other, and a second write of one is ignored', makeHome, async (s) => {
    const job = await s.job();
    await s.commit(inputsOf(job, 0, 3), inputsOf(job, 3, 2));
    await s.commit(inputsOf(job, 0, 3), inputsOf(job, 5, 1), inputsOf(job, 5, 1));
    assert.deepEqual(await s.store.listBlocks(job, 0, 9), [
      { first: 0, count: 3 },
      { first: 3, count: 2 },
      { first: 5, count: 1 },
    ]);
    assert.deepEqual(await s.store.listBlocks(job, 1, 1), [{ first: 3, count: 2 }]);
    assert.equal(await s.store.readInputs(job, 1), undefined);
  });

  rule('D6 gaps, overlaps and other bytes are refused', makeHome, async (s) => {
    const job = await s.job();
    await rejects(s.commit(inputsOf(job, 1, 1)), 'conflict', /end at 0/);
    await s.commit(inputsOf(job, 0, 3));
    await rejects(s.commit(inputsOf(job, 4, 1)), 'conflict', /end at 3/);
    await rejects(s.commit(inputsOf(job, 1, 2)), 'conflict');
    await rejects(s.commit(inputsOf(job, 0, 3, 'other')), 'conflict', /block 0/);
    await rejects(s.commit(inputsOf(job, 0, 2)), 'conflict');
    assert.equal(textOf(await s.store.readInputs(job, 0)), 'inputs 0');
  });
}

function refusals(makeHome: MakeHome): void {
  rule('D14 writes for a job that is not there are refused; late logs are dropped', makeHome, async (s) => {
    const job = 77;
    const writes: Write[] = [
      { kind: 'progress', job, progress: progressOf() },
      inputsOf(job, 0, 1),
      aBlock(job, 0, 1),
      { kind: 'blockEnded', job, first: 0 },
      aLease(job, 0, 1, 1),
      aSegment(job, 1, 0, 1),
      { kind: 'attempt', attempt: { job, index: 0, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: '' } },
      { kind: 'blobRef', job, sha256: 'aa' },
      { kind: 'idempotency', owner: 'o', key: 'k', digest: 'd', job },
    ];
    for (const write of writes) await rejects(s.commit(write), 'conflict', /job 77/);
    await s.commit({ kind: 'log', log: { job, index: 0, lease: 1, stream: 'log', at: 1, text: 'late' } });
    await s.commit({ kind: 'leaseEnded', lease: 12 });
    assert.deepEqual(await s.store.readLogs(job, { after: 0, limit: 9 }), []);
  });

  rule('D14 a number is one job, and an idempotency key means one thing', makeHome, async (s) => {
    const job = await s.job({ name: 'first' });
    await rejects(s.commit(aJob(job, { name: 'second' })), 'conflict', /there already/);
    assert.equal((await s.store.readJob(job))?.spec.name, 'first');
    const key = { kind: 'idempotency', owner: 'o', key: 'k', digest: 'd', job } as const;
    await s.commit(key);
    await s.commit(key);
    await rejects(s.commit({ ...key, digest: 'e' }), 'conflict', /'k'/);
    assert.deepEqual(await s.store.findIdempotent('o', 'k'), { job, digest: 'd' });
    assert.equal(await s.store.findIdempotent('o', 'other'), undefined);
    assert.equal(await s.store.findIdempotent('other', 'k'), undefined);
  });

  rule('D12 segments out of turn are refused, and those that hide which tasks failed', makeHome, async (s) => {
    const job = await s.job();
    // Where servers share the data, the store gives the numbers (D19).
    const isShared = s.store.shared !== undefined;
    if (!isShared) await rejects(s.commit(aSegment(job, 2, 0, 1)), 'conflict', /next one is 1/);
    await s.commit(aSegment(job, 1, 0, 1));
    if (!isShared) await rejects(s.commit(aSegment(job, 1, 0, 1)), 'conflict', /next one is 2/);
    await rejects(s.commit(aSegment(job, 2, 0, 4, { failed: 2 })), 'conflict', /2 tasks failed/);
    await s.commit(
      aSegment(job, 2, 0, 4, { failed: 4 }),
      aSegment(job, 3, 4, 4, { failed: 1, failures: [{ start: 5, count: 1 }] }),
    );
  });
}

function otherRecords(makeHome: MakeHome): void {
  rule('D9 a blob that a job refers to is not garbage, nor are its codes', makeHome, async (s) => {
    const code = { runner: 'js', sha256: 'cc', size: 1, sourceName: 'a.ts' } as const;
    const job = await s.job({ code, variants: [{ ...code, runner: 'wasi', sha256: 'ee' }] });
    await s.commit({ kind: 'blobRef', job, sha256: 'aa' }, { kind: 'blobRef', job, sha256: 'aa' });
    assert.deepEqual(await s.store.unreferenced(['aa', 'bb', 'cc', 'dd', 'ee']), ['bb', 'dd']);
    assert.deepEqual(await s.store.unreferenced([]), []);
  });

  rule('D4 tokens are kept and can be changed', makeHome, async (s) => {
    const token = { id: 'b', hash: 'h1', role: 'admin', name: 'first', createdAt: 1 } as const;
    await s.commit({ kind: 'token', token }, { kind: 'token', token: { ...token, id: 'a', expiresAt: 5 } });
    await s.commit({ kind: 'token', token: { ...token, revokedAt: 9 } });
    await s.restart();
    assert.deepEqual(await s.store.listTokens(), [
      { ...token, id: 'a', expiresAt: 5 },
      { ...token, revokedAt: 9 },
    ]);
  });

  rule('D4 large and empty columns come back as they were', makeHome, async (s) => {
    const job = await s.job();
    const large = new Uint8Array(700_000).map((_, at) => (at * 31) % 251);
    await s.commit(
      { kind: 'inputs', job, first: 0, count: 4, column: large },
      { kind: 'inputs', job, first: 4, count: 4, column: bytesOf('') },
      { ...aSegment(job, 1, 0, 4), column: large },
      { ...aSegment(job, 2, 4, 4), column: bytesOf('') },
    );
    assert.ok(Buffer.compare((await s.store.readInputs(job, 0)) as Uint8Array, large) === 0);
    assert.equal((await s.store.readInputs(job, 4))?.length, 0);
    const [first, second] = await s.store.readSegments(job, { after: 0 }, 1e6);
    assert.ok(Buffer.compare(first?.column as Uint8Array, large) === 0);
    assert.equal(second?.column.length, 0);
  });
}
