import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELLO_TIME, LEASE_TIME } from '../model/limits.ts';
import { Link } from './link.ts';

test('P13: a link knows when it must be looked at: at the end of silence, or of the wait before the next attempt', () => {
  const link = new Link();
  assert.equal(link.wakeAt, undefined);
  link.connecting(100);
  assert.equal(link.wakeAt, 100 + HELLO_TIME);
  link.welcomed(200);
  assert.equal(link.wakeAt, 200 + LEASE_TIME);
  link.heard(300);
  assert.deepEqual([link.isSilent(299 + LEASE_TIME), link.isSilent(300 + LEASE_TIME)], [false, true]);
  assert.equal(link.lost(1_000, 0.5, 70), 320);
  assert.equal(link.wakeAt, 1_320);
  assert.deepEqual([link.mayRetry(1_319), link.mayRetry(1_320), link.isSilent(1e9)], [false, true, false]);
  link.state = 'ended';
  assert.equal(link.wakeAt, undefined);
});
