import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECENT_SEGMENT_BYTES, SEGMENT_BYTES } from '../model/limits.ts';
import type { StoredSegment } from '../store/store.ts';
import { leftIn } from '../testing/simulation/drained.ts';
import { RecentSegments } from './recent-segments.ts';

const stored = (job: number, seq: number, bytes = 10): StoredSegment =>
  ({ segment: { job, seq }, column: new Uint8Array(bytes) }) as unknown as StoredSegment;

test('F-34: nothing is left of jobs that are forgotten, however many there were beside one that goes on', () => {
  const recent = new RecentSegments();
  for (let seq = 1; seq <= 100; seq++) recent.put(stored(1, seq));
  for (let job = 2; job <= 1_000; job++) {
    for (let seq = 1; seq <= 20; seq++) recent.put(stored(job, seq));
    recent.forget(job);
  }
  const [order = 0] = [...leftIn(recent, 'recent', new Set())].flatMap(([path, size]) =>
    path.endsWith('#order') ? [size] : [],
  );
  assert.ok(order <= 250, `${order} entries for 100 segments`);
  assert.ok(recent.get(1, 1) !== undefined && recent.get(999, 1) === undefined);
  recent.forget(1);
  assert.deepEqual([...leftIn(recent, 'recent', new Set())], []);
});

test('S11: the oldest segments make room for the newest', () => {
  const recent = new RecentSegments();
  const bytes = Math.floor(RECENT_SEGMENT_BYTES / 4) - SEGMENT_BYTES;
  for (let seq = 1; seq <= 6; seq++) recent.put(stored(seq % 2, seq, bytes));
  const there = [1, 2, 3, 4, 5, 6].filter((seq) => recent.get(seq % 2, seq) !== undefined);
  assert.deepEqual(there, [3, 4, 5, 6]);
});

test('S11: a million single short tasks fill no more memory than a few large ones', () => {
  const recent = new RecentSegments();
  const most = Math.ceil(RECENT_SEGMENT_BYTES / SEGMENT_BYTES);
  for (let seq = 1; seq <= 2 * most; seq++) recent.put(stored(1, seq, 2));
  let there = 0;
  for (let seq = 1; seq <= 2 * most; seq++) if (recent.get(1, seq) !== undefined) there++;
  assert.ok(there > 0 && there <= most, `${there}`);
  assert.ok(recent.get(1, 2 * most));
});
