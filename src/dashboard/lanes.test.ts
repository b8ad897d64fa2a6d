import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lanes } from './lanes.ts';

test('what ran at the same time lies in different lanes, and no more of them than are needed', () => {
  const bar = fc.record({ from: fc.nat({ max: 2_000 }), length: fc.integer({ min: 20, max: 500 }) });
  fc.assert(
    fc.property(fc.array(bar, { maxLength: 80 }), (drawn) => {
      const bars = drawn
        .map(({ from, length }) => ({ from: from * 10, to: (from + length) * 10 }))
        .sort((a, b) => a.to - b.to);
      const lanes = new Lanes();
      const placed = bars.map((each) => ({ to: each.to, ...lanes.place(each.from, each.to) }));
      for (const [i, a] of placed.entries()) {
        for (const b of placed.slice(i + 1)) assert.ok(a.lane !== b.lane || a.to <= b.from, 'two in one place');
      }
      const most = Math.max(0, ...bars.map(({ to }) => bars.filter((b) => b.from < to && b.to >= to).length));
      assert.ok(lanes.count <= most, `${lanes.count} lanes where ${most} ran at once`);
    }),
  );
});

test('a few milliseconds of overlap are how outcomes arrive, not another slot', () => {
  const lanes = new Lanes();
  assert.deepEqual(lanes.place(0, 100), { lane: 0, from: 0 });
  assert.deepEqual(lanes.place(85, 200), { lane: 0, from: 100 });
  assert.deepEqual(lanes.place(150, 250), { lane: 1, from: 150 });
});

test('there are never more lanes than the device has slots', () => {
  const lanes = new Lanes(2);
  const placed = [lanes.place(0, 100), lanes.place(10, 110), lanes.place(20, 120), lanes.place(105, 130)];
  assert.deepEqual(
    placed.map(({ lane }) => lane),
    [0, 1, 0, 1],
  );
  assert.equal(lanes.count, 2);
  for (const { from } of placed) assert.ok(from >= 0);
});
