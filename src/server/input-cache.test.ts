import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INPUT_CACHE_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { leftIn } from '../testing/simulation/drained.ts';
import { InputCache } from './input-cache.ts';

const column = (bytes: number) => packColumn(Uint32Array.of(bytes), undefined, new Uint8Array(bytes));

test('F-34: of a job that is over nothing is left, whatever was read of it late', () => {
  const cache = new InputCache();
  for (const job of [1, 2]) for (const first of [0, 10]) cache.put(job, first, column(100));
  cache.drop(1, 0);
  cache.put(1, 0, column(50));
  cache.dropJob(1);
  assert.deepEqual([cache.get(1, 0), cache.get(1, 10)], [undefined, undefined]);
  assert.ok(cache.get(2, 0) !== undefined && cache.bytes > 200);
  cache.dropJob(2);
  assert.equal(cache.bytes, 0);
  assert.deepEqual([...leftIn(cache, 'cache', new Set())], []);
});

test('S11: older blocks make room for newer ones', () => {
  const cache = new InputCache();
  const size = Math.floor(INPUT_CACHE_BYTES / 3);
  for (let job = 1; job <= 5; job++) cache.put(job, 0, column(size));
  assert.ok(cache.bytes <= INPUT_CACHE_BYTES);
  assert.deepEqual(
    [1, 2, 3, 4, 5].filter((job) => cache.get(job, 0) !== undefined),
    [4, 5],
  );
});
