import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, columnOf, type Effect, outcomesOf, sizeOf } from '../../test/support/session-bench.ts';
import { COMMANDS_TIME } from '../model/exec-limits.ts';
import { REVOKE_GRACE } from '../model/limits.ts';
import { indexesOf } from '../model/runs.ts';

const SHA256 = '1'.repeat(64);

/** One slot, and a job of commands that have taken five milliseconds each. */
function commandBench(more: object = {}): Bench {
  const bench = new Bench({ slots: 1, runners: ['exec'] }).join();
  const code = { runner: 'exec', sha256: SHA256, size: 1, sourceName: 's' } as const;
  bench.say({ kind: 'job', job: 1, name: 'j', code, ...more });
  bench.handle({ kind: 'codeReady', sha256: SHA256 });
  bench.warm(1, 5_000);
  return bench;
}

function begun(bench: Bench): Effect<'runChunk'> {
  const chunks = bench.take('runChunk');
  assert.equal(chunks.length, 1);
  return chunks[0] as Effect<'runChunk'>;
}

const cut = (bench: Bench, { slot, chunk }: Effect<'runChunk'>, done: number): void =>
  bench.handle({ kind: 'chunkCut', slot, chunk: chunk.id, done, micros: done * 5_000, column: columnOf(done) });

test('commands go to a slot for COMMANDS_TIME, and no second chunk waits behind them', () => {
  const bench = commandBench();
  bench.tasks(1, 1, 0, 30);
  assert.equal(sizeOf(begun(bench).chunk.runs), COMMANDS_TIME / 5);
});

test('P10: a chunk that is cut tells what has ended, keeps what runs, and gives back what has not begun', () => {
  const bench = commandBench();
  bench.tasks(1, 1, 0, 10);
  const running = begun(bench);
  cut(bench, running, 3);
  assert.deepEqual(
    outcomesOf(bench).map(({ index }) => index),
    [0, 1, 2],
  );
  bench.say({ kind: 'recall', lease: 1, runs: [[0, 10]] });
  assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[4, 6]] }], 'all but the one that runs');
  bench.done(0, running.chunk, 1);
  assert.deepEqual(
    outcomesOf(bench).map(({ index }) => index),
    [3],
  );
});

test('what is behind a command that takes long runs after it, or on a slot that gets free', () => {
  const bench = commandBench();
  bench.tasks(1, 1, 0, 10);
  const running = begun(bench);
  cut(bench, running, 0);
  assert.deepEqual(outcomesOf(bench), [], 'nothing has ended');
  assert.deepEqual(bench.take('runChunk'), [], 'the slot is still at work');
  bench.handle({ kind: 'resize', slots: 2 });
  bench.handle({ kind: 'slotReady', slot: 1 });
  assert.deepEqual([...indexesOf(begun(bench).chunk.runs)], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('P12: a command that nobody wants is asked to end when its chunk is cut, and killed if it does not', () => {
  const bench = commandBench();
  bench.tasks(1, 1, 0, 10);
  const running = begun(bench);
  bench.say({ kind: 'revoke', lease: 1, runs: [[3, 1]] });
  assert.deepEqual(bench.take('abortChunk'), [], 'nobody knows which one runs');
  cut(bench, running, 3);
  assert.equal(bench.take('abortChunk').length, 1);
  bench.pass(REVOKE_GRACE);
  assert.equal(bench.take('killSlot').length, 1);
});

test('the time limit of a command is counted from the cut', () => {
  const bench = commandBench({ timeout: 1_000 });
  bench.tasks(1, 1, 0, 10);
  const running = begun(bench);
  bench.now += COMMANDS_TIME;
  cut(bench, running, 9);
  bench.pass(999);
  assert.deepEqual(bench.take('killSlot'), []);
  bench.pass(1);
  assert.equal(bench.take('killSlot').length, 1);
});
