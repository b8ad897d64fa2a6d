import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StreamState } from './stream-state.ts';

describe('what a client remembers of a result stream', () => {
  test('P18: credit comes back before a small window is used up', () => {
    const state = new StreamState({ kind: 'results', request: 1, job: 1, order: 'completion', credit: 200 });
    const given = [20, 20, 20, 20].map((bytes) => state.consumed(bytes));
    assert.deepEqual(given, [undefined, undefined, 60, undefined]);
  });
});
