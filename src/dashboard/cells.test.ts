import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskMap } from '../model/task-map.ts';
import { cellsFor, gridOf, moved, nextFailure, summaryOf, tasksIn, wordsOf } from './cells.ts';

const map: TaskMap = { job: 1, total: 1_950, from: 0, cell: 100, states: 'dddf3rrwwwwwwwwwwwfw', read: 1, batches: 1 };

test('cells are as large as fits, and never more than the place can show', () => {
  assert.deepEqual(gridOf(20, 1_000), { columns: 45, rows: 1, size: 22 });
  for (const width of [320, 700, 1_100]) {
    const cells = cellsFor(width, 4_096);
    const { columns, rows, size } = gridOf(cells, width);
    assert.ok(columns * size <= width && columns * rows >= cells && rows * size <= 400, `${width}: ${rows} rows`);
  }
  assert.equal(cellsFor(1, 4_096), 1);
});

test('a cell says which tasks it holds, and how they stand', () => {
  assert.deepEqual(tasksIn(map, 19), { first: 1_900, count: 50 });
  assert.equal(wordsOf(map, 3), 'Tasks 300 to 399: some failed');
  assert.equal(wordsOf(map, 4), 'Tasks 400 to 499: about 30 in 100 ended');
  assert.equal(wordsOf({ ...map, cell: 1, from: 1_000, total: 1_020 }, 0), 'Task 1,000: done');
  assert.match(
    summaryOf(map),
    /^20 cells of 100 tasks: 3 all done, 2 some failed, 1 partly ended, 2 some are with workers, 12 waiting$/,
  );
  assert.match(summaryOf({ ...map, cell: 1, states: 'd' }), /^1 tasks?: 1 done$/);
});

test('one gets from failure to failure, round and round', () => {
  assert.deepEqual([nextFailure(map, -1), nextFailure(map, 3), nextFailure(map, 18)], [3, 18, 3]);
  assert.equal(nextFailure({ ...map, states: 'ddd' }, 0), undefined);
});

test('keys lead from cell to cell, and not out of the map', () => {
  const grid = { columns: 8, rows: 3, size: 10 };
  const to = (key: string, at: number) => moved(key, at, 20, grid);
  assert.deepEqual([to('ArrowRight', 3), to('ArrowDown', 3), to('ArrowUp', 3), to('ArrowDown', 15)], [4, 11, 0, 19]);
  assert.deepEqual([to('Home', 9), to('End', 9), to('PageDown', 1), to('a', 1)], [0, 19, 9, undefined]);
});
