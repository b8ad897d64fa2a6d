import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WORKER_HISTORIES, WORKER_HISTORY_JOBS } from '../model/limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import { WorkerHistories } from './worker-history.ts';

const segment = (worker: string, job: number, more: Partial<SegmentRecord> = {}): SegmentRecord => ({
  job,
  seq: 1,
  block: 0,
  generation: 0,
  runs: [{ start: 0, count: 10 }],
  failed: 1,
  worker,
  lease: 1,
  startedAt: 1_000,
  elapsedMicros: 5_000,
  ...more,
});

test('what a worker did of a job is one entry, the job it worked on last is the first', () => {
  const histories = new WorkerHistories(500);
  histories.recorded(segment('w', 1));
  histories.recorded(segment('w', 2));
  histories.recorded(segment('w', 1, { startedAt: 2_000, failed: 0 }));
  histories.recorded(segment('', 3));
  assert.deepEqual(histories.of('w'), [
    { job: 1, done: 19, failed: 1, from: 1_000, until: 2_005, busyMicros: 10_000 },
    { job: 2, done: 9, failed: 1, from: 1_000, until: 1_005, busyMicros: 5_000 },
  ]);
  assert.deepEqual([histories.of('x'), histories.of('')], [[], []]);
});

test('only so many jobs and workers are remembered, those that did something last', () => {
  const histories = new WorkerHistories(500);
  for (let job = 1; job <= WORKER_HISTORY_JOBS + 5; job++) histories.recorded(segment('w', job));
  assert.deepEqual(
    [histories.of('w').length, histories.of('w')[0]?.job],
    [WORKER_HISTORY_JOBS, WORKER_HISTORY_JOBS + 5],
  );
  for (let i = 0; i < WORKER_HISTORIES; i++) {
    histories.recorded(segment(`w${i}`, 1));
    histories.recorded(segment('w', 1));
  }
  assert.equal(histories.of('w0').length, 0);
  assert.equal(histories.of('w')[0]?.job, 1);
});
