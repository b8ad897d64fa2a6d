import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientBench, progressOf } from '../../test/support/client-bench.ts';

describe('followed jobs', () => {
  const follow = { kind: 'status', job: 1, follow: true } as const;
  const note = (bench: ClientBench, state: 'active' | 'done'): void =>
    bench.say({ kind: 'progressNote', job: 1, progress: progressOf(state), running: 1, waiting: 2 });

  test('F-13: progress is heard until the end, over reconnects', () => {
    const bench = new ClientBench().join();
    const request = bench.ask(follow);
    bench.answer(request, { progress: progressOf('active') });
    note(bench, 'active');
    bench.sent();
    bench.reconnect();
    assert.deepEqual(bench.sent(), [{ ...follow, request }]);
    note(bench, 'done');
    note(bench, 'done');
    assert.deepEqual(
      bench.take('progress').map(({ progress, running, waiting }) => [progress.state, running, waiting]),
      [
        ['active', 1, 2],
        ['done', 1, 2],
      ],
    );
    bench.reconnect();
    assert.deepEqual(bench.sent(), []);
  });

  test('F-13: an end while nobody was connected is told, and that the job is forgotten too', () => {
    for (const [answer, kind] of [
      [{ ok: true, value: { progress: progressOf('done') } }, 'progress'],
      [{ ok: false, code: 'unknown', message: 'there is no job 1' }, 'followFailed'],
    ] as const) {
      const bench = new ClientBench().join();
      const request = bench.ask(follow);
      bench.answer(request, { progress: progressOf('active') });
      bench.reconnect();
      bench.say({ kind: 'answer', request, ...answer });
      assert.equal(bench.take(kind).length, 1);
      assert.ok(bench.session.idle);
    }
  });

  test('T-25: progress that is none breaks the connection, not the client', () => {
    for (const progress of [null, 'done', {}, { state: 1 }, undefined]) {
      const bench = new ClientBench().join();
      bench.answer(bench.ask(follow), { progress: progressOf('active') });
      bench.say({ kind: 'progressNote', job: 1, progress, running: 0, waiting: 0 });
      assert.equal(bench.take('disconnect')[0]?.reason, 'progress without a state');
      assert.deepEqual(bench.take('progress'), []);
    }
  });

  test('a job that has ended, or is not followed any more, is not asked for again', () => {
    const bench = new ClientBench().join();
    bench.answer(bench.ask(follow), { progress: progressOf('done') });
    assert.ok(bench.session.idle);
    bench.answer(bench.ask(follow), { progress: progressOf('active') });
    bench.handle({ kind: 'unfollow', job: 1 });
    assert.ok(bench.session.idle);
    note(bench, 'active');
    assert.deepEqual(bench.take('progress'), []);
  });
});
