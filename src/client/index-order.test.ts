import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { columnOf } from '../../test/support/client-bench.ts';
import { runsOf } from '../model/runs.ts';
import { IndexOrder, type Piece } from './index-order.ts';
import { readOutcomes } from './outcomes.ts';

/** Outcomes of these tasks, whose values are numbers from 0 on. */
function outcomesOf(indexes: readonly number[]) {
  const runs = runsOf([...indexes].sort((a, b) => a - b));
  const more = { stream: 1, block: 0, cursor: 0, generation: 0, attempts: [], bytes: 1 };
  return readOutcomes(1, { ...more, runs, column: columnOf(0, indexes.length) });
}

const indexesOf = (pieces: readonly Piece[]): number[] =>
  pieces.flatMap(({ index, count }) => Array.from({ length: count }, (_, i) => index + i));

test('P18: tasks come out in order, each when those before it have come or were marked as not coming', () => {
  const order = new IndexOrder(2);
  assert.deepEqual(indexesOf(order.add(outcomesOf([5]))), []);
  assert.deepEqual(indexesOf(order.add(outcomesOf([2, 3]))), [2, 3]);
  assert.deepEqual(indexesOf(order.mark(5)), [5]);
  assert.deepEqual(indexesOf(order.add(outcomesOf([7, 9]))), []);
  assert.deepEqual(indexesOf(order.mark(8)), [7]);
  assert.deepEqual(indexesOf(order.add(outcomesOf([8]))), [8, 9]);
  assert.deepEqual(indexesOf(order.mark(20)), []);
  assert.deepEqual(indexesOf(order.add(outcomesOf([20]))), [20]);
});

test('P18: a value stays with its task, whatever order the batches of a block come in', () => {
  const [first, second] = new IndexOrder(0).add(outcomesOf([0, 1, 4])) as [Piece, Piece | undefined];
  assert.deepEqual([first.index, first.count, first.position, second], [0, 2, 0, undefined]);
  const order = new IndexOrder(0);
  order.add(outcomesOf([0, 1, 4]));
  const [late] = order.mark(5);
  assert.deepEqual([late?.index, late?.count, late?.position], [4, 1, 2]);
});

test('P18: everything that came comes out once and ascending, with any tasks missing and any cuts into batches', () => {
  const block = fc.record({
    size: fc.integer({ min: 1, max: 12 }),
    batchOf: fc.array(fc.nat(4), { minLength: 12, maxLength: 12 }),
  });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 6 }), fc.nat(5), (blocks, from) => {
      const order = new IndexOrder(from);
      const got: number[] = [];
      const expected: number[] = [];
      let first = from;
      for (const { size, batchOf } of blocks) {
        // Tasks of the batch 0 never come: they were cancelled.
        for (const batch of [3, 1, 4, 2]) {
          const indexes = batchOf.slice(0, size).flatMap((of, i) => (of === batch ? [first + i] : []));
          if (indexes.length > 0) got.push(...indexesOf(order.add(outcomesOf(indexes))));
        }
        expected.push(...batchOf.slice(0, size).flatMap((of, i) => (of === 0 ? [] : [first + i])));
        first += size;
        got.push(...indexesOf(order.mark(first)));
      }
      assert.deepEqual(got, expected);
      assert.deepEqual(order.mark(Number.POSITIVE_INFINITY), []);
    }),
  );
});
