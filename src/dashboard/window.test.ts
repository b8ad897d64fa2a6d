import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { panned, showing, ticksOf, zoomed } from './window.ts';

const whole = { from: 1_000, to: 11_000 };

test('zooming keeps the moment where it is', () => {
  const closer = zoomed(whole, whole, 0.5, 3_500);
  assert.deepEqual(closer, { from: 2_250, to: 7_250 });
  assert.equal((3_500 - closer.from) / (closer.to - closer.from), 0.25);
  assert.equal(zoomed(closer, whole, 4, 3_500), whole);
});

test('panning stops at both ends', () => {
  const part = { from: 2_000, to: 4_000 };
  assert.deepEqual(panned(part, whole, 500), { from: 2_500, to: 4_500 });
  assert.deepEqual(panned(part, whole, -9_000), { from: 1_000, to: 3_000 });
  assert.deepEqual(panned(part, whole, 99_000), { from: 9_000, to: 11_000 });
});

test('what is chosen is brought into view, and moves nothing if it is there', () => {
  const part = { from: 2_000, to: 4_000 };
  assert.equal(showing(part, whole, 3_000), part);
  assert.deepEqual(showing(part, whole, 8_000), { from: 7_000, to: 9_000 });
});

test('however one zooms and pans, a part of the whole is shown', () => {
  const move = fc.record({
    factor: fc.double({ min: 0.01, max: 100, noNaN: true }),
    at: fc.nat({ max: 20_000 }),
    by: fc.integer({ min: -20_000, max: 20_000 }),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
      let shown = whole;
      for (const { factor, at, by } of moves) {
        shown = panned(zoomed(shown, whole, factor, at), whole, by);
        assert.ok(shown.from >= whole.from - 1e-6 && shown.to <= whole.to + 1e-6, JSON.stringify(shown));
        assert.ok(shown.to - shown.from >= 4.99, JSON.stringify(shown));
      }
    }),
  );
});

test('times are written at round moments, as many as fit', () => {
  assert.deepEqual(ticksOf(whole, 1_000, 5), [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
  assert.deepEqual(ticksOf({ from: 4_100, to: 4_350 }, 1_000, 3), [3_100, 3_200, 3_300]);
  assert.ok(ticksOf({ from: 0, to: 40 * 86_400_000 }, 0, 6).length <= 8);
});
