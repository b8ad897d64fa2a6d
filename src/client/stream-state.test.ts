import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { columnOf } from '../../test/support/client-bench.ts';
import { RESULT_WINDOW_BYTES } from '../model/limits.ts';
import { indexesOf, type Run, runsOf } from '../model/runs.ts';
import type { ResultBatch } from '../protocol/client-messages.ts';
import { packColumn, readColumn } from '../protocol/column.ts';
import { toWireRuns } from '../protocol/shapes.ts';
import { decodeColumn, encodeColumn } from '../protocol/values/column.ts';
import type { StreamBatch } from './session-io.ts';
import { StreamState } from './stream-state.ts';

const asked = { kind: 'results', request: 1, job: 1, credit: RESULT_WINDOW_BYTES } as const;
const message = (runs: readonly Run[], cursor: number, generation = 0): ResultBatch => ({
  kind: 'resultBatch',
  stream: 1,
  job: 1,
  block: 0,
  runs: toWireRuns(runs),
  cursor,
  generation,
});

/** Index and value of each outcome that is new; the values tell indexes and generations. */
function fresh(batch: StreamBatch | undefined): [number, unknown][] {
  if (batch === undefined) return [];
  const { lengths, statuses, bytes } = readColumn(batch.column);
  const values = decodeColumn(lengths, statuses, bytes);
  return [...indexesOf(batch.runs)].map((index, i) => [index, values[i]]);
}

function valuesOf(runs: readonly Run[], generation: number): Uint8Array {
  const { lengths, status, bytes } = encodeColumn([...indexesOf(runs)].map((index) => `${index} of ${generation}`));
  return packColumn(lengths, status, bytes);
}

describe('credit', () => {
  test('P18: goes back as it was consumed, a quarter of the window at a time', () => {
    const state = new StreamState({ ...asked, order: 'completion' });
    const quarter = RESULT_WINDOW_BYTES / 4;
    state.take(message([{ start: 0, count: 1 }], 1), columnOf(0, 1), 3 * quarter);
    assert.equal(state.consumed(quarter - 1), undefined);
    assert.equal(state.consumed(2), quarter + 1);
    // What the program still holds is not to be sent again in advance.
    assert.equal(state.resume().credit, RESULT_WINDOW_BYTES - (2 * quarter - 1));
    assert.equal(state.consumed(quarter), quarter);
  });

  test('P18: comes back before a small window is used up', () => {
    const state = new StreamState({ ...asked, order: 'completion', credit: 200 });
    const given = [20, 20, 20, 20].map((bytes) => state.consumed(bytes));
    assert.deepEqual(given, [undefined, undefined, 60, undefined]);
  });

  test('P18 S11: a program that holds more than the window gets nothing when it comes back, before it has consumed some', () => {
    const state = new StreamState({ ...asked, order: 'completion', credit: 10 });
    state.take(message([{ start: 0, count: 1 }], 1), columnOf(0, 1), 50);
    assert.equal(state.resume().credit, 0);
    assert.equal(state.consumed(50), 50);
  });
});

describe('a stream in completion order', () => {
  test('P18, S7: gives each segment once, whatever is sent again', () => {
    const state = new StreamState({ ...asked, order: 'completion', after: 3 });
    const take = (cursor: number) => state.take(message([{ start: 0, count: 2 }], cursor), columnOf(0, 2), 10);
    assert.deepEqual(
      [3, 4, 6, 5, 6, 7].map((cursor) => take(cursor) !== undefined),
      [false, true, true, false, false, true],
    );
    assert.equal(state.resume().after, 7);
  });
});

describe('a stream in index order', () => {
  test('P18: goes on at its last mark, and gives of the block at hand only what did not come', () => {
    const state = new StreamState({ ...asked, order: 'index' });
    const take = (runs: readonly Run[], generation = 0) =>
      fresh(state.take(message(runs, 0, generation), valuesOf(runs, generation), 1)).map(([index]) => index);
    assert.deepEqual(take([{ start: 0, count: 3 }]), [0, 1, 2]);
    state.mark(3);
    assert.deepEqual(take([{ start: 4, count: 2 }]), [4, 5]);
    assert.equal(state.resume().after, 3);
    assert.deepEqual(take([{ start: 3, count: 4 }]), [3, 6]);
    assert.deepEqual(take([{ start: 5, count: 1 }]), []);
    assert.deepEqual(take([{ start: 5, count: 1 }], 1), [5]);
    state.mark(7);
    assert.equal(state.resume().after, 7);
  });

  test('P18, S7: gives each outcome of each generation once, with its own value, however a block is cut and sent again', () => {
    const part = fc.record({ indexes: fc.uniqueArray(fc.nat(30), { minLength: 1 }), generation: fc.nat(2) });
    const step = fc.oneof(part, fc.constant('reconnect' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const state = new StreamState({ ...asked, order: 'index' });
        const sent: { runs: Run[]; generation: number }[] = [];
        const expected = new Map<number, string[]>();
        const got = new Map<number, unknown[]>();
        const say = ({ runs, generation }: { runs: Run[]; generation: number }): void => {
          for (const [index, value] of fresh(state.take(message(runs, 0, generation), valuesOf(runs, generation), 1)))
            got.set(index, [...(got.get(index) ?? []), value]);
        };
        for (const each of steps) {
          if (each === 'reconnect') {
            state.resume();
            for (const batch of sent) say(batch);
            continue;
          }
          // A server says each outcome of a task once a connection, newer generations later.
          const newest = Math.max(each.generation, ...sent.map(({ generation }) => generation));
          const indexes = each.indexes
            .filter((index) => !expected.get(index)?.includes(`${index} of ${newest}`))
            .sort((a, b) => a - b);
          if (indexes.length === 0) continue;
          for (const index of indexes) expected.set(index, [...(expected.get(index) ?? []), `${index} of ${newest}`]);
          const batch = { runs: runsOf(indexes), generation: newest };
          sent.push(batch);
          say(batch);
        }
        assert.deepEqual(
          [...got].sort(([a], [b]) => a - b),
          [...expected].sort(([a], [b]) => a - b),
        );
      }),
    );
  });

  test('P18 S7: of a block that comes again only what is new comes out, however small the pieces were', () => {
    const state = new StreamState({ kind: 'results', request: 1, job: 1, order: 'index', credit: 10_000 });
    const piece = (generation: number, ...indexes: number[]) => {
      const runs = indexes.map((index): [number, number] => [index, 1]);
      const column = packColumn(new Uint32Array(indexes.length), undefined, new Uint8Array(0));
      const message = { kind: 'resultBatch', stream: 1, job: 1, block: 0, runs, cursor: 0, generation } as const;
      return [...indexesOf(state.take(message, column, 10)?.runs ?? [])];
    };
    // Every other task, from the middle outwards, then the block again from its start, with one of a newer generation.
    for (let i = 0; i < 200; i++) assert.deepEqual(piece(0, 2 * ((i * 77) % 200)), [2 * ((i * 77) % 200)]);
    state.resume();
    for (let index = 0; index < 400; index++) assert.deepEqual(piece(0, index), index % 2 === 0 ? [] : [index]);
    assert.deepEqual(piece(1, 5, 6), [5, 6]);
    assert.deepEqual(piece(1, 5, 6, 7), [7]);
  });
});
