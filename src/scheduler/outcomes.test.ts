import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import { SETTLED_LEASES } from '../model/limits.ts';

function verdicts(desk: Desk): [string, number][] {
  return desk
    .sent()
    .flatMap((command) =>
      command.kind === 'ack' ? [[command.verdict, command.runs[0]!.start] as [string, number]] : [],
    );
}

function oneGrant(desk: Desk, count = 4, changes = {}): Grant {
  desk.join('w1');
  desk.job(count, changes);
  return desk.grants()[0]!;
}

test('R6 F-4: the same outcome again is a duplicate and changes no counter', () => {
  const desk = new Desk();
  const grant = oneGrant(desk);
  const part = [{ start: 0, count: 2 }];
  desk.done(grant, part);
  const before = desk.progress(1);
  desk.sent();
  desk.done(grant, part);
  assert.deepEqual(verdicts(desk), [['duplicate', 0]]);
  const { done, failed, segments, busyMicros } = desk.progress(1);
  assert.deepEqual(
    [done, failed, segments, busyMicros],
    [before.done, before.failed, before.segments, before.busyMicros],
  );
  desk.done(grant, [{ start: 1, count: 3 }]);
  assert.deepEqual(verdicts(desk), [
    ['recorded', 2],
    ['duplicate', 1],
  ]);
});

test('R6: also when the lease, or the whole job, is over', () => {
  const desk = new Desk();
  const grant = oneGrant(desk);
  desk.done(grant);
  assert.equal(desk.progress(1).state, 'done');
  desk.sent();
  desk.done(grant);
  assert.deepEqual(verdicts(desk), [['duplicate', 0]]);
  desk.quiet();
});

test('R6 F-16: an outcome that comes after the job ended is superseded', () => {
  const desk = new Desk();
  const grant = oneGrant(desk);
  desk.cancel(1);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['revoke', 'dropBlock', 'reply'],
  );
  desk.done(grant);
  assert.deepEqual(verdicts(desk), [['superseded', 0]]);
  assert.deepEqual([desk.progress(1).done, desk.progress(1).cancelled], [0, 4]);
});

test('R6 F-8 S3: a lease of another worker, or one that never was, is unknown', () => {
  const desk = new Desk();
  const grant = oneGrant(desk);
  desk.join('w2');
  desk.sent();
  desk.done({ ...grant, worker: 'w2' });
  assert.deepEqual(verdicts(desk), [['unknown', 0]]);
  desk.done({ ...grant, lease: grant.lease + 1_000_000 });
  assert.deepEqual(verdicts(desk), [['unknown', 0]]);
  desk.done({ ...grant, job: 77 });
  assert.deepEqual(verdicts(desk), [['unknown', 0]]);
  desk.done(grant, [{ start: 0, count: 5 }]);
  assert.deepEqual(verdicts(desk), [
    ['recorded', 0],
    ['unknown', 4],
  ]);
});

test('R6: of leases that were settled long ago nothing is known but that they were', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 1);
  desk.done(grant);
  const job = desk.submit();
  desk.sent();
  for (let i = 0; i <= SETTLED_LEASES; i++) {
    const added = desk.scheduler.handle({ kind: 'inputsAdded', request: 0, job, first: i, count: 1 }, desk.now);
    const next = added.find((command) => command.kind === 'grant');
    assert.ok(next?.kind === 'grant');
    const { worker, lease, runs } = next;
    desk.scheduler.handle({ kind: 'outcomes', worker, lease, job, runs, failures: [], elapsedMicros: 1 }, desk.now);
  }
  const again = {
    kind: 'outcomes',
    worker: 'w1',
    lease: grant.lease,
    job: 1,
    runs: grant.runs,
    failures: [],
    elapsedMicros: 1,
  } as const;
  const said = desk.scheduler.handle(again, desk.now).filter(({ kind }) => kind !== 'publish');
  assert.deepEqual(said, [{ kind: 'ack', worker: 'w1', lease: grant.lease, verdict: 'superseded', runs: grant.runs }]);
});

test('R6 F-3: a late result of an expired lease is welcome', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 1);
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  desk.done(grant);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'revoke', 'dropBlock'],
  );
  desk.done(second!);
  assert.deepEqual(verdicts(desk), [['superseded', 0]]);
});

test('R6: unless the job is fenced', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 1, { fenced: true });
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  desk.done(grant);
  assert.deepEqual(verdicts(desk), [['superseded', 0]]);
  desk.done(second!);
  assert.deepEqual(verdicts(desk), [['recorded', 0]]);
});

test('R6: a failure counts only while the task is the lease’s own', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 1);
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  desk.fails(grant, [0]);
  assert.deepEqual(verdicts(desk), [['superseded', 0]]);
  desk.done(second!);
  assert.deepEqual([desk.progress(1).done, desk.progress(1).failed], [1, 0]);
});

test('R7: a message with outcomes of every sort gets one verdict for each task', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 4, { retries: 1 });
  desk.done(grant, [{ start: 0, count: 1 }]);
  desk.sent();
  desk.done(grant, [{ start: 0, count: 6 }], 1, [{ index: 2, kind: 'failed', message: 'boom' }]);
  assert.deepEqual(
    desk.sent().map((command) => command.kind === 'ack' && [command.verdict, command.runs]),
    [
      ['recorded', [{ start: 1, count: 3 }]],
      ['duplicate', [{ start: 0, count: 1 }]],
      ['unknown', [{ start: 4, count: 2 }]],
    ],
  );
  const { segments } = desk.table.of(1);
  assert.deepEqual(
    segments.at(-1)?.runs,
    [
      { start: 1, count: 1 },
      { start: 3, count: 1 },
    ],
    'a retried task is not recorded',
  );
});

test('R8: the end of a task stops its other copies', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 2);
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  desk.join('w1', {}, [{ lease: grant.lease, runs: [...grant.runs] }]);
  desk.quiet();
  desk.done(second!, [{ start: 0, count: 1 }]);
  assert.deepEqual(
    desk.sent().filter(({ kind }) => kind === 'revoke'),
    [{ kind: 'revoke', worker: 'w1', lease: grant.lease, runs: [{ start: 0, count: 1 }] }],
  );
});

test('R17: progress tells where every task is, and the means and failures of segments are right', () => {
  const desk = new Desk();
  const grant = oneGrant(desk, 10);
  desk.done(grant, [{ start: 0, count: 3 }], 2, [{ index: 1, kind: 'crash', message: 'died' }]);
  const { total, done, failed, busyMicros, startedAt } = desk.progress(1);
  assert.deepEqual([total, done, failed, busyMicros], [10, 2, 1, 6_000]);
  assert.ok(startedAt !== undefined && startedAt > 1e12);
  const view = desk.scheduler.job(1)!;
  assert.equal(view.waiting + view.running + done + failed, total);
  const segment = desk.table.of(1).segments[0]!;
  assert.deepEqual([segment.failed, segment.failures, segment.attempts], [1, [{ start: 1, count: 1 }], [[1, 1]]]);
});
