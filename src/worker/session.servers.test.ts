import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../test/support/session-bench.ts';
import { Bench, outcomesOf } from '../../test/support/session-bench.ts';
import { PING_INTERVAL, SILENCE_DOUBT } from '../model/limits.ts';
import { FIRST_TRY_TIME, MOVE_AIR, PROBE_SHARE } from '../model/move-limits.ts';

const PROBE_AFTER = PING_INTERVAL * PROBE_SHARE;
const MOVE_SILENCE = PING_INTERVAL + MOVE_AIR;

const A = 'http://a/';
const B = 'http://b/';
const two = { servers: [A, B] };

const cut = (bench: Bench): void => bench.handle({ kind: 'disconnected', reason: 'cut' });
const connects = (bench: Bench): string[] => bench.take('connect').map(({ server }) => server);
const statuses = (bench: Bench) => bench.take('status').map(({ status }) => status);

test('P29: a first server that is not there is no reason to give up, all of them are', () => {
  const bench = new Bench(two);
  bench.handle({ kind: 'start' });
  cut(bench);
  assert.deepEqual(connects(bench), [A, B]);
  bench.open();
  assert.equal(bench.session.ended, false);
  assert.deepEqual(statuses(bench).at(-1), { state: 'joined', worker: 'w', farm: 'f', server: B });

  const none = new Bench(two);
  none.handle({ kind: 'start' });
  cut(none);
  cut(none);
  const reason = 'none of the 2 servers can be had: http://a: cut; http://b: cut';
  assert.deepEqual(statuses(none).at(-1), { state: 'ended', reason, failed: true });
});

test('P29 P11: what runs goes on over a move, and what is kept is told to the next server', () => {
  const bench = new Bench(two).join();
  bench.job(1);
  bench.tasks(7, 1, 0, 2);
  const [first] = bench.take('runChunk') as [Effect<'runChunk'>];
  bench.effects = [];
  cut(bench);
  assert.deepEqual(connects(bench), [B]);
  assert.deepEqual(statuses(bench), [{ state: 'moving', reason: 'cut', server: B }]);
  bench.done(first.slot, first.chunk);
  assert.deepEqual(outcomesOf(bench), []);
  bench.handle({ kind: 'connected' });
  assert.deepEqual((bench.sent()[0] as { held: unknown }).held, [{ lease: 7, runs: [[0, 2]] }]);
  bench.say({ kind: 'welcome', protocol: 1, worker: 'w', farm: 'f', pingEvery: 10_000, silence: 25_000 });
  assert.deepEqual(outcomesOf(bench), [{ index: 0, status: 0 }]);
  assert.deepEqual(bench.take('killSlot'), []);
});

test('P29 P13: when all have failed it backs off, once a round', () => {
  const bench = new Bench(two).join();
  bench.chance = 0.999_999;
  const delays: number[] = [];
  for (let round = 0; round < 3; round++) {
    cut(bench);
    cut(bench);
    const status = statuses(bench).at(-1);
    delays.push(status?.state === 'waiting' ? status.retryIn : -1);
    bench.pass(delays.at(-1) as number);
  }
  assert.deepEqual(delays, [500, 1_000, 2_000]);
  assert.deepEqual(connects(bench), [B, A, B, A, B, A]);
});

test('P29: a server that only greets and falls, as all others do, is not hammered', () => {
  const bench = new Bench(two).join();
  for (let i = 0; i < 2; i++) {
    cut(bench);
    if (i === 0) bench.open();
  }
  assert.equal(statuses(bench).at(-1)?.state, 'waiting');
  bench.pass(500);
  bench.open();
  bench.handle({ kind: 'heard' });
  cut(bench);
  assert.equal(statuses(bench).at(-1)?.state, 'moving');
});

test('P29 P2: a busy server gives way to the next, and is left alone for as long as it said', () => {
  const bench = new Bench(two).join();
  bench.effects = [];
  bench.chance = 0;
  cut(bench);
  bench.handle({ kind: 'connected' });
  bench.say({ kind: 'refused', code: 'busy', detail: 'full', retryAfter: 4_000 });
  bench.handle({ kind: 'tick' });
  assert.deepEqual(connects(bench), [B, A]);
  // B still wants to be left alone.
  cut(bench);
  bench.handle({ kind: 'tick' });
  cut(bench);
  bench.pass(4_000);
  cut(bench);
  assert.deepEqual(connects(bench), [A, A, B]);
});

test('P29: a server that sends newcomers elsewhere is left for one that it names, at once', () => {
  const bench = new Bench();
  bench.handle({ kind: 'start' });
  bench.handle({ kind: 'connected' });
  bench.say({ kind: 'refused', code: 'elsewhere', detail: 'full', servers: [B, A] });
  assert.deepEqual(connects(bench), [A, B]);
  bench.open();
  assert.deepEqual(statuses(bench).at(-1), { state: 'joined', worker: 'w', farm: 'f', server: B });
});

test('P29: servers that a welcome tells of are tried behind those that were given', () => {
  const bench = new Bench(two);
  bench.handle({ kind: 'start' });
  bench.open({ servers: ['http://c', A] });
  cut(bench);
  cut(bench);
  assert.deepEqual(connects(bench), [A, B, 'http://c/']);
});

test('P29: a server of another farm is refused by a worker that holds tasks, and taken by one that does not', () => {
  const bench = new Bench(two).join();
  bench.job(1);
  bench.tasks(7, 1, 0, 1);
  const [{ slot, chunk }] = bench.take('runChunk') as [Effect<'runChunk'>];
  cut(bench);
  bench.open({ farm: 'another' });
  const words = /another farm than the tasks that this worker holds/;
  assert.match(bench.take('disconnect')[0]?.reason ?? '', words);
  const status = statuses(bench).at(-1);
  assert.ok(status?.state === 'waiting' && words.test(status.reason));
  bench.pass(500);
  bench.open();
  bench.done(slot, chunk);
  bench.say({ kind: 'ack', lease: 7, verdict: 'recorded', runs: [[0, 1]] });
  cut(bench);
  bench.open({ farm: 'another' });
  assert.deepEqual(bench.take('disconnect'), []);
  assert.equal(statuses(bench).at(-1)?.state, 'joined');
});

test('P30: with others to go to it pings in a silence, and is gone after 12 s; with none it waits as it is told to', () => {
  const bench = new Bench(two).join();
  bench.pass(PROBE_AFTER);
  assert.equal(bench.take('ping').length, 1);
  bench.handle({ kind: 'heard' });
  bench.pass(MOVE_SILENCE + SILENCE_DOUBT - 1);
  assert.deepEqual([bench.take('ping').length, bench.take('disconnect')], [1, []]);
  bench.pass(1);
  assert.equal(bench.take('disconnect')[0]?.code, 4408);
  assert.deepEqual(connects(bench), [B]);

  const alone = new Bench().join();
  alone.pass(24_000);
  assert.deepEqual([alone.take('ping'), alone.take('disconnect')], [[], []]);
});

test('P30: a server that pings more often is missed sooner', () => {
  const bench = new Bench(two);
  bench.handle({ kind: 'start' });
  bench.open({ pingEvery: 4_000 });
  bench.pass(4_000 + MOVE_AIR + SILENCE_DOUBT);
  assert.deepEqual([bench.take('ping').length, bench.take('disconnect')[0]?.code], [1, 4408]);
});

test('P30: a server that takes the connection and never answers is left for the next after 5 s', () => {
  const bench = new Bench(two);
  bench.handle({ kind: 'start' });
  bench.pass(FIRST_TRY_TIME + SILENCE_DOUBT);
  assert.deepEqual(connects(bench), [A, B]);
});

test('P29: of a name with several addresses the next is tried before the next server', () => {
  const bench = new Bench(two).join();
  bench.handle({ kind: 'disconnected', reason: 'cut', another: true });
  assert.deepEqual(connects(bench), [A]);
  cut(bench);
  assert.deepEqual(connects(bench), [B]);
});

test('P29 P2: a version that one server does not speak another may; a token that is revoked is for all', () => {
  const bench = new Bench(two).join();
  bench.say({ kind: 'refused', code: 'upgrade', detail: 'install version 2' });
  assert.deepEqual(connects(bench), [B]);
  bench.handle({ kind: 'connected' });
  bench.say({ kind: 'refused', code: 'upgrade', detail: 'install version 2' });
  assert.ok(bench.session.ended);

  const revoked = new Bench(two).join();
  revoked.say({ kind: 'refused', code: 'revoked', detail: 'this token was revoked' });
  assert.ok(revoked.session.ended);
});
