import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryLimitError, withMemoryLimit } from './memory-limit.ts';

const PAGE = 65_536;
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** After the memory: a section of a name of its own, which must stay as it is. */
const TAIL = [0, 3, 1, 0x78, 9];

/** A module with one memory, which it exports as `m`. */
function moduleWith(limits: readonly number[]): Uint8Array<ArrayBuffer> {
  const memory = [5, 1 + limits.length, 1, ...limits];
  return Uint8Array.from([...HEAD, ...memory, 7, 5, 1, 1, 0x6d, 2, 0, ...TAIL]);
}

/** How many pages it may have, which is found out by growing. */
function pagesOf(bytes: Uint8Array): number {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), {});
  const memory = exports['m'] as { grow(pages: number): number; buffer: ArrayBuffer };
  for (let step = 32; step > 0; step = Math.floor(step / 2)) {
    try {
      while (memory.buffer.byteLength < 1_000 * PAGE) memory.grow(step);
    } catch {
      // No further by so much.
    }
  }
  return memory.buffer.byteLength / PAGE;
}

test('the maximum of a memory is the lower of its own and the limit', () => {
  assert.equal(pagesOf(withMemoryLimit(moduleWith([0, 1]), 200 * PAGE + 5)), 200);
  assert.equal(pagesOf(withMemoryLimit(moduleWith([1, 1, 20]), 200 * PAGE)), 20);
  assert.equal(pagesOf(withMemoryLimit(moduleWith([1, 1, 0x80, 2]), 200 * PAGE)), 200);
  assert.deepEqual([...withMemoryLimit(moduleWith([0, 1]), PAGE)].slice(-TAIL.length), TAIL);
});

test('a module that starts with more than the limit is refused', () => {
  assert.throws(() => withMemoryLimit(moduleWith([0, 3]), 2 * PAGE), {
    constructor: MemoryLimitError,
    message: "it starts with 192 KiB of memory, and the job's limit for a task is 128 KiB",
  });
});

test('bytes without a memory come back as they are', () => {
  for (const bytes of [HEAD, [...HEAD, ...TAIL], [...HEAD, 5], [...HEAD, 9, 255]]) {
    assert.deepEqual(withMemoryLimit(Uint8Array.from(bytes), PAGE).length >= HEAD.length, true, String(bytes));
  }
  assert.deepEqual(withMemoryLimit(Uint8Array.from([...HEAD, ...TAIL]), PAGE), Uint8Array.from([...HEAD, ...TAIL]));
});
