import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { CodeStore } from './code-store.ts';

test('P29: code is asked for until there is a server again, however long that takes', async (t) => {
  const text = 'export default () => 1;';
  const sha256 = createHash('sha256').update(text).digest('hex');
  let asked = 0;
  const http = {
    isAway: true,
    get: async () => {
      asked += 1;
      if (asked < 10) throw new Error('nobody there');
      return Readable.from([Buffer.from(text)]);
    },
  };
  const store = new CodeStore(temporaryDirectory(t), http);
  await store.provide({ runner: 'js', sha256, size: text.length, sourceName: 'task.js' }, undefined);
  assert.equal(asked, 10);
  assert.equal(readFileSync(store.path(sha256), 'utf8'), text);
});
