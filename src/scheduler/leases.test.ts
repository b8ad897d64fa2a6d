import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import {
  ADOPTION_GRACE,
  BROWSER_ADOPTION_GRACE,
  BROWSER_LEASE_TIME,
  LATE_TICK,
  LEASE_TIME,
  SPECULATE_AFTER,
} from '../model/limits.ts';

/** A job whose tasks are known to take this long, so that batches have a known size; its tasks so far have ended. */
function measuredJob(desk: Desk, count: number, millis: number, changes = {}): { job: number; grant: Grant } {
  const job = desk.job(count, changes);
  const [grant] = desk.grants();
  desk.done(grant!, grant!.runs, millis);
  const [next] = desk.grants('ack', 'dropBlock');
  return { job, grant: next! };
}

test('R2: a single task needs one event: its input, block and lease rows and its grant come together', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.submit();
  desk.sent();
  const commands = desk.post({ kind: 'inputsAdded', request: 9, job, first: 0, count: 1 });
  const kinds = commands.map((command) => (command.kind === 'write' ? command.write.kind : command.kind));
  assert.deepEqual(kinds.filter((kind) => kind !== 'publish').sort(), [
    'block',
    'grant',
    'inputs',
    'lease',
    'progress',
    'reply',
  ]);
  const [grant] = desk.grants();
  assert.deepEqual(grant?.runs, [{ start: 0, count: 1 }]);
  assert.deepEqual([...desk.table.leases.keys()], [grant?.lease]);
  desk.quiet();
});

test('R1 R7: a task is granted once, and its outcome is acked once', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.join('w2');
  desk.job(1);
  const grants = desk.grants();
  assert.equal(grants.length, 1);
  desk.done(grants[0]!);
  const { worker, lease, runs } = grants[0]!;
  assert.deepEqual(desk.sent(), [
    { kind: 'ack', worker, lease, verdict: 'recorded', runs },
    { kind: 'dropBlock', job: 1, first: 0 },
  ]);
  assert.equal(desk.progress(1).state, 'done');
  assert.equal(desk.table.leases.size, 0);
});

test('R3 L2: a silent worker loses its leases after LEASE_TIME, one that is heard of keeps them', () => {
  const desk = new Desk();
  desk.join('silent');
  desk.join('heard');
  desk.job(2);
  const [first, second] = desk.grants();
  assert.deepEqual([first?.worker, second?.worker], ['silent', 'heard']);
  desk.passSlowly(LEASE_TIME - 1, 'heard');
  desk.quiet();
  desk.passSlowly(1, 'heard');
  assert.equal(desk.scheduler.worker('silent')?.state, 'lost');
  assert.deepEqual(desk.scheduler.worker('heard')?.busy, 1);
  desk.done(second!);
  const [again] = desk.grants('ack');
  assert.deepEqual([again?.worker, again?.runs], ['heard', first?.runs]);
  desk.quiet();
});

test('R3: a browser may be silent for longer', () => {
  const desk = new Desk();
  desk.join('phone', { kind: 'browser' });
  desk.job(1);
  desk.grants();
  desk.passSlowly(BROWSER_LEASE_TIME - 1);
  assert.equal(desk.scheduler.worker('phone')?.state, 'ready');
  desk.passSlowly(1);
  assert.equal(desk.scheduler.worker('phone')?.state, 'lost');
  desk.quiet();
});

test('R3 F-28: when this machine slept, nobody is lost for having been silent meanwhile', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  desk.grants();
  desk.pass(LEASE_TIME + LATE_TICK + 1);
  assert.equal(desk.scheduler.worker('w1')?.state, 'ready');
  desk.passSlowly(LEASE_TIME);
  assert.equal(desk.scheduler.worker('w1')?.state, 'lost');
  desk.quiet();
});

test('R3 F-2: a worker that wakes on the same connection goes on with what nobody else was given', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  const [grant] = desk.grants();
  desk.passSlowly(LEASE_TIME);
  desk.post({ kind: 'workerHeard', worker: 'w1' });
  assert.equal(desk.scheduler.worker('w1')?.state, 'ready');
  desk.done(grant!);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'dropBlock'],
  );
  assert.equal(desk.progress(1).lost, 0);
});

test('R4 F-1: tasks of a closed connection are ready at once, after the other ready tasks of the job', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(20);
  const [lost] = desk.grants();
  desk.leave('w1');
  desk.quiet();
  desk.join('w2');
  const orders: number[] = [];
  for (;;) {
    const grants = desk.grants('ack', 'dropBlock', 'recall');
    if (grants.length === 0) break;
    for (const grant of grants) {
      orders.push(grant.runs[0]!.start);
      desk.done(grant, grant.runs, 400);
    }
  }
  assert.equal(orders.indexOf(lost!.runs[0]!.start), orders.length - lost!.runs[0]!.count);
  assert.equal(desk.progress(job).state, 'done');
  assert.equal(desk.progress(job).lost, lost!.runs[0]!.count);
});

test('R4 F-10: a worker that comes back keeps what nobody else was given', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(4);
  const [grant] = desk.grants();
  desk.leave('w1');
  desk.join('w1', {}, [{ lease: grant!.lease, runs: [...grant!.runs] }]);
  desk.quiet();
  desk.done(grant!);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'dropBlock'],
  );
  assert.deepEqual([desk.progress(job).state, desk.progress(job).lost], ['done', 0]);
});

test('R4 R1 R8: of what another was given meanwhile both copies run, and the slower is revoked', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  const [first] = desk.grants();
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  assert.equal(second?.worker, 'w2');
  desk.join('w1', {}, [{ lease: first!.lease, runs: [...first!.runs] }]);
  desk.quiet();
  desk.done(first!);
  const said = desk.sent();
  assert.deepEqual(
    said.map(({ kind }) => kind),
    ['ack', 'revoke', 'dropBlock'],
  );
  assert.deepEqual(said[1], { kind: 'revoke', worker: 'w2', lease: second!.lease, runs: second!.runs });
  desk.done(second!);
  assert.deepEqual(desk.sent(), [
    { kind: 'ack', worker: 'w2', lease: second!.lease, verdict: 'superseded', runs: second!.runs },
  ]);
  assert.equal(desk.progress(1).done, 1);
});

test('R4: a third copy of a task is revoked', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  const [first] = desk.grants();
  desk.leave('w1');
  desk.join('w2');
  const [second] = desk.grants();
  desk.leave('w2');
  desk.join('w3');
  desk.grants();
  desk.join('w1', {}, [{ lease: first!.lease, runs: [...first!.runs] }]);
  desk.quiet();
  desk.join('w2', {}, [{ lease: second!.lease, runs: [...second!.runs] }]);
  assert.deepEqual(desk.sent(), [{ kind: 'revoke', worker: 'w2', lease: second!.lease, runs: second!.runs }]);
});

test('R4: a final goodbye frees tasks like any others: no loss is counted', () => {
  const desk = new Desk();
  desk.join('w1');
  const { job, grant } = measuredJob(desk, 5, 400);
  desk.leave('w1', true);
  desk.join('w2');
  const [again] = desk.grants();
  assert.deepEqual([again?.runs, again?.alone], [grant.runs, false]);
  assert.equal(desk.progress(job).lost, 0);
});

test('R5 F-18: after a restart a worker keeps exactly what its hello names; the rest is ready at once', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(40);
  const [first] = desk.grants();
  desk.restart();
  desk.join('w2');
  const others = desk.grants('claimMore');
  assert.ok(others.length > 0, 'other tasks flow meanwhile');
  assert.ok(others.every(({ runs }) => runs[0]!.start >= 4));
  const kept = [{ start: first!.runs[0]!.start, count: 1 }];
  desk.join('w1', {}, [{ lease: first!.lease, runs: kept }]);
  const omitted = desk.sent();
  assert.deepEqual(omitted, [], 'both slots are busy');
  desk.done(first!, kept);
  assert.deepEqual(desk.sent()[0], { kind: 'ack', worker: 'w1', lease: first!.lease, verdict: 'recorded', runs: kept });
  assert.equal(desk.progress(job).lost, 0);
});

for (const [kind, grace] of [
  ['node', ADOPTION_GRACE],
  ['browser', BROWSER_ADOPTION_GRACE],
] as const) {
  test(`R5: leases of a ${kind} worker that does not come back are ready after ${grace} ms`, () => {
    const desk = new Desk();
    desk.join('w1', { kind });
    desk.job(1);
    const [first] = desk.grants();
    desk.restart();
    desk.join('w2');
    assert.deepEqual(desk.grants('claimMore'), []);
    desk.passSlowly(grace - 1, 'w2');
    desk.quiet();
    desk.passSlowly(1, 'w2');
    const [again] = desk.grants();
    assert.deepEqual([again?.worker, again?.runs], ['w2', first?.runs]);
    desk.quiet();
  });
}

test('R5: what a hello names and nobody knows is revoked', () => {
  const desk = new Desk();
  const runs = [{ start: 3, count: 2 }];
  desk.join('w1', {}, [{ lease: 2 ** 40, runs }]);
  assert.deepEqual(desk.sent(), [{ kind: 'revoke', worker: 'w1', lease: 2 ** 40, runs }]);
});

test('R5: of two recovered leases with the same task the newer has it, and the older may still deliver', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  const [older] = desk.grants();
  desk.leave('w1');
  desk.join('w2');
  const [newer] = desk.grants();
  desk.restart();
  assert.equal(desk.scheduler.job(1)?.running, 1);
  desk.join('w2', {}, [{ lease: newer!.lease, runs: [...newer!.runs] }]);
  desk.join('w1', {}, [{ lease: older!.lease, runs: [...older!.runs] }]);
  desk.sent();
  desk.done(older!);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'revoke', 'dropBlock'],
  );
});

test('R5 R6: what failed under a newer lease may still succeed under the older one, also after a restart', () => {
  const desk = new Desk();
  desk.join('slow');
  desk.join('fast');
  const job = desk.job(2, { retries: 3 });
  const [slow, fast] = desk.grants();
  desk.done(fast!, fast!.runs, 10);
  desk.passSlowly(SPECULATE_AFTER, 'slow', 'fast');
  const [copy] = desk.grants('ack');
  assert.deepEqual(copy?.runs, slow?.runs);
  desk.post({ kind: 'workerDrained', request: 0, worker: 'fast', drain: true });
  desk.fails(copy!, [slow!.runs[0]!.start]);
  desk.restart();
  desk.join('slow', {}, [{ lease: slow!.lease, runs: [...slow!.runs] }]);
  desk.sent();
  desk.done(slow!);
  const [ack] = desk.sent();
  assert.ok(ack?.kind === 'ack' && ack.verdict === 'recorded', JSON.stringify(ack));
  assert.equal(desk.progress(job).state, 'done');
});

test('R5 F-19: recovering twice, with nothing in between, gives the same', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(300, { retries: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.restart();
  const once = [desk.scheduler.jobs(), desk.table.recovered(9)];
  desk.restart();
  assert.deepEqual([desk.scheduler.jobs(), desk.table.recovered(9)], once);
});

test('R5: what a hello omits is ready at once, and its loss is not counted: the process lives', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1);
  const [first] = desk.grants();
  desk.restart();
  desk.join('w2');
  desk.sent();
  desk.join('w1', {}, []);
  const [again] = desk.grants('claimMore');
  assert.deepEqual(again?.runs, first?.runs);
  assert.equal(desk.progress(job).lost, 0);
});
