import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ModelClock } from '../../../test/support/model-clock.ts';
import type { TokenRecord } from '../../model/records.ts';
import { keptToken } from './kept-token.ts';
import { Tokens } from './tokens.ts';

const ADMIN = { file: 'admin.token', role: 'admin', name: 'admin.token' } as const;

async function start() {
  const tokens = new Tokens({ list: async (): Promise<TokenRecord[]> => [], write: async () => {} }, new ModelClock());
  await tokens.open();
  return tokens;
}

test("T-26: the file is its owner's alone, whole, and the same at the next start", async (t) => {
  const dir = temporaryDirectory(t);
  const file = path.join(dir, 'admin.token');
  const tokens = await start();
  const first = await keptToken(tokens, dir, ADMIN);
  assert.equal(readFileSync(file, 'utf8'), `${first}\n`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dir), ['admin.token']);
  chmodSync(file, 0o644);
  assert.equal(await keptToken(tokens, dir, ADMIN), first);
  assert.equal(statSync(file).mode & 0o777, 0o600, 'made private again');
});

test('T-26: a file that is gone, damaged, of another role or of a revoked token is made anew, and the old token revoked', async (t) => {
  const dir = temporaryDirectory(t);
  const file = path.join(dir, 'admin.token');
  const tokens = await start();
  let before = await keptToken(tokens, dir, ADMIN);
  const reader = (await tokens.create({ role: 'read', name: '' })).text;
  const spoil = [
    () => rmSync(file),
    () => writeFileSync(file, ''),
    () => writeFileSync(file, `${before.slice(0, -1)}\n`),
    () => writeFileSync(file, `${reader}\n`),
    async () => void (await tokens.revoke(tokens.find(before)?.id ?? '')),
  ];
  for (const harm of spoil) {
    await harm();
    const after = await keptToken(tokens, dir, ADMIN);
    assert.notEqual(after, before);
    assert.equal(tokens.find(before), undefined);
    assert.equal(tokens.find(after)?.role, 'admin');
    before = after;
  }
  assert.equal(tokens.find(reader)?.role, 'read', 'a token that is not ours is left alone');
});
