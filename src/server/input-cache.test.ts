import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnOfValues } from '../../test/support/raw-client.ts';
import { BLOCK_BYTES, INPUT_CACHE_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { InputCache } from './input-cache.ts';

const large = packColumn(Uint32Array.of(BLOCK_BYTES), 1, new Uint8Array(BLOCK_BYTES));

test('S11: the oldest blocks are pushed out at the bound, and the bytes add up', () => {
  const cache = new InputCache();
  const most = Math.floor(INPUT_CACHE_BYTES / large.length);
  for (let first = 0; first < 2 * most; first++) cache.put(1, first, large);
  assert.equal(cache.bytes, most * large.length);
  assert.equal(cache.get(1, 0), undefined);
  assert.equal(cache.get(1, most - 1), undefined);
  for (let first = most; first < 2 * most; first++) assert.ok(cache.get(1, first));
  for (let first = most; first < 2 * most; first++) cache.drop(1, first);
  assert.equal(cache.bytes, 0);
});

test('a block is what was put last, and read once', () => {
  const cache = new InputCache();
  cache.put(1, 0, columnOfValues(['old']));
  const packed = columnOfValues(['new', 'er']);
  cache.put(1, 0, packed);
  const found = cache.get(1, 0);
  assert.equal(found?.packed, packed);
  assert.equal(found?.column.count, 2);
  assert.equal(cache.get(1, 0)?.column, found?.column);
  assert.equal(cache.get(2, 0), undefined);
  assert.equal(cache.bytes, packed.length);
  cache.clear();
  assert.deepEqual([cache.bytes, cache.get(1, 0)], [0, undefined]);
  cache.drop(1, 0);
  assert.equal(cache.bytes, 0);
});
