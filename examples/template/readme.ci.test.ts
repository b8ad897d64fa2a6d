import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeDocument } from '../../test/support/documents.ts';

test('its README prints what it says it prints', { timeout: 170_000 }, async (t) => {
  assert.ok((await typeDocument(t, 'examples/template/README.md')) >= 6);
});
