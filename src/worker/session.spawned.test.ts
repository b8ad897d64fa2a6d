import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, columnOf } from '../../test/support/session-bench.ts';
import { readColumn } from '../protocol/column.ts';
import { decodeColumn } from '../protocol/values/column.ts';

/** Three tasks of which the first gave two inputs and the last one; values: 0, 1, 2 and 3, 4, 5. */
function reported(): Bench {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1, { spawns: true });
  bench.warm(1, 10);
  bench.tasks(1, 1, 10, 3);
  const [run] = bench.take('runChunk');
  assert.equal(run?.job.spawns, true);
  const spawned = [
    [0, 2],
    [2, 1],
  ] as const;
  const { slot, chunk } = run;
  bench.handle({ kind: 'chunkDone', slot, chunk: chunk.id, done: 3, micros: 3, column: columnOf(6), spawned });
  return bench;
}

function sent(bench: Bench): unknown[] {
  return bench.take('send').flatMap(({ message, column }) => {
    if (message.kind !== 'outcomes') return [];
    const { lengths, statuses, bytes } = readColumn(column as Uint8Array);
    return [[message.lease, message.runs, message.spawned, decodeColumn(lengths, statuses, bytes)]];
  });
}

test('P28: what tasks give their job is told with their outcomes, by their index', () => {
  const told = sent(reported()).at(-1);
  assert.deepEqual(told, [1, [[10, 3]], [[10, 2], [12, 1]], [0, 1, 2, 3, 4, 5]]); // biome-ignore format: one line
});

test('P10 P28: of what is sent again after a reconnect, only what is not acknowledged goes along', () => {
  const bench = reported();
  bench.say({ kind: 'ack', lease: 1, verdict: 'recorded', runs: [[10, 2]] });
  bench.take('send');
  bench.handle({ kind: 'disconnected', reason: 'cut' });
  bench.now += 120_000;
  bench.handle({ kind: 'tick' });
  bench.open();
  assert.deepEqual(
    sent(bench).filter((message) => (message as unknown[])[0] === 1),
    [[1, [[12, 1]], [[12, 1]], [2, 5]]],
  );
  bench.say({ kind: 'revoke', lease: 1, runs: [[12, 1]] });
});
