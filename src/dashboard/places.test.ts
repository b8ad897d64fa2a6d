import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobPath, placeOf, taskPath, workerPath } from './places.ts';

test('every address names one place, and what is made for a place leads there', () => {
  assert.deepEqual(placeOf('/'), { page: 'index' });
  assert.deepEqual(placeOf('/run'), { page: 'run' });
  assert.deepEqual(placeOf('/join'), { page: 'join' });
  assert.deepEqual(placeOf(jobPath(12)), { page: 'job', job: 12 });
  assert.deepEqual(placeOf(taskPath(12, 0)), { page: 'task', job: 12, index: 0 });
  assert.deepEqual(placeOf(workerPath('ckvesaw6y7')), { page: 'worker', worker: 'ckvesaw6y7' });
  for (const path of [
    '/jobs',
    '/jobs/0',
    '/jobs/1/',
    '/jobs/01',
    '/jobs/1/tasks/x',
    '/jobs/1/tasks/01',
    '/workers/A',
    '//x',
  ]) {
    assert.deepEqual(placeOf(path), { page: 'nowhere' }, path);
  }
});
