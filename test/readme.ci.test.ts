import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipIfTaken, typeDocument } from './support/documents.ts';

test('README.md prints what it says it prints, typed from its first command to its last', {
  timeout: 170_000,
}, async (t) => {
  if (await skipIfTaken(t, 7070)) return;
  assert.ok((await typeDocument(t, 'README.md')) >= 12);
});
