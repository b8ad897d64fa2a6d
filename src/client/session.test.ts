import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ClientBench } from '../../test/support/client-bench.ts';
import {
  HELLO_TIME,
  INPUT_WINDOW_BYTES,
  LEASE_TIME,
  RECONNECT_BASE,
  RECONNECT_CAP,
  SILENCE_DOUBT,
} from '../model/limits.ts';
import { decodeServerToClient, encodeFrame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { RequestMessage } from './session-io.ts';

const submit = (idempotencyKey: string): Extract<RequestMessage, { kind: 'submit' }> => ({
  kind: 'submit',
  request: 0,
  name: 'n',
  code: { runner: 'js', sha256: '0'.repeat(64), size: 1, sourceName: 's' },
  idempotencyKey,
});

describe('the connection', () => {
  test('P13, F-29: reconnects are drawn from the whole of a bound that doubles up to its cap, so that they spread', () => {
    for (const chance of [0, 0.25, 0.999_999]) {
      const bench = new ClientBench().join();
      bench.chance = chance;
      for (const bound of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
        bench.handle({ kind: 'disconnected', reason: 'cut' });
        const [status] = bench.statuses();
        assert.deepEqual(status, { state: 'waiting', reason: 'cut', retryIn: Math.round(chance * bound) });
        bench.pass(Math.round(chance * bound));
        assert.equal(bench.take('connect').length, 1);
      }
    }
    assert.deepEqual([RECONNECT_BASE, RECONNECT_CAP], [500, 60_000]);
  });

  test('P13: what the server asks for is added to the delay, and a connection that was of use starts from the base', () => {
    const bench = new ClientBench().join();
    bench.chance = 1;
    bench.handle({ kind: 'disconnected', reason: 'busy', retryAfter: 7_000 });
    assert.deepEqual(bench.statuses(), [{ state: 'waiting', reason: 'busy', retryIn: 7_500 }]);
    bench.pass(7_500);
    bench.open();
    bench.handle({ kind: 'heard' });
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    assert.deepEqual(bench.statuses().at(-1), { state: 'waiting', reason: 'cut', retryIn: 500 });
  });

  test('F-29: a server that only greets and falls is not hammered', () => {
    const bench = new ClientBench().join();
    bench.chance = 1;
    const delays = Array.from({ length: 4 }, () => {
      bench.handle({ kind: 'disconnected', reason: 'cut' });
      const status = bench.statuses().at(-1);
      bench.retry();
      bench.open();
      return status?.state === 'waiting' ? status.retryIn : -1;
    });
    assert.deepEqual(delays, [500, 1_000, 2_000, 4_000]);
  });

  test('P13: silence is a dead connection, anything heard renews it, and a greeting has less time', () => {
    const bench = new ClientBench();
    bench.handle({ kind: 'start' });
    bench.handle({ kind: 'connected' });
    bench.pass(HELLO_TIME - 1);
    assert.deepEqual(bench.take('disconnect'), []);
    bench.open();
    bench.pass(LEASE_TIME - 1);
    bench.handle({ kind: 'heard' });
    bench.pass(LEASE_TIME + SILENCE_DOUBT - 1);
    assert.deepEqual(bench.take('disconnect'), []);
    bench.pass(1);
    assert.equal(bench.take('disconnect')[0]?.code, 4408);
    bench.pass(500);
    assert.equal(bench.take('connect').length, 2);
  });

  test('a farm that was never reached is given up at once, one that was is looked for for ever', () => {
    const never = new ClientBench();
    never.handle({ kind: 'start' });
    never.handle({ kind: 'disconnected', reason: 'nobody there' });
    assert.deepEqual(never.statuses(), [{ state: 'ended', reason: 'nobody there', failed: true }]);
    assert.equal(never.session.wakeAt, undefined);

    const once = new ClientBench().join();
    for (let i = 0; i < 100; i++) {
      once.handle({ kind: 'disconnected', reason: 'gone' });
      once.retry();
    }
    assert.equal(once.take('connect').length, 100);
  });

  test('a program that wants to leave does not wait for the next attempt', () => {
    const bench = new ClientBench().join();
    bench.handle({ kind: 'hurry' });
    assert.deepEqual(bench.rest, []);
    bench.handle({ kind: 'disconnected', reason: 'cut' });
    bench.handle({ kind: 'hurry' });
    assert.equal(bench.take('connect').length, 1);
  });

  test('P19: a refusal for good ends it, and nothing is handled after an end', () => {
    const bench = new ClientBench().join();
    bench.handle({ kind: 'disconnected', reason: 'the token is revoked', fatal: true });
    assert.deepEqual(bench.statuses(), [{ state: 'ended', reason: 'the token is revoked', failed: true }]);
    bench.open();
    bench.ask({ kind: 'status', job: 1 });
    assert.deepEqual(bench.rest, []);
    assert.ok(bench.session.ended);
  });

  test('P2: a server of another protocol is told apart from one that is newer', () => {
    for (const [protocol, advice] of [
      [2, 'update manyhands here'],
      [0, 'update the server'],
    ] as const) {
      const bench = new ClientBench();
      bench.handle({ kind: 'start' });
      bench.say({ kind: 'clientWelcome', protocol, farm: 'f' });
      assert.equal(bench.take('disconnect')[0]?.code, 4426);
      const [status] = bench.statuses();
      assert.ok(status?.state === 'ended' && status.failed && status.reason.includes(advice), JSON.stringify(status));
    }
  });

  test('P16, P20: a message before the welcome, or one that cannot be read, breaks the connection and loses nothing', () => {
    const early = new ClientBench();
    early.handle({ kind: 'start' });
    early.answer(1);
    assert.match(early.take('disconnect')[0]?.reason ?? '', /answer came before the welcome/);

    const bench = new ClientBench().join();
    const request = bench.ask({ kind: 'status', job: 1 });
    bench.handle({ kind: 'garbage', detail: 'a message is not JSON' });
    assert.deepEqual(bench.take('disconnect'), [{ kind: 'disconnect', code: 4400, reason: 'a message is not JSON' }]);
    bench.sent();
    bench.pass(500);
    bench.open();
    assert.deepEqual(bench.sent(), [{ kind: 'status', job: 1, request }]);
  });

  test('T-25: nothing that a server says breaks a client', () => {
    const small = fc.oneof(fc.nat(4), fc.constantFrom('done', 'busy', '', null, true), fc.jsonValue({ maxDepth: 2 }));
    const fields = [
      'request',
      'stream',
      'job',
      'ok',
      'code',
      'message',
      'value',
      'block',
      'cursor',
      'generation',
      'next',
    ];
    const all = [...fields, 'runs', 'progress', 'running', 'waiting', 'protocol', 'farm', 'attempts'];
    const known = fc.constantFrom('clientWelcome', 'answer', 'resultBatch', 'resultMark', 'resultsEnd', 'progressNote');
    const message = fc.record(
      { kind: known, ...Object.fromEntries(all.map((name) => [name, small])) },
      { requiredKeys: ['kind'] },
    );
    const frame = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 40 }),
      message.map((json) => JSON.stringify(json)),
      fc.tuple(message, fc.uint8Array({ maxLength: 40 })).map(([json, column]) => encodeFrame(json, column)),
    );
    fc.assert(
      fc.property(fc.array(frame), (frames) => {
        const bench = new ClientBench().join();
        bench.ask({ kind: 'results', job: 1, order: 'index', credit: 100 });
        bench.ask({ kind: 'status', job: 1, follow: true });
        for (const each of frames) {
          try {
            bench.handle({ kind: 'message', ...decodeServerToClient(each), bytes: each.length });
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error;
            bench.handle({ kind: 'garbage', detail: error.message });
          }
          if (bench.session.wakeAt !== undefined && bench.take('disconnect').length > 0) bench.retry();
          if (bench.take('connect').length > 0) bench.open();
        }
      }),
      { numRuns: 500 },
    );
  });

  test('stop says goodbye', () => {
    const bench = new ClientBench().join();
    bench.handle({ kind: 'stop', reason: 'done' });
    assert.equal(bench.take('disconnect')[0]?.code, 1000);
    assert.deepEqual(bench.statuses(), [{ state: 'ended', reason: 'done', failed: false }]);
    assert.deepEqual(bench.rest, []);
  });
});

describe('requests', () => {
  test('P16: what is asked before the welcome leaves after it, in the order in which it was asked', () => {
    const bench = new ClientBench();
    bench.handle({ kind: 'start' });
    const first = bench.ask(submit('k'));
    const second = bench.ask({ kind: 'close', job: 1, total: 0 });
    assert.deepEqual(bench.sent(), []);
    bench.open();
    assert.deepEqual(
      bench.sent().map((message) => (message as RequestMessage).request),
      [first, second],
    );
  });

  test('P16, F-17: what is not answered is sent again in order after a reconnect, with the same key; the rest is not', () => {
    const bench = new ClientBench().join();
    const asked = [submit('k'), submit('l'), submit('m')].map((message) => bench.ask(message));
    bench.sent();
    bench.answer(asked[1] as number, { job: 2, existing: false });
    assert.equal(bench.take('answered')[0]?.answer.request, asked[1]);
    bench.reconnect();
    assert.deepEqual(bench.sent(), [
      { ...submit('k'), request: asked[0] },
      { ...submit('m'), request: asked[2] },
    ]);
  });

  test('P16: the second answer to a request is none', () => {
    const bench = new ClientBench().join();
    const request = bench.ask({ kind: 'status', job: 1 });
    bench.answer(request);
    bench.answer(request);
    assert.equal(bench.take('answered').length, 1);
    assert.ok(bench.session.idle);
  });

  test('P16: a retry or forget whose answer was lost has been done if it is refused the second time, and only then', () => {
    for (const [action, code] of [
      ['retry', 'conflict'],
      ['forget', 'unknown'],
    ] as const) {
      const bench = new ClientBench().join();
      const sentOnce = bench.ask({ kind: 'act', job: 1, action });
      bench.refuse(sentOnce, code);
      assert.equal(bench.take('answered')[0]?.answer.ok, false);
      const sentTwice = bench.ask({ kind: 'act', job: 1, action });
      bench.reconnect();
      bench.refuse(sentTwice, code);
      assert.equal(bench.take('answered')[0]?.answer.ok, true);
      const forbidden = bench.ask({ kind: 'act', job: 1, action });
      bench.reconnect();
      bench.refuse(forbidden, 'forbidden');
      assert.equal(bench.take('answered')[0]?.answer.ok, false);
    }
  });

  test('P16: a busy server is asked again after a while, with all that was asked after it', () => {
    const bench = new ClientBench().join();
    const [first, second] = [bench.ask(submit('k')), bench.ask({ kind: 'status', job: 1 })];
    bench.sent();
    bench.refuse(first, 'busy');
    bench.answer(second);
    assert.deepEqual(bench.take('answered'), []);
    assert.equal(bench.take('disconnect')[0]?.reason, 'it is busy');
    bench.pass(500);
    bench.open();
    assert.deepEqual(
      bench.sent().map((message) => (message as RequestMessage).request),
      [first, second],
    );
    bench.refuse(99, 'busy');
    assert.deepEqual(bench.take('disconnect'), []);
  });

  test('P17: inputs have a window of bytes, and room is told once there is some', () => {
    const bench = new ClientBench().join();
    const half = new Uint8Array(INPUT_WINDOW_BYTES / 2);
    const inputs = { kind: 'inputs', job: 1, runs: [[0, 1]] as [number, number][] } as const;
    const first = bench.ask(inputs, half);
    assert.equal(bench.session.inputRoom, INPUT_WINDOW_BYTES / 2);
    const second = bench.ask(inputs, half);
    assert.equal(bench.session.inputRoom, 0);
    bench.reconnect();
    assert.equal(bench.session.inputRoom, 0);
    assert.equal(
      bench.take('send').every(({ column }) => column === half),
      true,
    );
    bench.answer(first);
    assert.equal(bench.take('room').length, 1);
    bench.refuse(second, 'conflict');
    assert.equal(bench.session.inputRoom, INPUT_WINDOW_BYTES);
    assert.equal(bench.take('room').length, 0);
  });
});
