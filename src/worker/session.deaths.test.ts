import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../test/support/session-bench.ts';
import { Bench, outcomesOf, sizeOf } from '../../test/support/session-bench.ts';
import { isFailure, ValueStatus } from '../model/envelope.ts';
import { REVOKE_GRACE } from '../model/limits.ts';
import { LOAD_GRACE } from '../model/python-limits.ts';
import { indexesOf } from '../model/runs.ts';
import type { Chunk } from './runner.ts';

/** A slot that runs one chunk of these tasks, with the next waiting behind it in the process. */
function twoChunks() {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1, { timeout: 1_000 });
  bench.warm(1, 1_000);
  bench.tasks(1, 1, 0, 14);
  const chunks = bench.take('runChunk').map(({ chunk }) => chunk);
  assert.deepEqual(
    chunks.map(({ runs }) => runs),
    [[{ start: 0, count: 10 }], [{ start: 10, count: 4 }]],
  );
  return bench;
}

test('F-14: tasks of a batch that died rerun one by one, and only the guilty one is charged', () => {
  const bench = twoChunks();
  bench.died(0, { signal: 'SIGSEGV' });
  assert.deepEqual(outcomesOf(bench), [], 'nobody is charged yet');
  const order: number[] = [];
  for (let i = 0; i < 12; i++) {
    const handed = bench.take('runChunk');
    const [{ chunk }] = handed as [Effect<'runChunk'>];
    if (i < 10) assert.deepEqual([handed.length, sizeOf(chunk.runs)], [1, 1], 'one at a time, none behind it');
    order.push(...indexesOf(chunk.runs));
    if (chunk.runs[0]?.start === 3) bench.died(0);
    else bench.done(0, chunk);
    if (order.length >= 14) break;
  }
  const outcomes = outcomesOf(bench);
  assert.deepEqual(
    outcomes.filter(({ status }) => isFailure(status)),
    [{ index: 3, status: ValueStatus.crash }],
  );
  assert.equal(new Set(outcomes.map(({ index }) => index)).size, outcomes.length);
  assert.equal(outcomes.length, 14);
});

test('F-2: time is up for a chunk of several, then for the one that is guilty', () => {
  const bench = twoChunks();
  bench.pass(1_005);
  assert.deepEqual(bench.take('killSlot'), []);
  bench.pass(10);
  assert.equal(bench.take('killSlot').length, 1);
  bench.died(0, { signal: 'SIGKILL' });
  assert.deepEqual(outcomesOf(bench), []);
  bench.take('runChunk');
  bench.pass(1_000);
  assert.equal(bench.take('killSlot').length, 1);
  bench.died(0, { signal: 'SIGKILL' });
  assert.deepEqual(outcomesOf(bench), [{ index: 0, status: ValueStatus.timeout }]);
});

test('a chunk that ends just before its process is killed for it does not charge the next', () => {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1, { timeout: 1_000 });
  bench.warm(1, 9_000);
  bench.tasks(1, 1, 0, 2);
  const [first, second] = bench.take('runChunk').map(({ chunk }) => chunk) as [Chunk, Chunk];
  bench.pass(1_001);
  assert.equal(bench.take('killSlot').length, 1);
  bench.done(0, first);
  bench.died(0, { signal: 'SIGKILL' });
  assert.deepEqual(outcomesOf(bench), [{ index: 0, status: 0 }]);
  assert.deepEqual(
    bench.take('runChunk').map(({ chunk }) => chunk.runs),
    [second.runs],
  );
});

test('the time limit does not count while a chunk waits for blobs', () => {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1, { timeout: 100 });
  bench.tasks(1, 1, 0, 1);
  const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
  bench.handle({ kind: 'chunkWaiting', slot: 0, chunk: chunk.id });
  bench.pass(5_000);
  assert.deepEqual(bench.take('killSlot'), []);
  bench.handle({ kind: 'chunkStarted', slot: 0, chunk: chunk.id });
  bench.pass(100);
  assert.equal(bench.take('killSlot').length, 1);
});

test('P12: a chunk of which all is revoked is told so, then killed; the rest is not charged', () => {
  const bench = twoChunks();
  bench.say({ kind: 'revoke', lease: 1, runs: [[0, 12]] });
  assert.equal(bench.take('abortChunk').length, 1);
  bench.pass(REVOKE_GRACE);
  assert.equal(bench.take('killSlot').length, 1);
  bench.died(0, { signal: 'SIGKILL' });
  assert.deepEqual(outcomesOf(bench), []);
  assert.deepEqual(bench.take('runChunk')[0]?.chunk.runs, [{ start: 12, count: 2 }]);
});

describe('P12: a slot that loads what others will use is not ended because its chunk is revoked', () => {
  const loading = { kind: 'slotLoading', slot: 0, chunk: 1 } as const;
  const started = { kind: 'chunkStarted', slot: 0, chunk: 1 } as const;
  const begin = (): Bench => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 1);
    return bench;
  };

  test('meanwhile, and when it begins it has the usual time', () => {
    const bench = begin();
    bench.handle(loading);
    bench.say({ kind: 'revoke', lease: 1, runs: [[0, 1]] });
    assert.equal(bench.take('abortChunk').length, 1);
    bench.pass(LOAD_GRACE - 1);
    assert.deepEqual(bench.take('killSlot'), []);
    bench.handle(started);
    bench.pass(REVOKE_GRACE - 1);
    assert.deepEqual(bench.take('killSlot'), []);
    bench.pass(1);
    assert.equal(bench.take('killSlot').length, 1);
  });

  test('nor by a loading that begins just after', () => {
    const bench = begin();
    bench.say({ kind: 'revoke', lease: 1, runs: [[0, 1]] });
    bench.handle(loading);
    bench.pass(LOAD_GRACE - 1);
    assert.deepEqual(bench.take('killSlot'), []);
    bench.pass(1);
    assert.equal(bench.take('killSlot').length, 1, 'a loading that never ends');
  });
});

test('P12: outcomes of revoked tasks are not sent, those beside them are', () => {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1);
  bench.warm(1, 1_000);
  bench.tasks(1, 1, 0, 10);
  const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
  bench.say({ kind: 'revoke', lease: 1, runs: [[2, 3]] });
  bench.done(0, chunk);
  assert.deepEqual(
    outcomesOf(bench).map(({ index }) => index),
    [0, 1, 5, 6, 7, 8, 9],
  );
});

test('a process that keeps dying without a task is started later and later', () => {
  const bench = new Bench({ slots: 1 }).join();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    bench.handle({ kind: 'slotDied', slot: 0, cause: 'exit', exitCode: 1, lastWords: '' });
    const begun = bench.now;
    while (bench.take('startSlot').length === 0) {
      bench.handle({ kind: 'heard' });
      bench.pass(50);
    }
    waits.push(bench.now - begun);
  }
  assert.deepEqual(waits, [100, 200, 400, 800]);
});

test('P9: what a device cannot run now is given back and says why, wherever it stands, and its slot goes on', () => {
  for (const place of [0, 1]) {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.warm(1, 1_000);
    bench.tasks(1, 1, 0, 14);
    const chunks = bench.take('runChunk').map(({ chunk }) => chunk);
    const [back, other] = place === 0 ? chunks : [...chunks].reverse();
    bench.effects = [];
    bench.handle({ kind: 'chunkReturned', slot: 0, chunk: back!.id, reason: 'its disk is full' });
    const runs = back!.runs.map(({ start, count }) => [start, count]);
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs, reason: 'its disk is full' }]);
    const said = bench.take('status').map(({ status }) => status);
    assert.deepEqual(said, [{ state: 'unable', reason: 'its disk is full' }]);
    bench.done(0, other!);
    assert.equal(outcomesOf(bench).length, sizeOf(other!.runs));
    bench.tasks(2, 1, 20, 1);
    assert.equal(bench.take('runChunk').length, 1);
  }
});
