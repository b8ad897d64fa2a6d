import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimelineBar } from '../model/timeline.ts';
import { durationsOf, stragglersOf } from './durations.ts';

const bar = (seq: number, millis: number, tasks = 1, worker = 'a'): TimelineBar => ({
  ...{ seq, worker, lease: seq, from: 0, to: millis, micros: millis * 1_000, first: seq, tasks, failed: 0 },
});

test('tasks are counted in bins without gaps, each twice as long as the one before', () => {
  const told = durationsOf([bar(1, 3), bar(2, 3.5), bar(3, 5), bar(4, 40)], 1);
  assert.deepEqual(
    told?.bins.map(({ from, to, tasks }) => [from, to, tasks]),
    [
      [1, 2, 0],
      [2, 4, 2],
      [4, 8, 1],
      [8, 16, 0],
      [16, 32, 0],
      [32, 64, 1],
      [64, 128, 0],
    ],
  );
  assert.deepEqual([told?.median, told?.longest, told?.tasks, told?.isMeans], [3.5, 40, 4, false]);
});

test('the tasks of a batch count with their mean, each of them', () => {
  const told = durationsOf([bar(1, 10, 10), bar(2, 900)], 5);
  assert.deepEqual([told?.median, told?.late, told?.longest, told?.tasks, told?.isMeans], [1, 900, 900, 55, true]);
});

test('nothing is told of nothing, nor of what the server made itself, and no time is too short', () => {
  assert.equal(durationsOf([], 1), undefined);
  assert.equal(durationsOf([bar(1, 0, 1, '')], 1), undefined);
  assert.equal(durationsOf([bar(1, 0), bar(2, 0)], 1)?.bins.filter(({ tasks }) => tasks > 0).length, 1);
});

test('stragglers took more than twice the median, and long enough to be waited for', () => {
  const bars = [bar(1, 200), bar(2, 200), bar(3, 390), bar(4, 1_000), bar(5, 3_000, 2)];
  assert.deepEqual(
    stragglersOf(bars, 200, 9).map(({ bar: { seq }, time, times }) => [seq, time, times]),
    [
      [5, 1_500, 7.5],
      [4, 1_000, 5],
    ],
  );
  assert.equal(stragglersOf(bars, 200, 1).length, 1);
  assert.deepEqual(stragglersOf([bar(1, 0.001), bar(2, 50)], 0.001, 9), []);
});
