import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BlockState } from './block-state.ts';
import { drawInto, JOB_MOVES, mayMove, moveJob, TASK_MOVES, type TaskState } from './transitions.ts';

test('the diagrams in SCHEDULER.md are those of the tables', () => {
  const document = readFileSync(new URL('./SCHEDULER.md', import.meta.url), 'utf8');
  assert.equal(document, drawInto(document), 'run: node scripts/draw-transitions.ts');
  assert.throws(() => drawInto('no marks'), /has no/);
});

test('R14: a job that has ended can only be retried', () => {
  for (const state of ['done', 'failed', 'cancelled'] as const) {
    assert.deepEqual(JOB_MOVES[state], { retry: 'active' });
    assert.throws(() => moveJob(state, 'cancel'), /cannot cancel/);
  }
  assert.equal(moveJob('paused', 'resume'), 'active');
});

test('S1: no move leads out of an end, and the table is what a block obeys', () => {
  const states = Object.keys(TASK_MOVES) as TaskState[];
  for (const end of ['done', 'failed', 'cancelled'] as const) {
    for (const to of states) assert.equal(mayMove(end, to), false);
  }
  const run = [{ start: 0, count: 1 }];
  for (const from of states) {
    for (const to of states) {
      if (mayMove(from, to)) continue;
      const block = new BlockState(1, 0, 1, 0, { ready: 0, aside: 0, leased: 0, orphaned: 0 });
      assert.throws(() => block.move(run, from, to), /cannot become/);
    }
  }
});
