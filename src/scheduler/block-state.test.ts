import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countRuns, indexesOf, runsOf } from '../model/runs.ts';
import { BlockState, type Tally } from './block-state.ts';
import type { TaskState } from './transitions.ts';

const tally = (): Tally => ({ ready: 0, aside: 0, leased: 0, orphaned: 0 });
const SIZES = [1, 31, 32, 33, 64, 100, 4096];

test('R17: bitmaps agree with a simple list of states, whatever is moved', () => {
  const moves: [TaskState, TaskState][] = [
    ['ready', 'leased'],
    ['leased', 'done'],
    ['leased', 'ready'],
    ['leased', 'aside'],
    ['aside', 'leased'],
    ['leased', 'orphaned'],
    ['orphaned', 'leased'],
    ['orphaned', 'done'],
  ];
  const step = fc.record({
    move: fc.nat(moves.length - 1),
    mask: fc.array(fc.boolean(), { minLength: 1, maxLength: 70 }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...SIZES.slice(0, 6)), fc.array(step, { maxLength: 30 }), (size, steps) => {
      const first = 1_000;
      const job = tally();
      const block = new BlockState(1, first, size, 0, job);
      const list = Array.from({ length: size }, (): string => 'ready');
      for (const { move, mask } of steps) {
        const [from, to] = moves[move]!;
        const chosen = list.flatMap((state, i) => (state === from && mask[i % mask.length] ? [i + first] : []));
        block.move(runsOf(chosen), from, to);
        for (const index of chosen) list[index - first] = to === 'done' ? 'ended' : to;
      }
      const all = [{ start: first, count: size }];
      for (const state of ['ready', 'aside', 'leased', 'orphaned', 'ended'] as const) {
        const expected = list.flatMap((other, i) => (other === state ? [i + first] : []));
        assert.deepEqual([...indexesOf(block.select(all, state))], expected);
        assert.equal(block.recount(state), expected.length);
        assert.equal(state === 'ended' ? block.ended : block.tally[state], expected.length);
        assert.equal(block.all(runsOf(expected), state), true);
        for (const index of expected) assert.equal(block.stateOf(index), state);
      }
      assert.deepEqual(job, block.tally);
      const ready = list.flatMap((state, i) => (state === 'ready' ? [i + first] : []));
      assert.deepEqual([...indexesOf(block.next(5))], ready.slice(0, 5));
    }),
    { numRuns: 300 },
  );
});

test('R28: a whole block is found, moved and ended as one run', () => {
  for (const size of SIZES) {
    const block = new BlockState(1, 0, size, 0, tally());
    const runs = block.next(size);
    assert.deepEqual(runs, [{ start: 0, count: size }]);
    block.move(runs, 'ready', 'leased');
    assert.deepEqual(block.next(size), []);
    block.move(runs, 'leased', 'done');
    assert.equal(block.over, true);
  }
});

test('R28: recording a batch of 4,096 costs far less than 20 µs', () => {
  const blocks = 100;
  let best = Number.POSITIVE_INFINITY;
  // The best of many rounds: what else the machine does is not the scheduler's cost.
  for (let round = 0; round < 50; round++) {
    const started = performance.now();
    for (let i = 0; i < blocks; i++) {
      const block = new BlockState(1, 0, 4096, 0, tally());
      const runs = block.next(4096);
      block.move(runs, 'ready', 'leased');
      block.move(runs, 'leased', 'done');
    }
    best = Math.min(best, ((performance.now() - started) * 1000) / blocks);
  }
  assert.ok(best < 20, `${best.toFixed(1)} µs a block`);
});

test('a move of tasks that stand elsewhere throws', () => {
  const block = new BlockState(1, 0, 40, 0, tally());
  block.move([{ start: 30, count: 5 }], 'ready', 'leased');
  assert.throws(() => block.move([{ start: 29, count: 3 }], 'ready', 'leased'), /not where they should be/);
  assert.throws(() => block.move([{ start: 38, count: 3 }], 'ready', 'leased'), /outside/);
  assert.equal(block.has([{ start: 38, count: 3 }]), false);
});

test('R9 R10: a block comes back from its row as it was', () => {
  const block = new BlockState(7, 4096, 100, 2, tally());
  const wall = 1_000_000;
  const done = [
    { start: 4096, count: 3 },
    { start: 4190, count: 6 },
  ];
  block.move(done, 'ready', 'leased');
  block.move(done, 'leased', 'done');
  const lost = { charged: 0, failedOn: [], failedLease: 0, losses: 1, lostWorkers: ['w1'], notBefore: 0 };
  for (const index of [4100, 4101, 4102]) block.troubles.set(index, lost);
  block.troubles.set(4110, {
    charged: 2,
    failedOn: ['w2'],
    failedLease: 5,
    losses: 0,
    lostWorkers: [],
    notBefore: 500,
  });
  const record = block.record(3, wall);
  assert.equal(record.ended?.length, 13);
  assert.deepEqual(
    record.exceptions.map(({ index, count, notBeforeAt }) => [index, count, notBeforeAt]),
    [
      [4100, 3, undefined],
      [4110, 1, wall + 500],
    ],
  );
  const again = BlockState.recover(record, wall, tally());
  assert.deepEqual(again.record(3, wall), record);
  assert.deepEqual(again.tally, { ready: 87, aside: 4, leased: 0, orphaned: 0 });
  assert.equal(countRuns(again.select([{ start: 4096, count: 100 }], 'ended')), 9);
  assert.deepEqual(again.troubled([{ start: 4101, count: 9 }]), [4101, 4102]);
});
