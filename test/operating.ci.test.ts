import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipIfTaken, typeDocument } from './support/documents.ts';

test('docs/operating.md prints what it says it prints', { timeout: 170_000 }, async (t) => {
  if ((await skipIfTaken(t, 7171)) || (await skipIfTaken(t, 7172))) return;
  assert.ok((await typeDocument(t, 'docs/operating.md')) >= 12);
});
