import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk } from '../../test/support/scheduler-desk.ts';
import { LOST_ATTEMPTS, RETRY_BACKOFF, SPECULATE_AFTER, SUSPECT_BATCH } from '../model/limits.ts';

test('R30: a segment says when its batch was granted, when it ended, and how long its tasks took', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1);
  const [grant] = desk.grants();
  const { startedAt } = desk.progress(job);
  desk.passSlowly(700, 'w1');
  desk.done(grant!, grant!.runs, 600);
  const [segment] = desk.table.of(job).segments;
  assert.deepEqual(
    [segment?.startedAt, segment?.endedAt, segment?.elapsedMicros],
    [startedAt, Math.round(startedAt! + 700), 600_000],
  );
});

test('R30 R25: a second copy is counted, and the attempt that was slower has a row', () => {
  const desk = new Desk();
  desk.join('slow');
  desk.join('fast');
  const job = desk.job(2);
  const [slow, fast] = desk.grants();
  desk.done(fast!, fast!.runs, 10);
  desk.passSlowly(SPECULATE_AFTER, 'slow', 'fast');
  assert.equal(desk.progress(job).copied, 1);
  const [copy] = desk.grants('ack');
  desk.passSlowly(50, 'slow', 'fast');
  desk.done(copy!);
  const [attempt, ...others] = desk.table.attempts;
  assert.deepEqual(others, []);
  const { index, worker, lease, outcome, startedAt, endedAt, message } = attempt!;
  assert.deepEqual(
    [index, worker, lease, outcome, message],
    [slow!.runs[0]!.start, 'slow', slow!.lease, 'superseded', 'worker fast was faster'],
  );
  assert.equal(endedAt - startedAt!, SPECULATE_AFTER + 50);
});

test('R30 R22: tasks that are taken back from a queue are counted', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(4);
  const [grant] = desk.grants();
  desk.join('w2');
  const [recall] = desk.sent();
  assert.ok(recall?.kind === 'recall');
  desk.release(grant!, recall.runs);
  assert.equal(desk.progress(job).recalled, 2);
});

test('R30: what is given back unasked is no recall', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1);
  const [grant] = desk.grants();
  desk.release(grant!, grant!.runs);
  assert.equal(desk.progress(job).recalled, undefined);
});

test('R30 R9: a failure that is tried again has a row that says when it began', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1, { retries: 1 });
  const [grant] = desk.grants();
  const { startedAt } = desk.progress(job);
  desk.passSlowly(40, 'w1');
  desk.fails(grant!, [0]);
  const [attempt] = desk.table.attempts;
  assert.deepEqual([attempt?.outcome, attempt?.startedAt], ['failed', startedAt]);
  desk.passSlowly(RETRY_BACKOFF, 'w1');
});

test('R30 R10: a large batch that was lost has a row as a whole, a small one a row for each task', () => {
  for (const tasks of [LOST_ATTEMPTS, SUSPECT_BATCH]) {
    const desk = new Desk();
    desk.join('w1');
    const job = desk.job(tasks + 4);
    const [first] = desk.grants();
    desk.done(first!, first!.runs, 0.01);
    assert.equal(desk.grants('ack')[0]?.runs[0]?.count, tasks);
    desk.leave('w1');
    desk.join('w2');
    const rows = desk.table.attempts;
    assert.ok(rows.every(({ outcome, worker }) => outcome === 'lost' && worker === 'w1'));
    assert.equal(rows.length, tasks > LOST_ATTEMPTS ? 1 : tasks);
    assert.equal(
      rows.reduce((sum, row) => sum + (row.tasks ?? 1), 0),
      desk.progress(job).lost,
    );
    assert.equal(desk.progress(job).lost, tasks);
  }
});

test('R27: explainJob says why tasks wait, whichever they are', () => {
  const desk = new Desk();
  const why = (job: number) => desk.scheduler.explainJob(job).reasons.join(' ');
  const job = desk.job(100, { retries: 1 });
  assert.match(why(job), /^No worker is connected\.$/);
  desk.join('w1');
  const [grant] = desk.grants();
  assert.match(why(job), /^All fitting slots are busy \(1 in 1 worker\)\.$/);
  desk.fails(grant!, [grant!.runs[0]!.start]);
  assert.match(why(job), /Of those that failed or were lost before, 1 task will be tried again, the first in 1\.0 s\./);
  assert.match(why(99), /not open/);
});
