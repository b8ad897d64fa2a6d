import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelClock } from '../../../test/support/model-clock.ts';
import { FAILED_ADDRESSES, FAILED_ATTEMPTS, FAILED_ATTEMPTS_TIME } from '../../model/limits.ts';
import { FailedAttempts, networkOf } from './failed-attempts.ts';

test('T-27: ten wrong tokens a minute from one address, then it is told how long to wait', async () => {
  const clock = new ModelClock();
  const attempts = new FailedAttempts(clock);
  for (let i = 0; i < FAILED_ATTEMPTS; i++) assert.equal(attempts.failed('192.0.2.1'), 0);
  await clock.advance(1_000);
  assert.equal(attempts.failed('192.0.2.1'), FAILED_ATTEMPTS_TIME - 1_000);
  assert.equal(attempts.failed('192.0.2.2'), 0, 'another address');
  await clock.advance(FAILED_ATTEMPTS_TIME - 1_000);
  assert.equal(attempts.failed('192.0.2.1'), 0, 'a minute later');
});

test('T-27: ten thousand addresses are remembered and no more, so that guessers cost little memory', () => {
  const attempts = new FailedAttempts(new ModelClock());
  const other = (i: number) => attempts.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  for (let i = 0; i <= FAILED_ATTEMPTS; i++) attempts.failed('192.0.2.1');
  for (let i = 0; i < FAILED_ADDRESSES - 1; i++) other(i);
  assert.ok(attempts.failed('192.0.2.1') > 0, 'still known');
  other(FAILED_ADDRESSES);
  assert.equal(attempts.failed('192.0.2.1'), 0, 'the oldest is forgotten');
});

test('an address is its network: a /64 of IPv6, and IPv4 however it is dressed', () => {
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  assert.equal(networkOf('2001:db8:1:2::9'), '2001:db8:1:2');
  assert.equal(networkOf('2001:db8::9'), '2001:db8:0:0');
  assert.equal(networkOf('2001:db8::1:2:3:4:5'), '2001:db8:0:1');
  assert.equal(networkOf('::1'), '0:0:0:0');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0');
  assert.equal(networkOf(''), '');
});
