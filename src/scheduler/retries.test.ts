import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import {
  FIRST_FAILURES,
  LEASE_TIME,
  POISON_WORKERS,
  RETRY_BACKOFF,
  RETRY_BACKOFF_MAX,
  SPECULATE_AFTER,
  SUSPECT_BATCH,
} from '../model/limits.ts';
import { countRuns } from '../model/runs.ts';

test('R9: a failed task is tried again after a backoff that doubles, then its failure is recorded', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1, { retries: 7 });
  let wait = RETRY_BACKOFF;
  for (let attempt = 1; attempt <= 7; attempt++) {
    const [grant] = desk.grants();
    desk.fails(grant!, [0]);
    assert.deepEqual(
      desk.sent().map(({ kind }) => kind),
      ['ack'],
    );
    desk.passSlowly(wait - 1, 'w1');
    desk.quiet();
    desk.passSlowly(1, 'w1');
    wait = Math.min(wait * 2, RETRY_BACKOFF_MAX);
  }
  const [last] = desk.grants();
  desk.fails(last!, [0]);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'dropBlock'],
  );
  const { state, failed, retried } = desk.progress(job);
  assert.deepEqual([state, failed, retried], ['failed', 1, 7]);
  assert.deepEqual(desk.table.of(job).segments[0]?.attempts, [[0, 8]]);
  assert.equal(desk.table.attempts.length, 7);
});

test('R9: a task that succeeds after failing says how many attempts it took', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(2, { retries: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.done(grant!, [{ start: 1, count: 1 }]);
  desk.passSlowly(RETRY_BACKOFF, 'w1');
  const [again] = desk.grants('ack');
  desk.done(again!);
  assert.deepEqual(desk.table.of(job).segments.at(-1)?.attempts, [[0, 2]]);
  assert.equal(desk.progress(job).state, 'done');
});

test('R9: retries are counted, and backoffs kept, across a restart', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(2, { retries: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.restart();
  desk.join('w1', {}, [{ lease: grant!.lease, runs: [{ start: 1, count: 1 }] }]);
  desk.passSlowly(RETRY_BACKOFF - 1, 'w1');
  desk.done(grant!, [{ start: 1, count: 1 }]);
  assert.deepEqual(desk.grants('ack', 'claimMore'), []);
  desk.passSlowly(1, 'w1');
  const [again] = desk.grants('claimMore');
  desk.fails(again!, [0]);
  assert.deepEqual([desk.progress(job).state, desk.progress(job).failed], ['failed', 1]);
});

test('R9: a retried task goes to another worker than the one that failed it, if one is free', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.join('w2');
  desk.job(1, { retries: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.passSlowly(RETRY_BACKOFF, 'w1', 'w2');
  const [again] = desk.grants('ack');
  assert.notEqual(again?.worker, grant?.worker);
});

test('R10: a loss is counted when the task is handed to another, and is not charged', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1);
  desk.grants();
  desk.leave('w1');
  assert.equal(desk.progress(job).lost, 0);
  desk.join('w2');
  const [again] = desk.grants();
  assert.deepEqual([desk.progress(job).lost, again?.alone], [1, false]);
  assert.deepEqual(
    desk.table.attempts.map(({ outcome }) => outcome),
    ['lost'],
  );
  desk.done(again!);
  assert.deepEqual([desk.progress(job).state, desk.progress(job).retried], ['done', 0]);
  assert.equal(desk.table.of(job).segments[0]?.attempts, undefined, 'a loss is no attempt of the task');
});

/** Workers come one after the other and die whenever they hold this task; returns how many died of it. */
function sacrifice(desk: Desk, job: number, killer: number): number {
  let deaths = 0;
  for (let id = 0; ['active', 'paused'].includes(desk.progress(job).state); id++) {
    assert.ok(id < 50, 'workers die of it for ever');
    desk.join(`w${id}`);
    let grants = desk.grants('claimMore', 'dropBlock', 'ack', 'recall');
    while (grants.length > 0) {
      const bad = grants.find(({ runs }) => runs.some(({ start, count }) => killer >= start && killer < start + count));
      if (bad !== undefined) {
        deaths++;
        desk.leave(`w${id}`);
        break;
      }
      const good = grants.shift()!;
      desk.done(good, good.runs, 0.001);
      grants = [...grants, ...desk.grants('ack', 'dropBlock', 'claimMore', 'recall')];
    }
  }
  return deaths;
}

test(`R10 S9 F-14: a task that kills its workers is stopped after ${POISON_WORKERS}, and takes nobody with it`, () => {
  const desk = new Desk();
  const job = desk.job(5_000);
  assert.equal(sacrifice(desk, job, 777), POISON_WORKERS);
  const { done, failed, state } = desk.progress(job);
  assert.deepEqual([done, failed, state], [4_999, 1, 'failed']);
  const made = desk.table.of(job).segments.find((segment) => segment.worker === '');
  assert.deepEqual(made?.runs, [{ start: 777, count: 1 }]);
});

test('R10: what was in a lost batch goes in small batches, then one by one', () => {
  const desk = new Desk();
  const job = desk.job(4_096);
  desk.join('w0');
  const [first] = desk.grants();
  desk.done(first!, first!.runs, 0.001);
  desk.leave('w0');
  desk.sent();
  desk.join('w1');
  const grants = desk.grants();
  assert.ok(grants.every(({ alone, runs }) => !alone && runs[0]!.count <= SUSPECT_BATCH));
  assert.equal(grants[0]?.runs[0]?.count, SUSPECT_BATCH);
  const twice = grants.reduce((sum, { runs }) => sum + countRuns(runs), 0);
  desk.leave('w1');
  desk.join('w2');
  const open = new Map<number, Grant>();
  let singles = 0;
  for (;;) {
    for (const grant of desk.grants('ack', 'dropBlock')) {
      open.set(grant.lease, grant);
      const lastChances = [...open.values()].filter((other) => countRuns(other.runs) === 1);
      assert.ok(lastChances.length <= 1, 'one task on its last chance at a time');
      assert.ok(lastChances.every(({ alone }) => alone));
      singles += countRuns(grant.runs) === 1 ? 1 : 0;
    }
    const next = open.values().next().value;
    if (next === undefined) break;
    open.delete(next.lease);
    desk.done(next, next.runs, 0.001);
  }
  assert.equal(singles, twice);
  assert.equal(desk.progress(job).state, 'done');
});

test('R9 F-4: a failure that is sent again, even after a restart, is charged once', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(2, { retries: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.sent();
  desk.fails(grant!, [0]);
  assert.deepEqual(
    desk.sent().map((command) => command.kind === 'ack' && command.verdict),
    ['duplicate'],
  );
  desk.restart();
  desk.join('w1', {}, [{ lease: grant!.lease, runs: [...grant!.runs] }]);
  desk.sent();
  desk.fails(grant!, [0]);
  assert.deepEqual(
    desk.sent().map((command) => command.kind === 'ack' && command.verdict),
    ['duplicate'],
  );
  assert.deepEqual([desk.progress(job).failed, desk.progress(job).retried], [0, 1]);
});

test('R10: losses survive a restart', () => {
  const desk = new Desk();
  const job = desk.job(1);
  for (const id of ['w1', 'w2']) {
    desk.join(id);
    assert.equal(desk.grants().length, 1);
    desk.leave(id);
  }
  desk.restart();
  desk.passSlowly(10_000);
  desk.join('w3');
  assert.equal(desk.grants('claimMore').length, 1);
  desk.leave('w3');
  desk.join('w4');
  assert.deepEqual([desk.progress(job).state, desk.progress(job).lost], ['failed', 3]);
});

test('R10: a task that comes back to a worker it took down before waits for another that fits', () => {
  const desk = new Desk();
  const job = desk.job(1);
  for (const id of ['w1', 'w2']) {
    desk.join(id);
    desk.grants();
    desk.leave(id);
  }
  // The connections break, the processes live: the same two come back without the task.
  desk.join('other', { runners: ['python'] });
  desk.join('w1');
  assert.equal(desk.grants().length, 1, 'nobody else fits');
  desk.leave('w1');
  desk.join('w2');
  assert.equal(desk.progress(job).state, 'failed', 'as many losses, and nobody else could try');
});

test('R10 L1: a task that the first free worker should not have goes to the next one', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  desk.leave('w1');
  desk.join('w2');
  desk.join('w1');
  desk.join('w3');
  desk.sent();
  desk.leave('w2');
  const [last] = desk.grants();
  assert.equal(last?.worker, 'w3', 'w1 was lost under it, and is free');
});

test('R10 R11 L1: slots that get free because a task was found to be poison are used', () => {
  const desk = new Desk();
  desk.join('w0');
  desk.join('busy');
  const doomed = desk.job(2, { maxFailures: 0, priority: 1 });
  const [first, second] = desk.grants();
  assert.deepEqual([first?.worker, second?.worker], ['w0', 'busy']);
  desk.leave('w0');
  for (const id of ['w1', 'w2']) {
    desk.join(id);
    desk.leave(id);
  }
  const job = desk.job(3);
  desk.sent();
  desk.join('w3', { slots: 2 });
  assert.equal(desk.progress(doomed).state, 'failed');
  desk.passSlowly(1_000, 'w3', 'busy');
  const granted = desk.grants('revoke', 'dropBlock').filter((grant) => grant.job === job);
  assert.deepEqual(new Set(granted.map(({ worker }) => worker)), new Set(['w3', 'busy']));
});

test(`R11: a job whose first ${FIRST_FAILURES} outcomes all failed has failed`, () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(1_000);
  while (desk.progress(job).state === 'active') {
    const [grant] = desk.grants('ack', 'recall');
    desk.fails(grant!, [grant!.runs[0]!.start]);
    desk.done(
      grant!,
      [{ start: grant!.runs[0]!.start + 1, count: grant!.runs[0]!.count - 1 }].filter(({ count }) => count > 0),
      1,
      [],
    );
    break;
  }
  assert.equal(desk.progress(job).state, 'active', 'one success is enough');

  const bad = desk.job(1_000);
  desk.cancel(job);
  for (let failed = 0; desk.progress(bad).state === 'active'; ) {
    const [grant] = desk.grants('ack', 'revoke', 'dropBlock', 'recall').filter((other) => other.job === bad);
    const all = Array.from({ length: grant!.runs[0]!.count }, (_, i) => grant!.runs[0]!.start + i);
    failed += all.length;
    desk.fails(grant!, all);
    assert.equal(desk.progress(bad).state, failed >= FIRST_FAILURES ? 'failed' : 'active');
  }
  const { cancelled, failed, total, reason } = desk.progress(bad);
  assert.equal(cancelled + failed, total);
  assert.match(reason ?? '', /tasks failed/);
});

test('R11: with maxFailures a job ends when more than that have failed', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(4, { maxFailures: 1 });
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  assert.equal(desk.progress(job).state, 'active');
  desk.fails(grant!, [1]);
  assert.deepEqual([desk.progress(job).state, desk.progress(job).cancelled], ['failed', 2]);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'ack', 'revoke', 'dropBlock'],
  );
});

test('R26 L1: a job ends although all that is left of it fails, be there one worker, two, or one that was set aside', () => {
  for (const leaves of ['at first', 'once the other is set aside', 'never']) {
    const desk = new Desk();
    const names = ['w1', 'w2'];
    for (const name of names) desk.join(name);
    const job = desk.job(100, { retries: 1, maxFailures: 100 });
    // The first outcomes succeed on both; from then on everything throws.
    for (const grant of desk.grants()) desk.done(grant);
    const leave = () => desk.leave(names.pop()!, true);
    if (leaves === 'at first') leave();
    const setAside = () => desk.changes.some((change) => change.kind === 'worker' && change.state === 'suspended');
    for (const end = desk.now + 600_000; desk.now < end && desk.progress(job).endedAt === undefined; ) {
      for (const grant of desk.grants('ack', 'recall', 'revoke', 'dropBlock', 'claimMore')) {
        const indexes = grant.runs.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
        if (names.includes(grant.worker)) desk.fails(grant, indexes);
      }
      if (leaves === 'once the other is set aside' && names.length === 2 && setAside()) {
        // The one that is left is the one that was set aside.
        if (desk.scheduler.worker('w2')!.state === 'suspended') names.reverse();
        leave();
      }
      desk.passSlowly(500, ...names);
    }
    assert.equal(setAside(), leaves !== 'at first');
    assert.equal(desk.progress(job).state, 'failed', `the other leaves ${leaves}`);
  }
});

test('R10 S9 R25: a task that takes both of its copies down has cost two workers', () => {
  const desk = new Desk();
  desk.join('slow');
  desk.join('fast');
  const job = desk.job(2);
  const [slow, fast] = desk.grants();
  desk.done(fast!, fast!.runs, 10);
  desk.passSlowly(SPECULATE_AFTER, 'slow', 'fast');
  const [copy] = desk.grants('ack');
  assert.deepEqual(copy?.runs, slow?.runs);
  desk.leave('slow');
  assert.equal(desk.progress(job).lost, 1);
  desk.leave('fast');
  desk.join('third');
  const [last] = desk.grants();
  assert.deepEqual(last?.runs, slow?.runs);
  // It is the last one that it may cost: however long it takes there, nobody else is put at risk.
  desk.join('fourth');
  desk.passSlowly(60_000, 'third', 'fourth');
  desk.quiet();
  desk.leave('third');
  assert.deepEqual(desk.table.of(job).segments.at(-1)?.failed, 1);
  assert.equal(desk.progress(job).state, 'failed');
});

test('R10 R3 S9: silence is a loss, also where the job is fenced, and who comes back is told that it is too late', () => {
  const desk = new Desk();
  const job = desk.job(1, { fenced: true });
  let last: Grant | undefined;
  for (const name of ['w1', 'w2', 'w3']) {
    desk.join(name);
    [last] = desk.grants('revoke');
    assert.equal(last?.worker, name);
    desk.passSlowly(LEASE_TIME);
  }
  desk.post({ kind: 'workerHeard', worker: 'w3' });
  const [revoke] = desk.sent();
  assert.deepEqual(revoke, { kind: 'revoke', worker: 'w3', lease: last!.lease, runs: last!.runs });
  desk.done(last!);
  const [ack] = desk.sent();
  assert.ok(ack?.kind === 'ack' && ack.verdict === 'superseded');
  assert.equal(desk.progress(job).state, 'failed');
  assert.match(desk.table.attempts.at(-1)!.message, /w3 was lost/);
});
