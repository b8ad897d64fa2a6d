import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk, type Grant } from '../../test/support/scheduler-desk.ts';
import type { CodeRef, Runner } from '../model/job.ts';
import { RETRY_BACKOFF } from '../model/limits.ts';
import { countRuns } from '../model/runs.ts';
import { TRIAL_AGAIN, TRIAL_TASKS } from '../model/variant-limits.ts';

const code = (runner: Runner, requires?: Record<string, string>): CodeRef => ({
  ...{ runner, sha256: runner.padEnd(64, '0'), size: 10, sourceName: `task.${runner}` },
  ...(requires && { requires }),
});

const BOTH = { code: code('js'), variants: [code('wasi')] };
const runners: Runner[] = ['js', 'wasi'];

/** Ends what is granted, round after round: `micros` are those of a task of each code. Returns how many tasks each code got. */
function work(desk: Desk, micros: readonly number[], rounds: number): number[] {
  const tasks = micros.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      tasks[command.code]! += countRuns(command.runs);
      desk.done(command, command.runs, micros[command.code]! / 1_000);
    }
  }
  return tasks;
}

/** Those of all that were granted, after a trial of each. */
const share = (tasks: readonly number[], of: number) => tasks[of]! / tasks.reduce((sum, each) => sum + each, 0);

test('R33: each worker ends with the code that is fastest there, whichever that is', () => {
  for (const fast of [0, 1]) {
    const desk = new Desk();
    desk.join('w', { slots: 2, runners });
    desk.job(4_000, BOTH);
    const micros = [2_000, 2_000].map((each, i) => (i === fast ? each : each * 4));
    work(desk, micros, 20);
    const later = work(desk, micros, 40);
    assert.ok(share(later, fast) > 0.98, `${later} with the code ${fast}`);
  }
});

test('R33: two workers may differ', () => {
  const desk = new Desk();
  desk.join('a', { runners });
  desk.join('b', { runners });
  desk.job(4_000, BOTH);
  const codes = new Map<string, number[]>();
  for (let round = 0; round < 60; round++)
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      codes.set(command.worker, [...(codes.get(command.worker) ?? []), command.code]);
      desk.done(command, command.runs, (command.worker === 'a') === (command.code === 0) ? 2 : 20);
    }
  assert.deepEqual(new Set(codes.get('a')!.slice(-20)), new Set([0]));
  assert.deepEqual(new Set(codes.get('b')!.slice(-20)), new Set([1]));
});

test('R33: a worker gets only codes whose runner and labels it has', () => {
  const desk = new Desk();
  const arm = code('exec', { arch: 'arm64' });
  desk.join('page', { runners: ['js'] });
  desk.join('x64', { runners: ['exec'], labels: { arch: 'x64' } });
  desk.join('arm', { runners: ['exec'], labels: { arch: 'arm64' } });
  desk.join('snake', { runners: ['python'] });
  const job = desk.job(500, { code: code('wasi'), variants: [code('exec', { arch: 'x64' }), arm, code('js')] });
  const granted = new Map<string, number>();
  for (const grant of desk.grants('claimMore')) granted.set(grant.worker, grant.code);
  assert.deepEqual([...granted].sort(), [
    ['arm', 2],
    ['page', 3],
    ['x64', 1],
  ]);
  const { variants } = desk.scheduler.explainJob(job);
  assert.equal(variants?.[0], 'Worker page runs js, the only one of its variants that this worker can run.');
  assert.equal(variants?.length, 3);
  const alone = new Desk();
  alone.join('snake', { runners: ['python', 'exec'], labels: { arch: 'mips' } });
  const waiting = alone.job(1, { code: code('wasi'), variants: [arm] });
  assert.deepEqual(alone.scheduler.explain(waiting, 0, alone.now).reasons, [
    'No connected worker can run it.',
    "Worker snake has no runner 'wasi', and lacks the label arch=arm64 for its runner 'exec'.",
  ]);
});

test('R33: a code that is slower is tried again now and then, and replaces the other when it has become faster', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  desk.job(12_000, BOTH);
  work(desk, [2_000, 8_000], 40);
  assert.equal(share(work(desk, [2_000, 1_000], 20), 0), 1, 'not yet');
  desk.pass(TRIAL_AGAIN);
  desk.post({ kind: 'workerHeard', worker: 'w' });
  let tasks = work(desk, [2_000, 1_000], 20);
  assert.ok(tasks[1]! > 0 && tasks[1]! < tasks[0]! / 5, `tried with few: ${tasks}`);
  for (let i = 0; i < 6; i++) {
    desk.pass(TRIAL_AGAIN);
    desk.post({ kind: 'workerHeard', worker: 'w' });
    tasks = work(desk, [2_000, 1_000], 20);
  }
  assert.ok(share(tasks, 1) > 0.9, `${tasks}`);
});

test('R33: a code that is hardly faster does not replace the one that is known', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  desk.job(12_000, BOTH);
  work(desk, [2_000, 8_000], 40);
  let tasks: number[] = [];
  for (let i = 0; i < 5; i++) {
    desk.pass(TRIAL_AGAIN);
    desk.post({ kind: 'workerHeard', worker: 'w' });
    tasks = work(desk, [2_000, 1_900], 20);
  }
  assert.ok(tasks[1]! > 0 && share(tasks, 0) > 0.9, `${tasks}`);
});

test('R33: the first tasks of a code, which are slow, do not count against it', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  desk.job(100_000, BOTH);
  let warm = false;
  for (let round = 0; round < 10; round++)
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      desk.done(command, command.runs, command.code === 0 ? 1 : warm ? 0.1 : 50);
      warm ||= command.code === 1;
    }
  assert.ok(share(work(desk, [1_000, 100], 20), 1) > 0.9);
});

test('R33: a code that may take for ever is given to one slot, once another is known', () => {
  const desk = new Desk();
  desk.join('w', { slots: 4, runners });
  const job = desk.job(400, BOTH);
  const held: Grant[] = [];
  for (let round = 0; round < 400; round++)
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      if (command.code === 1) held.push(command);
      else desk.done(command, command.runs, 3_000);
    }
  const kept = held.reduce((sum, { runs }) => sum + countRuns(runs), 0);
  assert.ok(kept <= 4 * TRIAL_TASKS, `${kept} tasks wait for the slow one`);
  assert.equal(desk.progress(job).done, 400 - kept);
});

test('R33: what fails with a code that never succeeded on a worker is not charged while another is left', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  const job = desk.job(40, BOTH);
  for (let round = 0; round < 40; round++) {
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      const indexes = command.runs.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
      if (command.code === 0) desk.fails(command, indexes);
      else desk.done(command);
    }
    desk.passSlowly(RETRY_BACKOFF, 'w');
  }
  const { state, done, failed, retried } = desk.progress(job);
  assert.deepEqual([state, done, failed, retried], ['done', 40, 0, 0]);
});

test('R33: a task that fails where nothing else is left to be tried has failed', () => {
  const desk = new Desk();
  desk.join('w', { runners: ['js'] });
  const job = desk.job(1, BOTH);
  desk.fails(desk.grants('claimMore')[0]!, [0]);
  assert.equal(desk.progress(job).state, 'failed');
});

test('R33: where every code fails, the tasks do', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  const job = desk.job(8, BOTH);
  for (let round = 0; round < 40; round++) {
    for (const command of desk.sent()) {
      if (command.kind === 'claimMore') desk.claim(command);
      if (command.kind !== 'grant') continue;
      for (const { start, count } of command.runs)
        desk.fails(
          command,
          Array.from({ length: count }, (_, i) => start + i),
        );
    }
    desk.passSlowly(RETRY_BACKOFF, 'w');
  }
  const { state, failed } = desk.progress(job);
  assert.deepEqual([state, failed], ['failed', 8]);
});

test('R33: what is told of it has the times that were measured', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  const job = desk.job(20_000, BOTH);
  work(desk, [9_800, 3_100], 60);
  const told = 'wasi 3.1 ms a task there, js 9.8 ms';
  assert.deepEqual(desk.scheduler.explainJob(job).variants, [`Worker w runs ${told}.`]);
  const [given] = desk.scheduler.given('w', desk.now);
  assert.equal(given?.variant, told);
  assert.equal(desk.scheduler.explain(job, given!.first, desk.now).reasons[1], `Its variant is ${told}.`);
  desk.leave('w', true);
  desk.join('w', { runners });
  assert.match(desk.scheduler.explainJob(job).variants![0]!, /js not measured there yet, wasi not measured there yet/);
});

test('R33: after a restart nothing is known, and what was granted before is measured for no code', () => {
  const desk = new Desk();
  desk.join('w', { runners });
  const job = desk.job(1_000, BOTH);
  const [grant] = desk.grants('claimMore');
  desk.restart();
  desk.join('w', { runners }, [{ lease: grant!.lease, runs: [...grant!.runs] }]);
  desk.done(grant!);
  assert.equal(desk.progress(job).done, countRuns(grant!.runs));
  assert.match(desk.scheduler.explainJob(job).variants![0]!, /^Worker w runs js not measured there yet/);
});
