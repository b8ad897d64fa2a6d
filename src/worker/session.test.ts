import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../test/support/session-bench.ts';
import { Bench, columnOf } from '../../test/support/session-bench.ts';
import { KEPT_OUTCOME_BYTES, RECONNECT_BASE, RECONNECT_CAP, SILENCE_DOUBT } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import type { Chunk } from './runner.ts';

describe('connections', () => {
  test('P13: the delay before a reconnect is drawn from a bound that doubles up to its cap', () => {
    const bench = new Bench().join();
    bench.chance = 0.999_999;
    const delays: number[] = [];
    for (let i = 0; i < 10; i++) {
      bench.handle({ kind: 'disconnected', reason: 'cut' });
      const [status] = bench.take('status');
      delays.push(status?.status.state === 'waiting' ? status.status.retryIn : -1);
      bench.pass(delays.at(-1) as number);
      assert.equal(bench.take('connect').length, 1);
    }
    assert.deepEqual(delays.slice(0, 3), [RECONNECT_BASE, 2 * RECONNECT_BASE, 4 * RECONNECT_BASE]);
    assert.equal(delays.at(-1), RECONNECT_CAP);
    bench.open();
    bench.chance = 0;
    bench.handle({ kind: 'disconnected', reason: 'cut', retryAfter: 700 });
    assert.deepEqual(bench.take('status').at(-1)?.status, { state: 'waiting', reason: 'cut', retryIn: 700 });
  });

  test('P13: silence closes the connection, and anything heard renews it', () => {
    const bench = new Bench().join();
    bench.pass(24_000);
    bench.handle({ kind: 'heard' });
    bench.pass(24_000);
    assert.deepEqual(bench.take('disconnect'), []);
    bench.pass(1_000 + SILENCE_DOUBT);
    assert.equal(bench.take('disconnect')[0]?.code, 4408);
  });

  test('P13: a worker that stalled itself reads what came meanwhile before it believes in silence (F-28)', () => {
    const bench = new Bench().join();
    bench.now += 40_000;
    bench.handle({ kind: 'tick' });
    bench.handle({ kind: 'heard' });
    bench.pass(24_000);
    assert.deepEqual(bench.take('disconnect'), []);
    const starting = new Bench();
    starting.handle({ kind: 'start' });
    starting.now += 15_000;
    starting.handle({ kind: 'tick' });
    starting.open();
    starting.pass(5_000);
    assert.deepEqual(starting.take('disconnect'), []);
  });

  test('P13: who cannot see pings says beat', () => {
    const bench = new Bench({ beats: true }).join();
    bench.pass(20_000);
    assert.deepEqual(bench.sent(), [{ kind: 'beat' }, { kind: 'beat' }]);
  });

  test('P7: a server that says anything but welcome first is left', () => {
    const bench = new Bench();
    bench.handle({ kind: 'start' });
    bench.handle({ kind: 'connected' });
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 1]] });
    assert.match(bench.take('disconnect')[0]?.reason ?? '', /recall came before welcome/);
  });

  const broken: [string, (bench: Bench) => void, RegExp][] = [
    ['P8: tasks of an unknown job', (bench) => bench.tasks(1, 9, 0, 1), /came before its facts/],
    [
      'P6: runs that overlap',
      (bench) =>
        bench.say({
          kind: 'recall',
          lease: 1,
          runs: [
            [0, 2],
            [1, 1],
          ],
        }),
      /sorted/,
    ],
    [
      'P5: fewer inputs than tasks',
      (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 3]] }, columnOf(2)),
      /3 tasks/,
    ],
    ['P5: no inputs', (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 3]] }), /no inputs/],
    [
      'P5: a damaged column',
      (bench) => bench.say({ kind: 'tasks', lease: 1, job: 1, runs: [[0, 1]] }, new Uint8Array(9)),
      /column/,
    ],
  ];
  for (const [what, act, says] of broken) {
    test(`T-25 ${what} break the connection, nothing else`, () => {
      const bench = new Bench().join();
      bench.job(1);
      act(bench);
      const [closed] = bench.take('disconnect');
      assert.equal(closed?.code, 4400);
      assert.match(closed?.reason ?? '', says);
      assert.equal(bench.session.ended, false);
    });
  }

  test('P11: a hello lists what is queued, what runs and what is kept', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 1);
    const [first] = bench.take('runChunk');
    bench.done(0, first?.chunk as Chunk);
    bench.tasks(2, 1, 10, 1);
    bench.tasks(3, 1, 20, 5);
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    bench.pass(1_000);
    bench.effects = [];
    bench.handle({ kind: 'connected' });
    const [hello] = bench.sent() as [{ held: { lease: number; runs: number[][] }[] }];
    const held = hello.held.sort((a, b) => a.lease - b.lease);
    assert.deepEqual(held, [
      { lease: 1, runs: [[0, 1]] },
      { lease: 2, runs: [[10, 1]] },
      { lease: 3, runs: [[20, 5]] },
    ]);
  });
});

describe('a device that comes and goes', () => {
  test('P11 P12: asleep it has hung up, has given back what had not started, and keeps what it ran', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 5);
    const [first] = bench.take('runChunk');
    bench.handle({ kind: 'sleep', reason: 'hidden' });
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[1, 4]], reason: 'this worker sleeps' }]);
    assert.equal(bench.take('disconnect').length, 1);
    bench.pass(1_000_000);
    assert.deepEqual(bench.take('connect'), [], 'it stays away until it is woken');
    bench.done(0, first?.chunk as Chunk);
    assert.deepEqual(bench.sent(), []);
    bench.handle({ kind: 'wake' });
    assert.equal(bench.take('connect').length, 1);
    bench.open();
    const [hello, outcomes] = bench.sent() as [{ held: unknown }, { kind: string }];
    assert.deepEqual(hello.held, [{ lease: 1, runs: [[0, 1]] }]);
    assert.equal(outcomes.kind, 'outcomes');
    bench.effects = [];
    bench.handle({ kind: 'wake' });
    assert.deepEqual(bench.effects, []);
  });

  test('P14: who rests finishes what runs, then sleeps; who is woken before that comes back', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 2);
    const [first] = bench.take('runChunk');
    bench.handle({ kind: 'rest', reason: 'the battery is low' });
    assert.deepEqual(bench.sent(), [
      { kind: 'leaving' },
      { kind: 'released', lease: 1, runs: [[1, 1]], reason: 'this worker is leaving' },
    ]);
    bench.handle({ kind: 'wake' });
    assert.equal(bench.take('disconnect').length, 1);
    bench.pass(999);
    assert.deepEqual(bench.take('connect'), []);
    bench.pass(1);
    bench.open();
    const [{ held }] = bench.sent() as [{ held: unknown }];
    assert.deepEqual(held, [{ lease: 1, runs: [[0, 1]] }]);
    bench.handle({ kind: 'rest', reason: 'the battery is low' });
    bench.done(0, first?.chunk as Chunk);
    bench.effects = [];
    bench.say({ kind: 'ack', lease: 1, verdict: 'recorded', runs: [[0, 1]] });
    assert.deepEqual(bench.take('status').at(-1)?.status, { state: 'asleep', reason: 'the battery is low' });
    assert.equal(bench.take('disconnect').length, 1);
    bench.handle({ kind: 'wake' });
    assert.equal(bench.take('connect').length, 1);
  });

  test('asleep before it has ever joined it is woken all the same', () => {
    const bench = new Bench();
    bench.handle({ kind: 'start' });
    bench.handle({ kind: 'sleep', reason: 'hidden' });
    bench.handle({ kind: 'disconnected', reason: 'late news of the old connection' });
    bench.handle({ kind: 'wake' });
    bench.open();
    assert.equal(bench.session.ended, false);
  });

  test('R18: with fewer slots what runs goes on, and what is too much ends after it', () => {
    const bench = new Bench({ slots: 2 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 5);
    const [zero, one] = bench.take('runChunk') as [Effect<'runChunk'>, Effect<'runChunk'>];
    bench.handle({ kind: 'resize', slots: 1 });
    assert.deepEqual(bench.take('killSlot'), []);
    assert.equal(bench.take('disconnect').length, 1);
    assert.equal(bench.take('connect').length, 1);
    bench.open();
    const [hello] = bench.sent() as [{ slots: number; held: unknown }];
    assert.deepEqual([hello.slots, hello.held], [1, [{ lease: 1, runs: [[0, 5]] }]]);
    bench.done(one.slot, one.chunk);
    assert.deepEqual(bench.take('killSlot'), [{ kind: 'killSlot', slot: 1 }]);
    bench.died(1);
    assert.deepEqual(bench.take('startSlot'), []);
    assert.deepEqual(bench.take('runChunk'), [], 'the one slot is busy');
    bench.done(zero.slot, zero.chunk);
    assert.deepEqual(
      bench.take('runChunk').map(({ slot }) => slot),
      [0],
    );
  });

  test('with more slots it starts them, those it had before and others', () => {
    const bench = new Bench({ slots: 2 }).join();
    bench.handle({ kind: 'resize', slots: 1 });
    bench.died(1);
    bench.open();
    bench.effects = [];
    bench.handle({ kind: 'resize', slots: 3 });
    assert.deepEqual(
      bench.take('startSlot').map(({ slot }) => slot),
      [1, 2],
    );
    bench.effects = [];
    bench.handle({ kind: 'stop', reason: 'enough' });
    assert.equal(bench.take('killSlot').length, 3);
  });
});

describe('chunks', () => {
  test('the first task of a job goes alone, then as many as fill the time', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 4_000);
    const [first] = bench.take('runChunk') as [Effect<'runChunk'>];
    assert.deepEqual(first.chunk.runs, [{ start: 0, count: 1 }]);
    bench.done(0, first.chunk, 1, 10);
    const [second] = bench.take('runChunk') as [Effect<'runChunk'>];
    assert.deepEqual(second.chunk.runs, [{ start: 1, count: 1_000 }]);
  });

  test('P9: what waits is shared out among the slots that idle', () => {
    const bench = new Bench({ slots: 2 }).join();
    bench.job(1);
    bench.warm(1, 2_000);
    bench.tasks(1, 1, 0, 4);
    const runs = bench.take('runChunk').map(({ slot, chunk }) => [slot, chunk.runs]);
    assert.deepEqual(runs.slice(0, 2), [
      [0, [{ start: 0, count: 2 }]],
      [1, [{ start: 2, count: 2 }]],
    ]);
  });

  test('short tasks are handed over ahead, long ones never', () => {
    for (const [micros, chunks] of [
      [10, 2],
      [20_000, 1],
    ] as const) {
      const bench = new Bench({ slots: 1 }).join();
      bench.job(1);
      bench.warm(1, micros);
      bench.tasks(1, 1, 0, 4_000);
      assert.equal(bench.take('runChunk').length, chunks, `${micros} µs`);
    }
  });

  test('tasks that a chunk had no time for are queued again, first', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.warm(1, 1_000);
    bench.tasks(1, 1, 0, 8);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    bench.tasks(2, 1, 50, 1);
    bench.take('runChunk');
    bench.done(0, chunk, 1, 50_000);
    bench.effects = [];
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 100]] });
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[1, 7]] }]);
  });

  test('R18: CPUs, resources and memory are never exceeded side by side', () => {
    const cases = [{ cpus: 2 }, { resources: { gpu: 1 } }, { memory: 600 }];
    for (const needs of cases) {
      const bench = new Bench({ slots: 2, resources: { gpu: 1 }, memory: 1_000 }).join();
      bench.job(1, needs);
      bench.tasks(1, 1, 0, 4);
      assert.equal(bench.take('runChunk').length, 1, JSON.stringify(needs));
    }
  });

  test('P10: above a bound of kept outcomes nothing is started until acks come', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 3);
    const [{ chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
    const lengths = Uint32Array.of(KEPT_OUTCOME_BYTES);
    const column = packColumn(lengths, 0, new Uint8Array(KEPT_OUTCOME_BYTES));
    bench.handle({ kind: 'chunkDone', slot: 0, chunk: chunk.id, done: 1, micros: 1, column });
    assert.equal(bench.take('runChunk').length, 0);
    bench.say({ kind: 'ack', lease: 1, verdict: 'recorded', runs: [[0, 1]] });
    assert.equal(bench.take('runChunk').length, 1);
  });

  test('P8 F-34: after a reconnect, jobs of which nothing is left here are forgotten', () => {
    const bench = new Bench().join();
    for (const job of [1, 2]) {
      bench.job(job);
      bench.tasks(job, job, 0, 1);
    }
    const [first, second] = bench.take('runChunk');
    bench.done(first!.slot, first!.chunk);
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    bench.pass(1_000);
    // Job 1 ended meanwhile, so nobody will ever speak of it again.
    bench.open();
    assert.deepEqual(
      bench.take('forgetJob').map(({ job }) => job),
      [1],
    );
    // What still runs is told of by its own end; a job that comes again is not fetched again.
    bench.say({ kind: 'job', job: 2, name: 'j', code: second!.job.code });
    assert.deepEqual(bench.take('fetchCode'), []);
    bench.done(second!.slot, second!.chunk);
    assert.deepEqual(bench.take('forgetJob'), []);
  });

  test('a task that is granted again is not run again', () => {
    const bench = new Bench({ slots: 1 }).join();
    bench.job(1);
    bench.tasks(1, 1, 0, 3);
    bench.tasks(1, 1, 1, 4);
    bench.say({ kind: 'recall', lease: 1, runs: [[0, 100]] });
    assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[1, 4]] }]);
  });
});

test('P23: the large blobs that are here are told, to each server anew', () => {
  const bench = new Bench().join();
  const have = () => bench.sent().filter((message) => (message as { kind: string }).kind === 'have');
  bench.handle({ kind: 'blobsHeld', blobs: ['a', 'b'] });
  assert.deepEqual(have(), [{ kind: 'have', blobs: ['a', 'b'] }]);
  bench.handle({ kind: 'disconnected', reason: 'cut' });
  bench.handle({ kind: 'blobsHeld', blobs: ['b'] });
  assert.deepEqual(have(), [], 'nobody is there to hear it');
  bench.pass(60_000);
  bench.open();
  assert.deepEqual(have(), [{ kind: 'have', blobs: ['b'] }]);
  bench.handle({ kind: 'blobsHeld', blobs: [] });
  assert.deepEqual(have(), [{ kind: 'have', blobs: [] }]);
});
