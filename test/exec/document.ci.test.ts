import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeDocument } from '../support/documents.ts';

test('docs/exec.md prints what it says it prints', { timeout: 170_000 }, async (t) => {
  assert.ok((await typeDocument(t, 'docs/exec.md')) >= 5);
});
