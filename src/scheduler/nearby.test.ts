import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk } from '../../test/support/scheduler-desk.ts';
import { NEARBY_BLOCKS } from '../model/blob-limits.ts';
import type { LargeInput } from './events.ts';

/** An open job whose first tasks need these blobs, one after the other. */
function jobNeeding(desk: Desk, blobs: readonly string[], job = desk.submit()): number {
  const large = blobs.map((blob, index): LargeInput => ({ index, blob }));
  desk.post({ kind: 'inputsAdded', request: 0, job, first: 0, count: blobs.length, large });
  return job;
}

const has = (desk: Desk, worker: string, ...blobs: string[]) => desk.post({ kind: 'blobsHeld', worker, blobs });

/** What each worker is given first, as `worker: first task + count`. */
const given = (desk: Desk) =>
  desk.grants().map(({ worker, runs }) => `${worker}: ${runs.map(({ start, count }) => `${start}+${count}`).join()}`);

test('R32: a worker is given the tasks whose large inputs it has, and who has none gets what is next', () => {
  const desk = new Desk();
  for (const worker of ['a', 'b', 'c']) desk.join(worker, { slots: 1 });
  has(desk, 'a', 'z', 'blob 3');
  has(desk, 'b', 'blob 1', 'blob 2');
  jobNeeding(desk, ['blob 0', 'blob 1', 'blob 2', 'blob 3']);
  assert.deepEqual(given(desk), ['a: 3+1', 'b: 1+1', 'c: 0+1']);
});

test('R32: tasks that share a large input go together, as many as any', () => {
  const desk = new Desk();
  desk.join('a', { slots: 1 });
  has(desk, 'a', 'shared');
  jobNeeding(desk, ['own', 'shared', 'shared', 'own', 'shared', 'shared', 'shared', 'shared']);
  assert.deepEqual(given(desk), ['a: 1+2,4+2']);
});

test('R32: nothing waits for a worker that has its input, also not for one that is gone', () => {
  const desk = new Desk();
  desk.join('a', { slots: 1 });
  has(desk, 'a', 'blob');
  desk.leave('a', true);
  desk.join('b', { slots: 1 });
  has(desk, 'b', 'blob');
  has(desk, 'b');
  jobNeeding(desk, ['other', 'blob']);
  assert.deepEqual(given(desk), ['b: 0+2']);
});

test('R32: tasks that came back go to anybody, and what is remembered is bounded', () => {
  const desk = new Desk();
  desk.join('a', { slots: 1 });
  has(desk, 'a', 'blob 1');
  jobNeeding(desk, ['blob 0', 'blob 1']);
  const [grant] = desk.grants();
  assert.deepEqual(grant!.runs, [{ start: 1, count: 1 }]);
  desk.release(grant!, grant!.runs);
  desk.join('b', { slots: 1 });
  assert.deepEqual(given(desk), ['b: 0+1']);

  const many = desk.submit();
  for (let first = 0; first < 2 * NEARBY_BLOCKS; first++) {
    const large = [{ index: first, blob: `blob ${first}` }];
    desk.post({ kind: 'inputsAdded', request: 0, job: many, first, count: 1, large });
  }
  desk.cancel(many);
});
