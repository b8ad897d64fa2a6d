import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INPUTS_AHEAD, INPUTS_AHEAD_BYTES } from '../model/client-limits.ts';
import { Pace } from './pace.ts';

test('inputs run ahead of nobody without bound, of a reader by so many tasks or bytes', () => {
  const pace = new Pace();
  assert.equal(pace.room(1e9, 1e15), undefined);
  const left = pace.reading();
  assert.equal(pace.room(0, 0), undefined);
  assert.equal(pace.room(INPUTS_AHEAD - 1, 1_000), undefined);
  assert.equal(pace.room(4, INPUTS_AHEAD_BYTES), undefined);
  assert.notEqual(pace.room(4, INPUTS_AHEAD_BYTES + 1), undefined);
  pace.read(1);
  assert.equal(pace.room(4, INPUTS_AHEAD_BYTES + 1), undefined);
  assert.notEqual(pace.room(INPUTS_AHEAD + 1, 1_000), undefined);
  // Once full, there is room again when a part worth filling is free.
  assert.notEqual(pace.room(INPUTS_AHEAD + 1, 0), undefined);
  assert.notEqual(pace.room(INPUTS_AHEAD - 10, 0), undefined);
  assert.equal(pace.room(INPUTS_AHEAD / 2, 0), undefined);
  left();
  assert.equal(pace.room(1e9, 1e15), undefined);
});

test('who waits looks again when something was read, or the last reader leaves', async () => {
  const pace = new Pace();
  const leave = [pace.reading(), pace.reading()];
  const first = pace.room(INPUTS_AHEAD, 0);
  assert.notEqual(first, undefined);
  pace.read(1);
  await first;
  const second = pace.room(INPUTS_AHEAD + 1, 0);
  assert.notEqual(second, undefined);
  for (const each of leave) each();
  await second;
  assert.equal(pace.room(INPUTS_AHEAD + 1, 0), undefined);
});
