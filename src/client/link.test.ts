import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELLO_TIME, LEASE_TIME, PING_INTERVAL, SILENCE_DOUBT } from '../model/limits.ts';
import { MOVE_AIR, PROBE_SHARE } from '../model/move-limits.ts';
import { Link } from './link.ts';

const PROBE_AFTER = PING_INTERVAL * PROBE_SHARE;
const MOVE_SILENCE = PING_INTERVAL + MOVE_AIR;

test('P13: a link knows when it must be looked at: at the end of silence, or of the wait before the next attempt', () => {
  const link = new Link();
  assert.equal(link.wakeAt, undefined);
  link.connecting(100, HELLO_TIME);
  assert.equal(link.wakeAt, 100 + HELLO_TIME);
  link.welcomed(200, false);
  assert.equal(link.wakeAt, 200 + LEASE_TIME);
  link.heard(300);
  const silent = 300 + LEASE_TIME;
  assert.deepEqual([link.isSilent(silent - 1), link.isSilent(silent)], [false, false]);
  // It is looked at twice: what came while this process stalled itself has not been read at the first look.
  assert.equal(link.wakeAt, silent + SILENCE_DOUBT);
  assert.equal(link.isSilent(silent + SILENCE_DOUBT), true);
  assert.equal(link.lost(1_000, 0.5, 70), 320);
  assert.equal(link.wakeAt, 1_320);
  assert.deepEqual([link.mayRetry(1_319), link.mayRetry(1_320), link.isSilent(1e9)], [false, true, false]);
  link.state = 'ended';
  assert.equal(link.wakeAt, undefined);
});

test('P30: a link with another to go to pings once in a silence, and believes in it sooner', () => {
  const link = new Link();
  link.connecting(0, HELLO_TIME);
  link.welcomed(100, true);
  assert.equal(link.wakeAt, 100 + PROBE_AFTER);
  assert.deepEqual([link.takeProbe(99 + PROBE_AFTER), link.takeProbe(100 + PROBE_AFTER)], [false, true]);
  assert.deepEqual([link.takeProbe(100 + PROBE_AFTER), link.wakeAt], [false, 100 + MOVE_SILENCE]);
  link.heard(6_000);
  assert.deepEqual([link.wakeAt, link.takeProbe(6_000 + PROBE_AFTER)], [6_000 + PROBE_AFTER, true]);
  assert.deepEqual(
    [link.isSilent(6_000 + MOVE_SILENCE), link.isSilent(6_000 + MOVE_SILENCE + SILENCE_DOUBT)],
    [false, true],
  );
});
