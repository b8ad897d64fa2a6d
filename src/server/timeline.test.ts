import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAGE_ROWS_MAX } from '../model/limits.ts';
import { TIMELINE_BYTES } from '../model/past-limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import { MemoryDisk } from '../store/memory/memory-disk.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { aJob, aSegment } from '../testing/store-records.ts';
import { BEYOND, type TimelineSource, timelineOf } from './timeline.ts';

const START = 1_700_000_000_000;

/** A store with a job whose batches ended a millisecond after each other. */
async function past(batches: number, part: (seq: number) => Partial<SegmentRecord> = () => ({})) {
  const store = new MemoryStore(new MemoryDisk());
  const epoch = await store.start();
  const job = await store.nextJobId();
  const segments = Array.from({ length: batches }, (_, i) =>
    aSegment(job, i + 1, i * 10, 10, { endedAt: START + i + 1, elapsedMicros: 500, ...part(i + 1) }),
  );
  await store.commit([aJob(job), ...segments], epoch);
  const source: TimelineSource = { store, scheduler: undefined, segments: batches, now: START + 10 * batches };
  return { store, epoch, job, source };
}

const all = { kind: 'between', from: 0, to: Number.MAX_SAFE_INTEGER } as const;

describe('the past of a job', () => {
  test('is told whole where it is short', async () => {
    const { job, source } = await past(3, (seq) =>
      seq === 2 ? { failed: 1, failures: [{ start: 11, count: 1 }] } : {},
    );
    const told = await timelineOf(source, job, { ...all, limit: 100 });
    assert.deepEqual([told.batches, told.step, told.bars.length, told.isCut], [3, 1, 3, false]);
    const { seq, from, to, micros, first, tasks, failed } = told.bars[1] ?? assert.fail();
    assert.deepEqual([seq, from, to, micros], [2, START + 1.5, START + 2, 500]);
    assert.deepEqual([first, tasks, failed], [10, 10, 1]);
  });

  test('is told in even steps where it is long, and in full where one looks closely', async () => {
    const { job, source } = await past(20_000);
    const whole = await timelineOf(source, job, { ...all, limit: 1_000 });
    assert.deepEqual([whole.batches, whole.step, whole.bars.length], [20_000, 20, 1_000]);
    assert.deepEqual([whole.bars[0]?.seq, whole.bars[999]?.seq], [1, 19_981]);
    const from = START + 5_000;
    const close = await timelineOf(source, job, { kind: 'between', from, to: from + 100, limit: 1_000 });
    assert.equal(close.step, 1);
    assert.equal(close.bars[0]?.seq, 5_000);
    assert.ok(close.bars.length >= 100 && close.bars.length <= 100 + BEYOND, `${close.bars.length}`);
    assert.ok(close.bars.every((bar) => bar.from <= from + 100 && bar.to >= from));
  });

  test('holds those that began in the time asked for and ended later', async () => {
    const long = { endedAt: START + 900, elapsedMicros: 895_000 };
    const { job, source } = await past(50, (seq) => (seq === 50 ? long : {}));
    const told = await timelineOf(source, job, { kind: 'between', from: START, to: START + 10, limit: 100 });
    assert.ok(told.bars.some(({ seq }) => seq === 50));
    assert.ok(!told.bars.some(({ seq }) => seq === 40));
  });

  test('can be read to its end, page by page, each batch once', async () => {
    const { job, source } = await past(2_500);
    const seen: number[] = [];
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: Awaited<ReturnType<typeof timelineOf>> = await timelineOf(source, job, {
        kind: 'after',
        after,
        limit: 700,
      });
      assert.ok(page.bars.length <= 700);
      seen.push(...page.bars.map(({ seq }) => seq));
      after = page.next;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 2_500 }, (_, i) => i + 1),
    );
  });

  test('of data of version 1 is told as far as it is known', async () => {
    const { job, source } = await past(2);
    const old = {
      ...source,
      store: { ...source.store, readBatches: withoutEnds(source), readAttempts: async () => [] },
    };
    const told = await timelineOf(old, job, { ...all, limit: 9 });
    assert.deepEqual(
      told.bars.map(({ from, to }) => [from, to]),
      [1, 2].map(() => [1_700_000_001_000.5, 1_700_000_001_001]),
    );
  });

  test('costs a bounded number of bytes, however large the values are', async () => {
    const { job, source } = await past(3_000);
    let read = 0;
    const readBatches: typeof source.store.readBatches = async (id, query, most) => {
      const found = await source.store.readBatches(
        id,
        { ...query, limit: Math.min(query.limit, Math.ceil(most / 700_000)) },
        most,
      );
      read += found.length * 700_000;
      return found.map((each) => ({ ...each, bytes: 700_000 }));
    };
    const { readAttempts } = source.store;
    const store = { readBatches, readAttempts: readAttempts.bind(source.store) };
    const told = await timelineOf({ ...source, store }, job, { ...all, limit: 4_000 });
    assert.ok(read < TIMELINE_BYTES * 1.5, `${read} bytes`);
    assert.ok(told.bars.length > 50 && told.step > 10, `${told.bars.length} in steps of ${told.step}`);
    assert.ok((told.bars.at(-1)?.seq ?? 0) > 2_900, 'the whole of it');
  });

  test('tells what came to nothing, as much as fits', async () => {
    const { store, epoch, job, source } = await past(1);
    const attempt = { job, lease: 1, worker: 'w', outcome: 'lost', startedAt: START, message: 'gone' } as const;
    const many = Array.from({ length: PAGE_ROWS_MAX + 5 }, (_, i) => ({
      ...attempt,
      index: i,
      endedAt: START + i,
    }));
    await store.commit(
      many.map((each) => ({ kind: 'attempt', attempt: each }) as const),
      epoch,
    );
    const told = await timelineOf(source, job, { ...all, limit: 9 });
    assert.deepEqual([told.attempts.length, told.isCut], [PAGE_ROWS_MAX, true]);
    const late = await timelineOf(source, job, { ...all, from: START + PAGE_ROWS_MAX, limit: 9 });
    assert.deepEqual([late.attempts.length, late.isCut], [5, false]);
  });
});

function withoutEnds({ store }: TimelineSource): TimelineSource['store']['readBatches'] {
  return async (...asked) =>
    (await store.readBatches(...asked)).map(({ segment: { endedAt: _, ...segment }, bytes }) => ({ segment, bytes }));
}
