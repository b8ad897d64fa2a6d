import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeDocument } from '../../test/support/documents.ts';
import textOf from './text.ts';
import wordsOf from './words.ts';

test('tags and entities are no words; upper and lower case are one', () => {
  const html = '<html><head><title>Title</title></head><body><p class="law">Law &amp; law’s law</p></body></html>';
  assert.deepEqual(wordsOf(textOf({ name: 'a.html', html })).often, new Map(Object.entries({ law: 2, 'law’s': 1 })));
});

test('its README prints what it says it prints', { timeout: 170_000 }, async (t) => {
  assert.equal(await typeDocument(t, 'examples/textindex/README.md'), 3);
});
