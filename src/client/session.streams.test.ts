import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientBench, columnOf, progressOf } from '../../test/support/client-bench.ts';

describe('streams', () => {
  const results = { kind: 'results', job: 1, order: 'completion', credit: 1_000 } as const;

  test('P18: a batch goes to its stream, and credit goes back as it is consumed, in portions', () => {
    const bench = new ClientBench().join();
    const stream = bench.ask({ ...results, credit: 8 << 20 });
    bench.answer(stream);
    assert.deepEqual(bench.take('answered'), []);
    bench.sent();
    bench.batch(stream, 0, 3, { bytes: 2 << 20 });
    const bytes = bench.take('batch')[0]?.batch.bytes ?? 0;
    bench.handle({ kind: 'consumed', stream, bytes: bytes - 1 });
    assert.deepEqual(bench.sent(), []);
    bench.handle({ kind: 'consumed', stream, bytes: 1 });
    assert.deepEqual(bench.sent(), [{ kind: 'credit', stream, bytes: 2 << 20 }]);
  });

  test('P18, S7: after a reconnect a stream goes on after what came, with the credit that is left', () => {
    const bench = new ClientBench().join();
    const stream = bench.ask(results);
    bench.batch(stream, 0, 3, { cursor: 4, bytes: 300 });
    bench.batch(stream, 3, 3, { cursor: 5, bytes: 200 });
    bench.handle({ kind: 'consumed', stream, bytes: 300 });
    bench.sent();
    bench.reconnect();
    assert.deepEqual(bench.sent(), [{ ...results, request: stream, after: 5, credit: 800 }]);
    bench.take('batch');
    bench.batch(stream, 3, 3, { cursor: 5, bytes: 200 });
    assert.deepEqual(bench.take('batch'), []);
    assert.deepEqual(bench.sent(), [{ kind: 'credit', stream, bytes: 200 }]);
    bench.batch(stream, 6, 1, { cursor: 6 });
    assert.equal(bench.take('batch').length, 1);
  });

  test('P18: the end of a stream is told once, and a stream that was given up says nothing more', () => {
    const bench = new ClientBench().join();
    const [ending, left] = [bench.ask(results), bench.ask(results)];
    bench.sent();
    bench.handle({ kind: 'unsubscribe', stream: left });
    bench.handle({ kind: 'unsubscribe', stream: left });
    assert.deepEqual(bench.sent(), [{ kind: 'unsubscribe', stream: left }]);
    bench.batch(left, 0, 1);
    bench.say({ kind: 'resultMark', stream: left, next: 1 });
    bench.handle({ kind: 'consumed', stream: left, bytes: 1e9 });
    for (const stream of [left, ending, ending]) {
      bench.say({ kind: 'resultsEnd', stream, progress: progressOf('done') });
    }
    assert.deepEqual(
      bench.take('streamEnded').map(({ stream }) => stream),
      [ending],
    );
    assert.deepEqual(bench.rest, []);
    assert.ok(bench.session.idle);
    bench.reconnect();
    assert.deepEqual(bench.rest, []);
  });

  test('P18: a stream that is refused, also later, fails', () => {
    const bench = new ClientBench().join();
    const stream = bench.ask(results);
    bench.refuse(stream, 'unknown');
    assert.deepEqual(bench.take('streamFailed'), [
      { kind: 'streamFailed', stream, code: 'unknown', reason: 'it is unknown' },
    ]);
    bench.reconnect();
    assert.deepEqual(bench.take('send').length, 1);
  });

  const broken: [string, (bench: ClientBench, stream: number) => void, RegExp][] = [
    [
      'P5: without a column',
      (bench, stream) =>
        bench.say({ kind: 'resultBatch', stream, job: 1, block: 0, runs: [[0, 1]], cursor: 1, generation: 0 }),
      /without a column/,
    ],
    [
      'P6: with runs that overlap',
      (bench, stream) => {
        const runs: [number, number][] = [
          [0, 2],
          [1, 1],
        ];
        const message = { kind: 'resultBatch', stream, job: 1, block: 0, runs, cursor: 1, generation: 0 } as const;
        bench.say(message, columnOf(0, 3));
      },
      /not sorted/,
    ],
  ];
  for (const [what, say, complaint] of broken) {
    test(`a batch ${what} breaks the connection`, () => {
      const bench = new ClientBench().join();
      say(bench, bench.ask(results));
      assert.match(bench.take('disconnect')[0]?.reason ?? '', complaint);
      assert.equal(bench.statuses()[0]?.state, 'waiting');
    });
  }
});
