import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { MemoryBlobs } from '../store/blobs/memory-blobs.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { collectBlobs } from './garbage.ts';

async function put(blobs: MemoryBlobs, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await blobs.put(
    sha256,
    (async function* () {
      yield bytes;
    })(),
  );
  return sha256;
}

test('D9 F-27: a blob that somebody asks for while garbage is collected is not garbage', async () => {
  let now = 0;
  const blobs = new MemoryBlobs(() => now);
  const store = new MemoryStore();
  const [wanted, unwanted] = [await put(blobs, 'wanted'), await put(blobs, 'unwanted')];
  now = 1_000;
  // A submit looks for its blob after the collector has asked who refers to it, and before it deletes.
  const ask = store.unreferenced.bind(store);
  store.unreferenced = async (names) => {
    const found = await ask(names);
    await blobs.size(wanted);
    return found;
  };
  await collectBlobs({ store, blobs }, 500, () => false);
  assert.equal(await blobs.size(unwanted), undefined);
  assert.notEqual(await blobs.size(wanted), undefined);
});
