import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clockwork } from '../../test/support/scheduler-clockwork.ts';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import { COMMANDS_TIME } from '../model/exec-limits.ts';
import { BATCH_FIRST, BLACK_HOLE_FAILURES, CLAIM_AHEAD, RETRY_BACKOFF, SPECULATE_AFTER } from '../model/limits.ts';
import { countRuns } from '../model/runs.ts';

const tasks = (grants: readonly Grant[]) => grants.reduce((sum, { runs }) => sum + countRuns(runs), 0);

test('R18: a task goes only where its runner, labels, memory, resources and slots are', () => {
  const desk = new Desk();
  desk.join('plain', { slots: 8 });
  desk.join('python', { slots: 8, runners: ['python'] });
  desk.join('zone', { slots: 8, labels: { zone: 'a' } });
  desk.join('big', { slots: 1, memory: 1000 });
  desk.join('gpu', { slots: 1, resources: { gpu: 1 } });
  desk.sent();
  const where = (changes: Parameters<Desk['job']>[1]) => {
    const job = desk.job(1, changes);
    const workers = desk.grants('revoke', 'dropBlock').map(({ worker }) => worker);
    desk.cancel(job);
    desk.sent();
    return workers;
  };
  assert.deepEqual(where({ requires: { zone: 'a' } }), ['zone']);
  assert.deepEqual(where({ requires: { zone: 'b' } }), []);
  assert.deepEqual(where({ memory: 900 }), ['big']);
  assert.deepEqual(where({ resources: { gpu: 1 } }), ['gpu']);
  assert.deepEqual(where({ resources: { gpu: 2 } }), []);
  assert.deepEqual(where({ cpus: 9 }), []);
});

test('R18: tasks of several slots never run beside more than the worker has', () => {
  const desk = new Desk();
  desk.join('w1', { slots: 3 });
  desk.job(10, { cpus: 2 });
  assert.equal(desk.grants().length, 1);
  desk.job(10);
  const light = desk.grants();
  assert.equal(light.length, 1, 'one slot is left, and nothing is queued behind');
  desk.quiet();
});

test('R19: higher priority first', () => {
  const desk = new Desk();
  const low = desk.job(1);
  const high = desk.job(1, { priority: 5 });
  desk.join('w1');
  const [first] = desk.grants();
  assert.equal(first?.job, high);
  desk.done(first!);
  assert.equal(desk.grants('ack', 'dropBlock')[0]?.job, low);
});

test('R19: a job whose blocks are still in the store comes before the short tasks of one of lower priority', () => {
  const clockwork = new Clockwork();
  clockwork.duration = () => 20;
  clockwork.join('w1');
  clockwork.submit(1, 1_000);
  clockwork.runUntil(500);
  clockwork.submit(2, 10, { priority: 5 });
  const end = clockwork.run(2);
  assert.ok(end < 1_500, `it ended after ${end} ms`);
});

test('R19 L4: owners share evenly, jobs of one owner by weight', () => {
  const clockwork = new Clockwork();
  clockwork.duration = () => 10;
  clockwork.submit(1, 5_000, { owner: 'flood' });
  clockwork.submit(2, 5_000, { owner: 'flood', weight: 3 });
  clockwork.submit(3, 5_000, { owner: 'other' });
  clockwork.join('w1');
  clockwork.join('w2');
  clockwork.runUntil(10_000);
  const done = [1, 2, 3].map((job) => clockwork.scheduler.job(job)!.progress.done);
  const [light, heavy, other] = done as [number, number, number];
  assert.ok(Math.abs(light + heavy - other) < 20, `owners: ${light + heavy} and ${other}`);
  assert.ok(Math.abs(heavy - 3 * light) < 40, `weights: ${light} and ${heavy}`);
});

test('R19 L5: single-slot tasks do not starve one that takes all slots', () => {
  const clockwork = new Clockwork();
  clockwork.duration = (_job, index) => 20 + (index % 7);
  clockwork.join('w1', { slots: 4 });
  clockwork.submit(1, 4_000, { owner: 'many' });
  clockwork.runUntil(200);
  clockwork.submit(2, 3, { owner: 'wide', cpus: 4 });
  const end = clockwork.run(2);
  assert.ok(end < 2_000, `it ended after ${end} ms`);
});

test('R20: batches take about BATCH_TIME, and never more than an even share', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.join('w2');
  desk.job(3);
  assert.deepEqual(
    desk.grants().map(({ runs }) => countRuns(runs)),
    [2, 1],
    'an even share',
  );
  const job = desk.job(1_000, { priority: 1 });
  desk.join('w3');
  const [first] = desk.grants('recall');
  assert.equal(countRuns(first!.runs), BATCH_FIRST);
  desk.done(first!, first!.runs, 5);
  const next = desk.grants('ack').filter((grant) => grant.job === job);
  assert.equal(countRuns(next[0]!.runs), 4, '20 ms of 5 ms tasks');
});

test('R20: batches of commands take about COMMANDS_TIME', () => {
  const desk = new Desk();
  desk.join('w1', { runners: ['exec'] });
  desk.job(1_000, { code: { runner: 'exec', sha256: '1'.repeat(64), size: 1, sourceName: 'true' } });
  const [first] = desk.grants();
  desk.done(first!, first!.runs, 5);
  assert.equal(countRuns(desk.grants('ack')[0]!.runs), COMMANDS_TIME / 5);
});

test('R21: short tasks are queued ahead, at least a batch; long ones are not', () => {
  for (const [millis, ahead] of [
    [5, true],
    [100, true],
    [2_000, false],
  ] as const) {
    const desk = new Desk();
    desk.join('w1');
    desk.job(1_000);
    const [first] = desk.grants();
    desk.done(first!, first!.runs, millis);
    assert.equal(desk.grants('ack').length > 1, ahead, `${millis} ms`);
  }
});

test('R21: a worker far away has as much queued as its way is long, and no more than a second of it', () => {
  for (const [way, tasks] of [
    [0, 6],
    [100, 26],
    [60_000, 206],
  ] as const) {
    const desk = new Desk();
    desk.join('w1');
    desk.job(1_000);
    const [first] = desk.grants();
    desk.post({ kind: 'workerHeard', worker: 'w1', way });
    desk.done(first!, first!.runs, 5);
    const queued = desk.grants('ack').reduce((sum, { runs }) => sum + countRuns(runs), 0);
    assert.ok(Math.abs(queued - tasks) <= 4, `${way} ms away: ${queued} tasks of 5 ms`);
  }
});

test('R21 R22 W3: slots stay busy to the very end', () => {
  for (const [count, millis, workers, slots] of [
    [2_000, 10, 2, 1],
    [200, 100, 2, 1],
    [200, 100, 1, 2],
  ] as const) {
    const clockwork = new Clockwork();
    clockwork.duration = () => millis;
    for (let i = 0; i < workers; i++) clockwork.join(`w${i}`, { slots });
    clockwork.submit(1, count);
    const efficiency = (count * millis) / (workers * slots) / clockwork.run(1);
    assert.ok(efficiency > 0.99, `${count} × ${millis} ms: ${efficiency.toFixed(3)} of the ideal`);
  }
});

test('R22: when a slot idles, half of the longest queue comes back', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(4);
  const [grant] = desk.grants();
  assert.equal(countRuns(grant!.runs), 4);
  desk.join('w2');
  const [recall] = desk.sent();
  assert.deepEqual(recall, { kind: 'recall', worker: 'w1', lease: grant!.lease, runs: [{ start: 2, count: 2 }] });
  desk.release(grant!, [{ start: 2, count: 2 }]);
  assert.deepEqual(
    desk.grants('recall').map(({ worker }) => worker),
    ['w2'],
  );
});

test('R23: blocks are claimed ahead of need and no further', () => {
  const desk = new Desk();
  const count = 10_000_000;
  const job = desk.submit({ range: { start: 0, step: 1, count } });
  desk.join('w1');
  let outstanding = 0;
  for (let i = 0; i < 60; i++) {
    const said = desk.sent();
    outstanding += said.filter(({ kind }) => kind === 'claimMore').length;
    assert.ok(outstanding <= 1, 'one claim at a time');
    for (const command of said) {
      if (command.kind === 'claimMore') {
        outstanding--;
        desk.claim(command);
      }
      if (command.kind === 'grant') desk.done(command, command.runs, 0.001);
    }
    const waiting = [...desk.table.of(job).blocks.values()].reduce((sum, block) => sum + block.count, 0);
    assert.ok(waiting <= 3 * CLAIM_AHEAD, `${waiting} tasks are claimed`);
  }
});

test('R24: a drained worker gives back what has not begun and gets nothing; a stopped one is dismissed', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(8);
  const [grant] = desk.grants();
  desk.post({ kind: 'workerDrained', request: 1, worker: 'w1', drain: true });
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['recall', 'dismiss', 'reply'],
  );
  desk.release(grant!, [{ start: 1, count: 3 }]);
  desk.done(grant!, [{ start: 0, count: 1 }]);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack'],
  );
  desk.post({ kind: 'workerDrained', request: 2, worker: 'w1', drain: false });
  assert.ok(desk.grants('dismiss').length > 0);
  desk.post({ kind: 'workerStopped', request: 3, worker: 'w1' });
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['dismiss', 'reply'],
  );
  desk.post({ kind: 'workerStopped', request: 4, worker: 'w1' });
  assert.equal(JSON.stringify(desk.sent()).includes('unknown'), true);
  desk.join('w2');
  assert.equal(desk.progress(1).lost, 0);
});

test('R24: a worker that gives back what nobody recalled gets nothing for a while', () => {
  const desk = new Desk();
  desk.join('w1');
  desk.job(1);
  const [grant] = desk.grants();
  desk.release(grant!, grant!.runs);
  desk.quiet();
  desk.passSlowly(RETRY_BACKOFF, 'w1');
  assert.equal(desk.grants().length, 1);
});

test('R24: why it gave tasks back is told until a task has succeeded there', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(2);
  const refuse = (reason?: string) => {
    const { worker, lease, runs } = desk.grants()[0]!;
    desk.post({ kind: 'tasksReleased', worker, lease, runs, ...(reason !== undefined && { reason }) });
    return desk.scheduler.explain(job, 0, desk.now).reasons.join(' ');
  };
  assert.match(refuse(), /resting, since it gave tasks back\.$/);
  desk.passSlowly(RETRY_BACKOFF, 'w1');
  assert.match(refuse('its disk is full'), /resting, since it gave tasks back: its disk is full\.$/);
  desk.passSlowly(2 * RETRY_BACKOFF, 'w1');
  assert.equal(desk.scheduler.worker('w1')?.unable, 'its disk is full');
  const [grant] = desk.grants();
  desk.done(grant!, [{ start: 0, count: 1 }]);
  assert.equal(desk.scheduler.worker('w1')?.unable, undefined);
});

test('R25: a task that runs far too long gets a second copy on an idle slot, and the first outcome wins', () => {
  const desk = new Desk();
  desk.join('slow');
  desk.join('fast');
  desk.job(2);
  const [slow, fast] = desk.grants();
  desk.done(fast!, fast!.runs, 10);
  desk.sent();
  desk.passSlowly(SPECULATE_AFTER - 1, 'slow', 'fast');
  desk.quiet();
  desk.passSlowly(1, 'slow', 'fast');
  const [copy] = desk.grants();
  assert.deepEqual([copy?.worker, copy?.runs], ['fast', slow?.runs]);
  desk.done(copy!);
  assert.deepEqual(
    desk.sent().map(({ kind }) => kind),
    ['ack', 'revoke', 'dropBlock'],
  );
  assert.equal(desk.progress(1).state, 'done');
});

test('R26 F-15: a worker where everything fails is set aside and probed, and the tasks are not charged for it', () => {
  const clockwork = new Clockwork();
  clockwork.duration = (_job, _index, worker) => (worker === 'hole' ? undefined : 10);
  clockwork.join('good');
  clockwork.submit(1, 5_000, { retries: 1 });
  clockwork.runUntil(100);
  clockwork.join('hole');
  clockwork.run(1);
  const attempts = clockwork.attempts.get('hole') ?? 0;
  assert.ok(attempts >= BLACK_HOLE_FAILURES && attempts < 60, `${attempts} attempts on the black hole`);
  assert.equal(clockwork.table.of(1).job.progress.failed, 0);
});

test('R27: explain says why a task waits', () => {
  const desk = new Desk();
  const why = (job: number, index: number) => desk.scheduler.explain(job, index, desk.now);
  const job = desk.job(10, { requires: { zone: 'a' } });
  assert.match(why(job, 0).reasons.join(' '), /No worker is connected/);
  desk.join('w1');
  assert.match(why(job, 0).reasons.join(' '), /No connected worker can run it.*w1 lacks the label zone=a/);
  desk.join('w2', { labels: { zone: 'a' } });
  const [grant] = desk.grants();
  assert.equal(why(job, grant!.runs[0]!.start).state, 'running');
  assert.match(why(job, 9).reasons.join(' '), /busy/);
  desk.request('jobPaused', job);
  assert.match(why(job, 9).reasons.join(' '), /paused/);
  assert.equal(why(job, 99).state, 'unknown');
  assert.equal(why(77, 0).state, 'unknown');
  desk.done(grant!, [{ start: 0, count: 1 }]);
  assert.equal(why(job, 0).state, 'ended');
  const many = desk.job(100_000);
  assert.match(
    why(many, 99_999).reasons[0] ?? '',
    /^It is among the \d+ tasks of the job that wait in the store; \d+ are ahead of these\.$/,
  );
  const vast = desk.job(1, { memory: 900 * 1024 ** 3 });
  assert.match(why(vast, 0).reasons.join(' '), /w1 has \S+ \w+ of memory, not 900 GiB\./);
});

test('R27: what a worker has to do is told in its order, and is less when tasks end', () => {
  const desk = new Desk();
  const job = desk.job(10);
  desk.join('w1');
  const [grant] = desk.grants();
  const given = () => desk.scheduler.given('w1', desk.now);
  const [first, ...others] = given();
  const { start, count } = grant!.runs[0]!;
  assert.deepEqual(first, { job, first: start, tasks: count, since: 0, runs: true });
  assert.ok(others.every(({ tasks, since }) => tasks > 0 && since === 0));
  desk.done(grant!, [{ start, count: 1 }]);
  assert.ok(!given().some((batch) => batch.first === start));
  assert.deepEqual(desk.scheduler.given('w2', desk.now), []);
});

test('R28: 1,000 open jobs and 1,000 idle workers do not make an event slow', () => {
  const desk = new Desk();
  for (let i = 0; i < 1_000; i++) {
    desk.scheduler.handle(
      {
        kind: 'workerJoined',
        worker: {
          id: `i${i}`,
          name: 'i',
          kind: 'node',
          slots: 1,
          runners: ['python'],
          labels: {},
          resources: {},
          token: 't',
        },
        held: [],
      },
      1_000,
    );
  }
  desk.table.check = () => {};
  desk.scheduler.checkInvariants = () => {};
  for (let i = 0; i < 1_000; i++) desk.job(10, { owner: `o${i % 10}` });
  desk.sent();
  desk.join('w1');
  let best = Number.POSITIVE_INFINITY;
  const queue = desk.grants();
  assert.equal(tasks(queue), BATCH_FIRST);
  for (let i = 0; i < 300; i++) {
    const grant = queue.shift()!;
    const { worker, lease, job, runs } = grant;
    const started = performance.now();
    const said = desk.scheduler.handle(
      { kind: 'outcomes', worker, lease, job, runs, failures: [], elapsedMicros: 2_000_000 * countRuns(runs) },
      desk.now,
    );
    best = Math.min(best, performance.now() - started);
    queue.push(...said.filter((command) => command.kind === 'grant'));
  }
  assert.ok(best < 0.2, `${(best * 1000).toFixed(0)} µs an event`);
});
