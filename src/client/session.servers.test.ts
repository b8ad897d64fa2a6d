import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientBench } from '../../test/support/client-bench.ts';
import { PING_INTERVAL, SILENCE_DOUBT } from '../model/limits.ts';
import { FIRST_TRY_TIME, MOVE_AIR, PROBE_SHARE } from '../model/move-limits.ts';

const PROBE_AFTER = PING_INTERVAL * PROBE_SHARE;
const MOVE_SILENCE = PING_INTERVAL + MOVE_AIR;

const A = 'http://a/';
const B = 'http://b/';

const cut = (bench: ClientBench): void => bench.handle({ kind: 'disconnected', reason: 'cut' });
const connects = (bench: ClientBench): string[] => bench.take('connect').map(({ server }) => server);

function joined(): ClientBench {
  return new ClientBench([A, B]).join();
}

test('P29: a first server that is not there is no reason to give up, all of them are', () => {
  const bench = new ClientBench([A, B]);
  bench.handle({ kind: 'start' });
  cut(bench);
  bench.open();
  assert.deepEqual(bench.statuses().at(-1), { state: 'joined', farm: 'f', server: B });

  const none = new ClientBench([A, B]);
  none.handle({ kind: 'start' });
  cut(none);
  none.handle({ kind: 'disconnected', reason: 'no token', fatal: true });
  const reason = 'none of the 2 servers can be had: http://a: cut; http://b: no token';
  assert.deepEqual(none.statuses().at(-1), { state: 'ended', reason, failed: true });
});

test('P29 P16: what has no answer is asked of the next server, at once', () => {
  const bench = joined();
  const submit = { kind: 'submit', name: 'n', idempotencyKey: 'k' } as const;
  const code = { runner: 'js', sha256: '0'.repeat(64), size: 1, sourceName: 's' } as const;
  const request = bench.ask({ ...submit, code });
  bench.sent();
  cut(bench);
  assert.deepEqual(bench.statuses(), [{ state: 'moving', reason: 'cut', server: B }]);
  bench.open();
  assert.deepEqual(bench.sent(), [{ ...submit, code, request }]);
});

test('P29 P18, S7: a stream goes on behind its cursor at the next server', () => {
  const bench = joined();
  const stream = bench.ask({ kind: 'results', job: 1, order: 'completion', credit: 1_000 });
  bench.answer(stream);
  bench.batch(stream, 0, 3, { cursor: 5 });
  bench.sent();
  cut(bench);
  bench.open();
  const [again] = bench.sent() as { kind: string; after?: number }[];
  assert.deepEqual([again?.kind, again?.after], ['results', 5]);
});

test('P29 P13: a server that is busy, or all that are gone: next at once, and a pause once a round', () => {
  const bench = joined();
  const request = bench.ask({ kind: 'status', job: 1 });
  bench.refuse(request, 'busy');
  assert.deepEqual(connects(bench), [B]);
  bench.open();
  bench.refuse(request, 'busy');
  assert.equal(bench.statuses().at(-1)?.state, 'waiting');
  bench.retry();
  assert.deepEqual(connects(bench), [A]);
});

test('P29: a refusal for good by one is not yet that of the farm; by all it is', () => {
  const bench = joined();
  cut(bench);
  bench.handle({ kind: 'disconnected', reason: 'another program is there', fatal: true });
  assert.equal(bench.statuses().at(-1)?.state, 'waiting');
  bench.retry();
  bench.open();
  bench.handle({ kind: 'heard' });
  for (let i = 0; i < 2; i++) bench.handle({ kind: 'disconnected', reason: 'the token is revoked', fatal: true });
  const status = bench.statuses().at(-1);
  assert.ok(status?.state === 'ended' && /none of the 2 servers.*revoked.*revoked/.test(status.reason));
});

test('P29: a server of another farm is left, since its numbers name other jobs', () => {
  const bench = joined();
  bench.ask({ kind: 'status', job: 1 });
  bench.sent();
  cut(bench);
  bench.open('another');
  assert.match(bench.take('disconnect')[0]?.reason ?? '', /of another farm/);
  assert.deepEqual(bench.sent(), []);
  assert.equal(bench.statuses().at(-1)?.state, 'waiting');
});

test('P29: servers that a welcome tells of are tried behind those that were given', () => {
  const bench = new ClientBench([A]);
  bench.handle({ kind: 'start' });
  bench.handle({ kind: 'connected' });
  bench.say({ kind: 'clientWelcome', protocol: 1, farm: 'f', servers: ['http://c', A] });
  cut(bench);
  assert.deepEqual(connects(bench), [A, 'http://c/']);
});

test('P30: with others to go to it pings in a silence, and is gone after 12 s; a welcome has 5 s', () => {
  const bench = joined();
  bench.pass(PROBE_AFTER);
  assert.equal(bench.take('ping').length, 1);
  bench.pass(MOVE_SILENCE + SILENCE_DOUBT - PROBE_AFTER - 1);
  assert.deepEqual(bench.take('disconnect'), []);
  bench.pass(1);
  assert.equal(bench.take('disconnect')[0]?.code, 4408);
  assert.deepEqual(connects(bench), [B]);
  bench.pass(FIRST_TRY_TIME + SILENCE_DOUBT);
  assert.equal(bench.statuses().at(-1)?.state, 'waiting');
});
