import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnOf } from '../../test/support/client-bench.ts';
import type { BlockRecord } from '../model/job.ts';
import type { Command } from '../scheduler/commands.ts';
import type { Event } from '../scheduler/events.ts';
import { Group } from './group.ts';
import { InputCache } from './input-cache.ts';

const block = (job: number, first: number): Command => {
  const record: BlockRecord = { job, first, count: 3, generation: 0, exceptions: [], epoch: 1 };
  return { kind: 'write', write: { kind: 'block', block: record } };
};

test('inputs are kept for the block that is made of them, not for one of another job that changes in the same event', () => {
  const cache = new InputCache();
  const column = columnOf(0, 3);
  const event: Event = { kind: 'inputsAdded', request: 1, job: 2, first: 0, count: 3 };
  const inputs: Command = { kind: 'write', write: { kind: 'inputs', job: 2, first: 0, count: 3 } };
  new Group(cache).take([inputs, block(2, 0), block(1, 0), block(2, 8)], event, column);
  assert.equal(cache.get(2, 0)?.packed, column);
  assert.deepEqual([cache.get(1, 0), cache.get(2, 8)], [undefined, undefined]);
});
