import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import { openTasks } from '../model/bitmaps.ts';
import { LEASE_TIME, RETRY_BACKOFF_MAX, SPECULATE_AFTER } from '../model/limits.ts';
import type { SchedulerWrite } from '../model/records.ts';
import { HANDOVER_GRACE } from '../model/server-limits.ts';

/** One of several servers, whose worker `w1` has the only task of a job. */
function desk(changes = {}): { desk: Desk; grant: Grant } {
  const desk = new Desk(true);
  desk.join('w1');
  desk.job(1, changes);
  const [grant] = desk.grants();
  return { desk, grant: grant! };
}

type HandedOver = Extract<SchedulerWrite, { kind: 'handedOver' }>;

/** Another server asks; returns what is written of it. */
function ask(desk: Desk, { lease, worker }: Pick<Grant, 'lease' | 'worker'>): HandedOver[] {
  const commands = desk.post({ kind: 'leasesWanted', worker, leases: [lease] });
  return commands.flatMap((command) =>
    command.kind === 'write' && command.write.kind === 'handedOver' ? [command.write] : [],
  );
}

test('R39 R4: among several servers a worker whose connection ended is awaited before others get what it ran', () => {
  const { desk: there } = desk();
  there.join('w2');
  there.leave('w1');
  there.passSlowly(HANDOVER_GRACE - 1, 'w2');
  there.quiet();
  there.passSlowly(1, 'w2');
  assert.deepEqual(
    there.grants().map(({ worker }) => worker),
    ['w2'],
  );
  assert.equal(there.progress(1).lost, 1);

  const { desk: final } = desk();
  final.join('w2');
  final.leave('w1', true);
  assert.equal(final.grants().length, 1, 'who says goodbye is not awaited');
});

test('R39: a worker that comes back keeps its tasks, and is awaited as long the next time', () => {
  const { desk: there, grant } = desk();
  there.join('w2');
  there.leave('w1');
  there.passSlowly(HANDOVER_GRACE - 1, 'w2');
  there.join('w1', {}, [{ lease: grant.lease, runs: [...grant.runs] }]);
  there.leave('w1');
  there.passSlowly(HANDOVER_GRACE - 1, 'w2');
  there.quiet();
  there.passSlowly(1, 'w2');
  assert.equal(there.grants().length, 1);
});

for (const [when, away] of [
  ['has noticed', (there: Desk) => there.leave('w1')],
  ['has not noticed', () => {}],
  ['had missed it for long', (there: Desk) => there.passSlowly(LEASE_TIME + 1)],
] as const) {
  test(`R39 D26: a server that ${when} that its worker is gone hands over what that runs, and nothing is charged`, () => {
    const { desk: there, grant } = desk();
    away(there);
    const [written, ...others] = ask(there, grant);
    assert.deepEqual([written?.lease, others], [grant.lease, []]);
    assert.deepEqual(openTasks(written!.block), grant.runs);
    assert.deepEqual(there.sent(), [{ kind: 'dropBlock', job: 1, first: 0 }]);
    assert.deepEqual(
      there.scheduler.jobs().map(({ waiting, running }) => [waiting, running]),
      [[1, 0]],
    );
    there.join('w2');
    there.passSlowly(HANDOVER_GRACE + 1, 'w2');
    assert.deepEqual(there.grants('claimMore'), []);
    assert.deepEqual(ask(there, grant), [], 'it has it no more');
    there.done(grant);
    assert.deepEqual(
      there.sent().map((sent) => sent.kind === 'ack' && sent.verdict),
      ['superseded'],
    );
    const { lost, retried, done } = there.progress(1);
    assert.deepEqual([lost, retried, done], [0, 0, 0]);
  });
}

test('R39: what has ended stays, what was given back stays, and a past goes along', () => {
  const there = new Desk(true);
  there.join('w1', { slots: 2 });
  there.job(2, { retries: 3 });
  const [first, second] = there.grants();
  there.fails(first!, [first!.runs[0]!.start]);
  there.passSlowly(RETRY_BACKOFF_MAX, 'w1');
  const again = there.grants('ack').find(({ runs }) => runs[0]!.start === first!.runs[0]!.start);
  there.done(second!);
  const [written] = ask(there, again!);
  assert.deepEqual(openTasks(written!.block), again!.runs);
  assert.deepEqual(
    written!.block.exceptions.map(({ index, charged }) => [index, charged]),
    [[first!.runs[0]!.start, 1]],
  );
});

test('R39: of what others were given, or another worker has, nothing is said', () => {
  const { desk: there, grant } = desk();
  assert.deepEqual(ask(there, { ...grant, worker: 'w2' }), []);
  there.leave('w1');
  there.join('w2');
  there.passSlowly(HANDOVER_GRACE, 'w2');
  assert.equal(there.grants().length, 1);
  assert.deepEqual(ask(there, grant), []);
  assert.equal(there.table.leases.size, 2);
});

test('R39 R6: a fenced job does not want back what was silent for too long', () => {
  const { desk: there, grant } = desk({ fenced: true });
  there.passSlowly(LEASE_TIME + 1);
  assert.deepEqual(ask(there, grant), []);
});

test('R39 R25: what runs twice stays with its copy', () => {
  const there = new Desk(true);
  there.join('w1');
  there.join('w2');
  there.job(2);
  const [slow, fast] = there.grants();
  there.done(fast!, fast!.runs, 10);
  there.passSlowly(SPECULATE_AFTER, 'w1', 'w2');
  const [copy] = there.grants('ack');
  assert.deepEqual(copy?.runs, slow?.runs);
  assert.deepEqual(ask(there, slow!), []);
  there.leave('w1');
  there.done(copy!);
  assert.equal(there.progress(1).state, 'done');
});
