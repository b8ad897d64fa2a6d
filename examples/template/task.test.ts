import assert from 'node:assert/strict';
import { test } from 'node:test';
import collatz from './task.ts';

test('the template counts the steps that are known: 27 takes 111, the longest below a million takes 524', () => {
  assert.deepEqual([1, 2, 3, 27, 837799].map(collatz), [0, 1, 7, 111, 524]);
});

test('the template refuses what has no steps, by name', () => {
  for (const wrong of [0, -4, 1.5, Number.NaN]) assert.throws(() => collatz(wrong), RangeError);
});
