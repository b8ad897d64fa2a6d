import assert from 'node:assert/strict';
import { aSegment } from '../store-records.ts';
import { inputsOf, type MakeHome, rule, textOf } from './home.ts';

/** Streams and pages. */
export function readRules(makeHome: MakeHome): void {
  segmentStreams(makeHome);
  taskPages(makeHome);
  past(makeHome);
  lists(makeHome);
}

function segmentStreams(makeHome: MakeHome): void {
  rule('D12 reading after a cursor gives each segment exactly once, in order', makeHome, async (s) => {
    const job = await s.job();
    const other = await s.job();
    for (let seq = 1; seq <= 20; seq++) {
      await s.commit(aSegment(job, seq, (seq % 3) * 10, 1), aSegment(other, seq, 0, 1));
    }
    const seen: number[] = [];
    for (let after = 0; ; ) {
      const found = await s.store.readSegments(job, { after }, 40);
      if (found.length === 0) break;
      assert.ok(found.length <= 4, 'about as many bytes as asked for');
      for (const { segment, column } of found) {
        assert.equal(textOf(column), `segment ${segment.seq} of ${job}`);
        seen.push(segment.seq);
      }
      after = seen.at(-1) as number;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
    const [first] = await s.store.readSegments(job, { after: 19 }, 0);
    assert.deepEqual(first?.segment, aSegment(job, 20, 20, 1).segment, 'at least one, whole');
  });

  rule('D12 the segments of one block can be read alone', makeHome, async (s) => {
    const job = await s.job();
    for (let seq = 1; seq <= 9; seq++) await s.commit(aSegment(job, seq, (seq % 3) * 10, 1));
    const numbers = async (block: number, after: number, bytes: number): Promise<number[]> =>
      (await s.store.readSegments(job, { block, after }, bytes)).map(({ segment }) => segment.seq);
    assert.deepEqual(await numbers(10, 0, 1e6), [1, 4, 7]);
    assert.deepEqual(await numbers(10, 1, 1e6), [4, 7]);
    assert.deepEqual(await numbers(10, 1, 1), [4]);
    assert.deepEqual(await numbers(30, 0, 1e6), []);
    assert.deepEqual(await s.store.readSegments(job + 1, { after: 0 }, 1e6), []);
  });
}

function taskPages(makeHome: MakeHome): void {
  rule('D12 a task is found in its last segment, with its attempts', makeHome, async (s) => {
    const job = await s.job();
    const runs = [
      { start: 100, count: 2 },
      { start: 105, count: 1 },
    ];
    await s.commit(
      aSegment(job, 1, 0, 50),
      { ...aSegment(job, 2, 100, 0, { runs }) },
      aSegment(job, 3, 102, 2, { block: 100 }),
      aSegment(job, 4, 105, 1, { block: 100, generation: 1 }),
    );
    const lost = { job, index: 105, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: 'gone' } as const;
    const failed = { ...lost, outcome: 'failed', endedAt: 2, message: 'boom' } as const;
    await s.commit(
      { kind: 'attempt', attempt: lost },
      { kind: 'attempt', attempt: { ...lost, index: 7 } },
      { kind: 'attempt', attempt: failed },
    );
    const seqOf = async (index: number): Promise<number | undefined> =>
      (await s.store.readTask(job, index)).segment?.segment.seq;
    assert.deepEqual(
      [await seqOf(0), await seqOf(49), await seqOf(50), await seqOf(101), await seqOf(103), await seqOf(105)],
      [1, 1, undefined, 2, 3, 4],
    );
    assert.deepEqual([await seqOf(104), await seqOf(1e9)], [undefined, undefined]);
    const history = await s.store.readTask(job, 105);
    assert.deepEqual(history.attempts, [lost, failed]);
    assert.equal(textOf(history.segment?.column), `segment 4 of ${job}`);
    assert.deepEqual(await s.store.readTask(job + 1, 0), { attempts: [] });
  });

  rule('D12 logs are read after a cursor, of a job or of one task', makeHome, async (s) => {
    const job = await s.job();
    const texts = Array.from({ length: 6 }, (_, at) => ({ at, index: at % 2 }));
    for (const { at, index } of texts) {
      await s.commit({ kind: 'log', log: { job, index, lease: 1, stream: 'stdout', at, text: `line ${at}` } });
    }
    const all = await s.store.readLogs(job, { after: 0, limit: 99 });
    assert.deepEqual(
      all.map(({ log }) => log.at),
      [0, 1, 2, 3, 4, 5],
    );
    const [, second] = all;
    const rest = await s.store.readLogs(job, { after: second?.cursor as number, limit: 2 });
    assert.deepEqual(
      rest.map(({ log }) => log.at),
      [2, 3],
    );
    const odd = await s.store.readLogs(job, { index: 1, after: second?.cursor as number, limit: 99 });
    assert.deepEqual(
      odd.map(({ log }) => log.text),
      ['line 3', 'line 5'],
    );
  });
}

function past(makeHome: MakeHome): void {
  rule('D17 batches are read without their values, one after the other or every n-th', makeHome, async (s) => {
    const job = await s.job();
    const other = await s.job();
    for (let seq = 1; seq <= 20; seq++) {
      await s.commit(aSegment(job, seq, seq, 1, { endedAt: 1_000 + seq }), aSegment(other, seq, 0, 1));
    }
    const numbers = async (after: number, step: number, limit: number, bytes = 1e6): Promise<number[]> =>
      (await s.store.readBatches(job, { after, step, limit }, bytes)).map(({ segment }) => segment.seq);
    assert.deepEqual(await numbers(0, 1, 3), [1, 2, 3]);
    assert.deepEqual(await numbers(17, 1, 99), [18, 19, 20]);
    assert.deepEqual(await numbers(1, 6, 99), [2, 8, 14, 20]);
    assert.deepEqual(await numbers(20, 1, 9), []);
    assert.deepEqual(await numbers(0, 1, 99, 1), [1], 'at least one');
    assert.equal((await numbers(0, 1, 99, 28)).length, 2, 'about as many bytes as asked for');
    const [first] = await s.store.readBatches(job, { after: 4, step: 1, limit: 1 }, 1);
    const { segment, column } = aSegment(job, 5, 5, 1, { endedAt: 1_005 });
    assert.deepEqual(first, { segment, bytes: column.length });
    assert.deepEqual(await s.store.readBatches(job + 2, { after: 0, step: 1, limit: 1 }, 1), []);
  });

  rule('D17 attempts of a job are read in the order in which they were written', makeHome, async (s) => {
    const job = await s.job();
    const other = await s.job();
    const lost = { index: 9, lease: 1, worker: 'w', outcome: 'lost', startedAt: 1, endedAt: 2, message: '' } as const;
    for (const index of [9, 3, 7]) {
      await s.commit({ kind: 'attempt', attempt: { ...lost, job, index } });
      await s.commit({ kind: 'attempt', attempt: { ...lost, job: other, index } });
    }
    const all = await s.store.readAttempts(job, { after: 0, limit: 9 });
    assert.deepEqual(
      all.map(({ attempt }) => attempt),
      [9, 3, 7].map((index) => ({ ...lost, job, index })),
    );
    const rest = await s.store.readAttempts(job, { after: all[0]?.cursor ?? 0, limit: 1 });
    assert.deepEqual(rest, [all[1]]);
    assert.deepEqual(await s.store.readAttempts(job, { after: all[2]?.cursor ?? 0, limit: 9 }), []);
  });
}

function lists(makeHome: MakeHome): void {
  rule('D3 jobs are listed newest first, page by page, by state', makeHome, async (s) => {
    const jobs: number[] = [];
    for (const state of ['active', 'done', 'failed', 'paused', 'done'] as const) jobs.push(await s.job({}, { state }));
    const list = async (query: Parameters<typeof s.store.listJobs>[0]): Promise<number[]> =>
      (await s.store.listJobs(query)).map(({ id }) => jobs.indexOf(id));
    assert.deepEqual(await list({ limit: 3 }), [4, 3, 2]);
    assert.deepEqual(await list({ limit: 9, before: jobs[2] as number }), [1, 0]);
    assert.deepEqual(await list({ limit: 9, states: ['done'] }), [4, 1]);
    assert.deepEqual(await list({ limit: 1, states: ['done', 'failed'], before: jobs[4] as number }), [2]);
    assert.deepEqual(await list({ limit: 9, states: [] }), []);
    await s.progress(jobs[0] as number, { state: 'cancelled' });
    assert.deepEqual(await list({ limit: 9, states: ['cancelled', 'active'] }), [0]);
  });

  rule('D6 a job without inputs lists no blocks', makeHome, async (s) => {
    const job = await s.job();
    assert.deepEqual(await s.store.listBlocks(job, 0, 9), []);
    assert.deepEqual(await s.store.listBlocks(job + 1, 0, 9), []);
    await s.commit(inputsOf(job, 0, 1));
    assert.deepEqual(await s.store.listBlocks(job, 1, 9), []);
  });
}
