import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playedTo } from './play.ts';

const whole = { from: 1_000, to: 5_000 };

test('the whole of a past is played in ten seconds, whatever it took, and stops at its end', () => {
  const at = [0, 2_500, 9_999, 10_000, 99_000].map((elapsed) => playedTo(whole, 1_000, elapsed, false));
  assert.deepEqual(at, [1_000, 2_000, 4_999.6, 5_000, 5_000]);
  assert.equal(playedTo({ from: 0, to: 3_600_000 }, 0, 5_000, false), 1_800_000);
  assert.equal(playedTo(whole, 4_000, 2_500, false), 5_000, 'from the middle it takes less');
});

test('without motion it goes from one moment that stands still to the next', () => {
  const at = [0, 900, 1_000, 1_999, 9_999, 10_000].map((elapsed) => playedTo(whole, 1_000, elapsed, true));
  assert.deepEqual(at, [1_000, 1_000, 1_400, 1_400, 4_600, 5_000]);
});
