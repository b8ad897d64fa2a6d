import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, outcomesOf } from '../../test/support/session-bench.ts';
import { DISK_FULL } from './runner.ts';

test('P27: tasks run with the code that was told last before they came, and what waits keeps its own', () => {
  const bench = new Bench({ slots: 1 }).join();
  const [one, two] = ['1', '2'].map((digit) => ({
    ...({ runner: 'js', sourceName: 's', size: 1, sha256: digit.repeat(64) } as const),
  }));
  const say = (code: typeof one) => bench.say({ kind: 'job', job: 1, name: 'j', code: code! });
  say(one);
  bench.tasks(1, 1, 0, 2);
  say(two);
  bench.tasks(2, 1, 2, 1);
  say(one);
  bench.tasks(3, 1, 3, 1);
  assert.deepEqual(
    bench.take('fetchCode').map(({ code }) => code.sha256),
    [one!.sha256, two!.sha256],
    'what is known is not fetched again',
  );
  const ran = () =>
    bench.take('runChunk').map(({ slot, chunk, job }) => {
      bench.done(slot, chunk);
      return [chunk.lease, job.code.sha256[0]];
    });
  assert.deepEqual(ran(), []);
  bench.handle({ kind: 'codeReady', sha256: two!.sha256 });
  assert.deepEqual(ran(), [[2, '2']]);
  bench.handle({ kind: 'codeFailed', sha256: one!.sha256, reason: 'it is gone' });
  assert.deepEqual(ran(), []);
  assert.deepEqual(
    outcomesOf(bench).map(({ index }) => index),
    [2, 0, 1, 3],
  );
  say(two);
  bench.tasks(4, 1, 4, 1);
  assert.deepEqual(ran(), [[4, '2']]);
});

test('P9: code for which the disk has no room is no failure: its tasks go back, and it is fetched again for the next', () => {
  const bench = new Bench({ slots: 1 }).join();
  bench.say({
    kind: 'job',
    job: 1,
    name: 'job',
    code: { runner: 'exec', sha256: '3'.repeat(64), size: 1, sourceName: 's' },
  });
  bench.tasks(1, 1, 0, 2);
  assert.equal(bench.take('fetchCode').length, 1);
  bench.handle({ kind: 'codeFailed', sha256: '3'.repeat(64), reason: DISK_FULL });
  assert.deepEqual(bench.sent(), [{ kind: 'released', lease: 1, runs: [[0, 2]], reason: DISK_FULL }]);
  bench.tasks(2, 1, 0, 1);
  assert.deepEqual(
    bench.take('fetchCode').map(({ code }) => code.sha256[0]),
    ['3'],
  );
  bench.handle({ kind: 'codeReady', sha256: '3'.repeat(64) });
  assert.deepEqual(
    bench.take('runChunk').map(({ chunk }) => chunk.lease),
    [2],
  );
});

test('P27: a second chunk waits in a process only behind one with the same code', () => {
  const bench = new Bench({ slots: 1 }).join();
  bench.job(1);
  bench.warm(1, 10);
  bench.tasks(1, 1, 0, 1);
  bench.job(1, { code: { runner: 'wasi', sha256: '2'.repeat(64), size: 1, sourceName: 's' } });
  bench.handle({ kind: 'codeReady', sha256: '2'.repeat(64) });
  bench.tasks(2, 1, 1, 1);
  const [first, ...behind] = bench.take('runChunk');
  assert.deepEqual([first?.chunk.lease, behind], [1, []]);
  bench.done(first!.slot, first!.chunk);
  assert.deepEqual(
    bench.take('runChunk').map(({ job }) => job.code.runner),
    ['wasi'],
  );
});
