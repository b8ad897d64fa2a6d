import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { sha256 } from './sha256.ts';

test('is what Node says of bytes of any length', () => {
  const bytes = Uint8Array.from({ length: 700 }, (_, i) => (i * i + 7) % 256);
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length);
    assert.equal(sha256(part), hash('sha256', part), `${length} bytes`);
  }
});

test('bytes are those of the view, not of all that lies behind it', () => {
  const view = new Uint8Array(100).subarray(40, 60).fill(9);
  assert.equal(sha256(view), hash('sha256', view));
});
