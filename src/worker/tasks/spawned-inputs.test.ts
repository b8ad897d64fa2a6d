import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readColumn } from '../../protocol/column.ts';
import { decodeColumn } from '../../protocol/values/column.ts';
import { SpawnedInputs } from './spawned-inputs.ts';

test('R34: what tasks that succeed give their job is kept in their order, and of those that fail nothing', () => {
  const inputs = new SpawnedInputs(true);
  for (const [position, values, succeeded] of [
    [0, [1, 'two'], true],
    [1, [Uint8Array.of(3), 4], false],
    [2, [], true],
    [3, [Uint8Array.of(5)], true],
  ] as const) {
    inputs.begin(position);
    for (const value of values) inputs.add(value);
    inputs.end(succeeded);
  }
  const { spawned, column } = inputs.finish() ?? {};
  assert.deepEqual(spawned, [
    [0, 2],
    [3, 1],
  ]);
  const { lengths, statuses, bytes } = readColumn(column as Uint8Array);
  assert.deepEqual(decodeColumn(lengths, statuses, bytes), [1, 'two', Uint8Array.of(5)]);
});

test('R34: a call that comes after the end of its task is told so, and adds nothing', () => {
  const inputs = new SpawnedInputs(true);
  inputs.begin(0);
  inputs.end(true);
  assert.throws(() => inputs.add(1), { message: 'ctx.spawn was called after its task had ended' });
  assert.equal(inputs.finish(), undefined);
});
