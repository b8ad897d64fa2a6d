import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import type { Run } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';
import type { TaskFailed } from './events.ts';

/** The inputs that were appended, with where they stood in their message. */
function watched(): { desk: Desk; appended: { first: number; count: number; at: readonly Run[] }[] } {
  const desk = new Desk();
  const appended: { first: number; count: number; at: readonly Run[] }[] = [];
  desk.watch = (command, event) => {
    if (command.kind !== 'write' || command.write.kind !== 'inputs' || event.kind !== 'outcomes') return;
    const { first, count, at = [] } = command.write;
    appended.push({ first, count, at });
  };
  return { desk, appended };
}

function outcomes(
  desk: Desk,
  { worker, lease, job, runs }: Grant,
  spawned: Spawned,
  failures: TaskFailed[] = [],
): void {
  desk.post({ kind: 'outcomes', worker, lease, job, runs, failures, elapsedMicros: 1_000, spawned });
}

const failed = (index: number): TaskFailed => ({ index, kind: 'failed', message: 'boom' });
const given = (desk: Desk) => desk.grants('ack', 'dropBlock', 'claimMore').map(({ runs }) => runs);
const total = (desk: Desk, job: number) => desk.scheduler.jobs().find((each) => each.job === job)?.progress;

test('R34: nothing of a job whose tasks may add others is handed out before it is closed', () => {
  const { desk } = watched();
  desk.join('w1', { slots: 2 });
  const job = desk.submit({ spawns: true });
  desk.inputs(job, 0, 2);
  assert.deepEqual(given(desk), []);
  assert.deepEqual(desk.scheduler.explain(job, 0, desk.now).reasons, [
    'Its tasks may add others to the job, so that it begins once all inputs that it comes with are there.',
  ]);
  desk.close(job, 2);
  assert.equal(given(desk).length, 2);
});

test('R34: what a task gives is appended with its outcome, and the job ends once nothing is left', () => {
  const { desk, appended } = watched();
  desk.join('w1');
  const job = desk.job(1, { spawns: true });
  const [root] = desk.grants() as [Grant];
  outcomes(desk, root, [[0, 2]]);
  assert.deepEqual(appended, [{ first: 1, count: 2, at: [{ start: 1, count: 2 }] }]);
  assert.equal(total(desk, job)?.total, 3);
  const [child] = desk.grants('ack', 'dropBlock') as [Grant];
  desk.close(job, 1);
  assert.deepEqual(
    desk.sent().map((said) => said.kind === 'reply' && said.answer),
    [{ ok: true }],
    'a close that is said again, after the job has grown',
  );
  desk.done(child);
  for (const grant of desk.grants('ack', 'dropBlock')) desk.done(grant);
  assert.equal(total(desk, job), undefined, 'it has ended');
});

test('R34: of what failed, is tried again, or was recorded before, nothing is appended', () => {
  const { desk, appended } = watched();
  desk.join('w1');
  const job = desk.job(4, { spawns: true, retries: 1 });
  const [grant] = desk.grants() as [Grant];
  assert.deepEqual(grant.runs, [{ start: 0, count: 4 }]);
  const spawned = [
    [0, 1],
    [1, 3],
    [3, 2],
  ] as const;
  outcomes(desk, grant, spawned, [failed(1)]);
  // Behind four outcomes: one of task 0, then three that are left out, then two of task 3.
  const at = [
    { start: 4, count: 1 },
    { start: 8, count: 2 },
  ];
  assert.deepEqual(appended.splice(0), [{ first: 4, count: 3, at }]);
  desk.sent();
  outcomes(desk, grant, spawned, [failed(1)]);
  assert.deepEqual(
    desk.sent().map((said) => said.kind === 'ack' && said.verdict),
    ['duplicate'],
  );
  assert.deepEqual(appended, []);
  assert.equal(total(desk, job)?.total, 7);
});

test('R34: a job that was not submitted so does not grow, and one that has ended neither', () => {
  const { desk, appended } = watched();
  desk.join('w1', { slots: 2 });
  desk.job(1);
  const late = desk.job(1, { spawns: true });
  const [plain, growing] = desk.grants() as [Grant, Grant];
  desk.cancel(late);
  desk.sent();
  outcomes(desk, plain, [[0, 5]]);
  outcomes(desk, growing, [[0, 5]]);
  assert.deepEqual(appended, []);
  assert.deepEqual(
    desk.sent().flatMap((said) => (said.kind === 'ack' ? [said.verdict] : [])),
    ['recorded', 'superseded'],
  );
});

test('R34: what is more than a block is cut into several', () => {
  const { desk, appended } = watched();
  desk.join('w1');
  desk.job(1, { spawns: true });
  const [root] = desk.grants() as [Grant];
  outcomes(desk, root, [[0, 10_000]]);
  assert.deepEqual(
    appended.map(({ first, count, at }) => [first, count, at[0]?.start]),
    [
      [1, 4_096, 1],
      [4_097, 4_096, 4_097],
      [8_193, 1_808, 8_193],
    ],
  );
});
