import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, spec, WALL } from '../../test/support/scheduler-desk.ts';
import { CLAIM_AHEAD } from '../model/limits.ts';

const kinds = (desk: Desk) => desk.sent().map(({ kind }) => kind);

test('R12 S8: after a cancel nothing is granted or recorded, running copies are revoked, and it ends once', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(100);
  const [grant] = desk.grants();
  desk.cancel(job);
  assert.deepEqual(kinds(desk), ['revoke', 'dropBlock', 'reply']);
  desk.done(grant!);
  desk.join('w2');
  desk.pass(1);
  assert.deepEqual(kinds(desk), ['ack']);
  const { state, cancelled, endedAt } = desk.progress(job);
  assert.deepEqual([state, cancelled], ['cancelled', 100]);
  desk.now += 5;
  desk.cancel(job);
  assert.deepEqual(
    desk.sent().map((command) => command.kind === 'reply' && command.answer),
    [{ ok: true }],
  );
  assert.equal(desk.progress(job).endedAt, endedAt);
});

test('R12: blocks that arrive after the cancel are given up', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.submit({ range: { start: 0, step: 1, count: 10 } });
  const claim = desk.sent().find(({ kind }) => kind === 'claimMore');
  assert.ok(claim?.kind === 'claimMore');
  const { blocks } = desk.table.claim(job, 1, desk.epoch);
  // Their rows go when the job is forgotten.
  desk.table.of(job).blocks.clear();
  desk.cancel(job);
  desk.sent();
  desk.post({ kind: 'blocksClaimed', job, blocks, more: false });
  assert.deepEqual(desk.sent(), [{ kind: 'dropBlock', job, first: 0 }]);
});

test('R13: pause recalls what has not begun and grants nothing; what runs is recorded; resume goes on', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(10);
  const [grant] = desk.grants();
  desk.request('jobPaused', job);
  const recall = desk.sent().find(({ kind }) => kind === 'recall');
  assert.deepEqual(recall, { kind: 'recall', worker: 'w1', lease: grant!.lease, runs: grant!.runs });
  const rest = [{ start: grant!.runs[0]!.start + 1, count: grant!.runs[0]!.count - 1 }];
  desk.release(grant!, rest);
  desk.done(grant!, [{ start: grant!.runs[0]!.start, count: 1 }]);
  desk.pass(1);
  assert.deepEqual(kinds(desk), ['ack']);
  assert.deepEqual([desk.progress(job).state, desk.progress(job).done], ['paused', 1]);
  desk.restart();
  desk.join('w1');
  desk.quiet();
  desk.request('jobResumed', job);
  assert.ok(desk.grants('claimMore').length > 0);
  assert.equal(desk.progress(job).state, 'active');
});

test('R14: an open job never ends by itself; a closed one ends with its last task', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.submit();
  desk.inputs(job, 0, 1);
  const [grant] = desk.grants();
  desk.done(grant!);
  assert.equal(desk.progress(job).state, 'active');
  desk.close(job, 1);
  assert.deepEqual([desk.progress(job).state, desk.progress(job).done], ['done', 1]);
  assert.deepEqual(kinds(desk), ['ack', 'dropBlock', 'reply']);
});

test('R14: a job without tasks is done when it is closed; one with a failure has failed', () => {
  const desk = new Desk();
  assert.equal(desk.progress(desk.job(0)).state, 'done');
  desk.join('w1');
  const job = desk.job(2);
  const [grant] = desk.grants();
  desk.fails(grant!, [0]);
  desk.done(grant!, [{ start: 1, count: 1 }]);
  assert.equal(desk.progress(job).state, 'failed');
});

test('R14: a reopened job goes on with its failed tasks, and what was cancelled stays so', () => {
  const desk = new Desk();
  desk.join('w1');
  const job = desk.job(3, { maxFailures: 0 });
  const [grant] = desk.grants();
  desk.done(grant!, [{ start: 0, count: 1 }]);
  desk.fails(grant!, [1]);
  const ended = desk.progress(job);
  assert.deepEqual([ended.state, ended.done, ended.failed, ended.cancelled], ['failed', 1, 1, 1]);
  const entry = desk.table.of(job);
  const { endedAt: _, reason: __, ...rest } = ended;
  entry.job = { ...entry.job, progress: { ...rest, state: 'active', failed: 0, generation: 1 } };
  entry.ended.delete(1);
  entry.blocks.set(0, {
    job,
    first: 0,
    count: 3,
    generation: 1,
    ended: Uint8Array.of(0b101),
    exceptions: [],
    epoch: 0,
  });
  entry.ended.set(2, { lease: 0, failed: false });
  desk.sent();
  // The table counts done and failed only: the cancelled task is none of them.
  desk.table.check = () => {};
  desk.post({ kind: 'jobReopened', request: 5, job: entry.job });
  const said = desk.sent();
  assert.deepEqual(
    said.map(({ kind }) => kind),
    ['reply', 'claimMore'],
  );
  desk.claim(said[1]!);
  const [again] = desk.grants('claimMore');
  assert.deepEqual(again?.runs, [{ start: 1, count: 1 }]);
  desk.done(again!);
  const { state, done, failed, cancelled, generation } = desk.progress(job);
  assert.deepEqual([state, done, failed, cancelled, generation], ['cancelled', 2, 0, 1, 1]);
});

test('R15: inputs continue where the tasks end; what is there already is answered ok; else it is said where to go on', () => {
  const desk = new Desk();
  const job = desk.submit();
  desk.inputs(job, 0, 10);
  desk.sent();
  desk.inputs(job, 0, 10);
  assert.deepEqual(
    desk.sent().map((command) => command.kind === 'reply' && command.answer),
    [{ ok: true }],
  );
  assert.equal(desk.progress(job).total, 10);
  desk.inputs(job, 12, 1);
  desk.inputs(job, 5, 10);
  desk.close(job, 11);
  const answers = desk.sent().map((command) => command.kind === 'reply' && command.answer);
  assert.deepEqual(
    answers.map((answer) => answer && !answer.ok && answer.code),
    ['conflict', 'conflict', 'invalid'],
  );
  assert.match(JSON.stringify(answers[0]), /go on at 10/);
  desk.close(job, 10);
  desk.inputs(job, 10, 1);
  desk.close(job, 10);
  const last = desk.sent().map((command) => command.kind === 'reply' && command.answer.ok);
  assert.deepEqual(last, [true, false, true]);
});

test('R15: requests that speak of no open job, or of one that exists already, are refused', () => {
  const desk = new Desk();
  const job = desk.submit();
  desk.sent();
  desk.inputs(99, 0, 1);
  desk.close(99, 1);
  desk.request('jobPaused', 99);
  desk.request('jobResumed', 99);
  desk.post({ kind: 'jobSubmitted', request: 8, job, spec: spec(), open: true });
  const refused = desk.sent().map((command) => command.kind === 'reply' && !command.answer.ok);
  assert.deepEqual(refused, [true, true, true, true, true]);
});

test('R16 R23: blocks are claimed at once until enough tasks wait, then left to the store', () => {
  const desk = new Desk();
  const job = desk.submit();
  for (let first = 0; first < 3 * CLAIM_AHEAD; first += 4096) desk.inputs(job, first, 4096);
  const claimed = [...desk.table.of(job).blocks.keys()];
  assert.equal(claimed.length, CLAIM_AHEAD / 4096);
  assert.deepEqual(
    desk.sent().filter(({ kind }) => kind === 'claimMore'),
    [],
    'nobody would run them',
  );
});

test('R16: not while a claim is under way, which may come too early for it', () => {
  const desk = new Desk();
  const job = desk.submit();
  for (let first = 0; first < 2 * CLAIM_AHEAD; first += 4096) desk.inputs(job, first, 4096);
  desk.join('w1');
  const queue = desk.sent();
  let total = 2 * CLAIM_AHEAD;
  const work = () => {
    const command = queue.shift();
    assert.ok(command !== undefined, 'something goes on');
    if (command.kind === 'grant') desk.done(command, command.runs, 0.001);
    queue.push(...desk.sent());
    return command;
  };
  let claim = work();
  while (claim.kind !== 'claimMore') claim = work();
  const before = desk.table.of(job).blocks.size;
  desk.inputs(job, total, 10);
  total += 10;
  assert.equal(desk.table.of(job).blocks.size, before);
  desk.claim(claim);
  desk.close(job, total);
  queue.push(...desk.sent());
  while (desk.progress(job).state === 'active') {
    const command = work();
    if (command.kind === 'claimMore') desk.claim(command);
    queue.push(...desk.sent());
  }
  assert.equal(desk.progress(job).done, total);
});

test('R29: nothing of ended jobs and gone workers is kept', () => {
  const desk = new Desk();
  for (let i = 0; i < 200; i++) {
    desk.join(`w${i}`);
    const job = desk.job(3, { owner: `owner${i % 7}`, priority: i % 3, requires: { zone: `z${i % 40}` } });
    desk.join('zoned', { labels: { zone: `z${i % 40}` } });
    for (const grant of desk.grants('ack', 'dropBlock')) desk.done(grant);
    if (desk.progress(job).state === 'active') desk.cancel(job);
    desk.leave(`w${i}`, i % 2 === 0);
    desk.leave('zoned', true);
    desk.sent();
  }
  assert.deepEqual([desk.scheduler.jobs(), desk.scheduler.workers()], [[], []]);
  // Invariants with no job open say that every map is empty; timers run out.
  desk.passSlowly(200_000);
  assert.equal(desk.scheduler.wakeAt(), undefined);
  assert.ok(desk.progress(1).endedAt! > WALL);
});
