import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNearby } from './boot-desk.ts';

test('machines of the same house are told from those of the internet', () => {
  const nearby = [
    '127.0.0.1',
    '10.0.2.15',
    '172.31.0.9',
    '192.168.1.2',
    '::1',
    '::ffff:192.168.1.2',
    'fe80::1%eth0',
    'fd00::7',
  ];
  const far = ['8.8.8.8', '172.32.0.1', '::ffff:1.2.3.4', '2001:db8::1', '', 'nonsense'];
  for (const address of nearby) assert.ok(isNearby(address), address);
  for (const address of far) assert.ok(!isNearby(address), address);
});
