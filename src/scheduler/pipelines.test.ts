import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk } from '../../test/support/scheduler-desk.ts';
import { countRuns } from '../model/runs.ts';

test('R31: a job that comes after others hands out nothing until each of them is done', () => {
  const desk = new Desk();
  desk.join('w1', { slots: 4 });
  const first = desk.job(1);
  const second = desk.job(1);
  const [one, two] = desk.grants();
  const last = desk.job(2, { after: [first, second] });
  assert.deepEqual(desk.grants(), []);
  assert.deepEqual(desk.scheduler.explain(last, 0, desk.now).reasons, ['It comes after job 1, which has not ended.']);
  desk.done(one!);
  assert.deepEqual(desk.grants('ack', 'dropBlock'), []);
  desk.done(two!);
  const tasks = desk
    .grants('ack', 'dropBlock')
    .reduce((sum, { job, runs }) => sum + (job === last ? countRuns(runs) : 0), 0);
  assert.equal(tasks, 2);
});

test('R31: where one of them fails or is cancelled, it is cancelled in the same group, and so is what comes after it', () => {
  for (const how of ['fail', 'cancel'] as const) {
    const desk = new Desk();
    desk.join('w1');
    const first = desk.job(1);
    const [grant] = desk.grants();
    const second = desk.job(3, { after: [first] });
    const third = desk.submit({ source: second });
    const ended: [number, string, string | undefined][] = [];
    desk.watch = (command) => {
      if (command.kind !== 'write' || command.write.kind !== 'progress') return;
      const { job, progress } = command.write;
      ended.push([job, progress.state, progress.reason]);
    };
    if (how === 'cancel') desk.cancel(first);
    else desk.done(grant!, grant!.runs, 1, [{ index: 0, kind: 'failed', message: 'Error: no' }]);
    assert.deepEqual(
      ended.sort(([a], [b]) => a - b),
      [
        [first, how === 'fail' ? 'failed' : 'cancelled', how === 'fail' ? undefined : 'asked to'],
        [second, 'cancelled', `job 1, which it comes after, ${how === 'fail' ? 'failed' : 'was cancelled'}`],
        [third, 'cancelled', 'job 2, which it comes after, was cancelled'],
      ],
    );
  }
});

test('R31: its inputs may come while it waits, and a start from disk changes nothing of it', () => {
  const desk = new Desk();
  desk.join('w1');
  const first = desk.job(1);
  const [grant] = desk.grants();
  const next = desk.submit({ after: [first] });
  desk.inputs(next, 0, 5);
  desk.close(next, 5);
  desk.restart();
  desk.join('w1', {}, [{ lease: grant!.lease, runs: [...grant!.runs] }]);
  assert.deepEqual(desk.grants('claimMore'), []);
  desk.done(grant!);
  const tasks = desk.grants('ack', 'dropBlock', 'claimMore').length;
  assert.ok(tasks > 0);
});

test('R31: a job whose inputs are the results of another is granted what has come of them', () => {
  const desk = new Desk();
  desk.join('w1', { slots: 2 });
  const first = desk.job(2);
  const [grant] = desk.grants();
  const next = desk.submit({ source: first });
  assert.deepEqual(desk.scheduler.explainJob(next).reasons, [
    'It has no task that could run: its inputs are results of job 1.',
  ]);
  desk.done(grant!, [{ start: 0, count: 1 }]);
  desk.inputs(next, 0, 1);
  assert.equal(desk.grants('ack').at(-1)?.job, next);
});
