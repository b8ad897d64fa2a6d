import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cursor, cursorText, parseCursor } from './cursor.ts';
import { FarmError } from './farm-error.ts';

test('P18: a cursor is read back as it was written', () => {
  const cursor = fc.record<Cursor>({
    order: fc.constantFrom('completion', 'index'),
    after: fc.maxSafeNat(),
    skip: fc.maxSafeNat(),
    defined: fc.boolean(),
  });
  fc.assert(
    fc.property(cursor, (each) => {
      assert.deepEqual(parseCursor(cursorText(each), each.order, each.defined), { ...each });
    }),
  );
  assert.equal(cursorText({ order: 'index', after: 5, skip: 0, defined: false }), 'i5');
});

test('P18: a cursor may be used with or without undefined values where it stands between segments, and only there', () => {
  assert.equal(parseCursor('c7d', 'completion', false).after, 7);
  assert.throws(() => parseCursor('c7.2d', 'completion', false), /is of a stream with defined: true; ask for the same/);
});

test('what is no cursor, or another order’s, is refused with what to do', () => {
  for (const text of ['', '7', 'x7', 'c', 'c-1', 'c1.', 'i5x', 'c99999999999999999', 'c1 ']) {
    assert.throws(
      () => parseCursor(text, 'completion', false),
      (error) => {
        assert.ok(error instanceof FarmError && error.code === 'invalid');
        assert.match(error.message, /is not a cursor of results; give the "cursor" of a stream/);
        return true;
      },
    );
  }
  assert.throws(() => parseCursor('i5', 'completion', false), /of an ordered stream; ask for .*ordered: true/);
  assert.throws(() => parseCursor('c5', 'index', false), /of an unordered stream; ask for .*ordered: false/);
});
