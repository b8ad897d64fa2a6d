import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { BLOB_CHUNK_BYTES } from '../model/limits.ts';
import type { BlobStore } from '../store/blobs.ts';

/** Blobs of a test, and the same ones as the next process finds them. */
export interface BlobHome {
  readonly blobs: BlobStore;
  again(): Promise<BlobStore>;
}

/** Holds an implementation of `BlobStore` to rule D9 of STORE.md, with `node:test`. */
export function blobContract(name: string, makeHome: (t: TestContext) => Promise<BlobHome>): void {
  const rule = (title: string, act: (home: BlobHome) => Promise<void>): void =>
    void test(title, async (t) => act(await makeHome(t)));
  describe(`contract of blobs: ${name}`, () => {
    rule('D9 a blob is there whole, also after a restart, and parts of it can be read', isWhole);
    rule('D9 a cut upload goes on where it was cut, also in another process', goesOn);
    rule('D9 other bytes than those named are refused, and leave nothing', refuses);
    rule('D9 the names of all blobs are told, not those of parts', named);
    rule('D9 two uploads of the same blob at once are one blob', twice);
    rule('D9 a blob that is deleted is not here, and can be sent again', deleted);
  });
}

async function isWhole({ blobs, again }: BlobHome): Promise<void> {
  for (const size of [0, 1, BLOB_CHUNK_BYTES, 3 * BLOB_CHUNK_BYTES + 7]) {
    const bytes = bytesOf(size);
    const name = nameOf(bytes);
    assert.equal(await blobs.read(name), undefined);
    assert.deepEqual(await blobs.put(name, inPieces(bytes)), { size });
    for (const each of [blobs, await again(), await again()]) {
      assert.equal(each.mayHave(name), true);
      assert.equal(await each.size(name), size);
      const part = { start: Math.floor(size / 3), end: Math.floor(size / 2) };
      assert.ok((await gather(await each.read(name, part))).equals(bytes.subarray(part.start, part.end)));
      assert.ok((await gather(await each.read(name))).equals(bytes));
    }
  }
}

async function goesOn({ blobs, again }: BlobHome): Promise<void> {
  const bytes = bytesOf(400_000);
  const name = nameOf(bytes);
  await assert.rejects(blobs.put(name, inPieces(bytes, 180_000)), /the line was cut/);
  assert.equal(await blobs.size(name), undefined);
  assert.equal(await blobs.partial(name), 180_000);
  await assert.rejects(blobs.append(name, 100_000, inPieces(bytes), bytes.length), { code: 'offset' });
  const half = bytes.subarray(180_000, 300_000);
  assert.deepEqual(await blobs.append(name, 180_000, inPieces(half), bytes.length), { size: 300_000, whole: false });
  const later = await again();
  const rest = bytes.subarray(300_000);
  assert.deepEqual(await later.append(name, 300_000, inPieces(rest), bytes.length), { size: 400_000, whole: true });
  assert.ok((await gather(await later.read(name))).equals(bytes));
  assert.equal(await later.partial(name), 0);
}

async function refuses({ blobs }: BlobHome): Promise<void> {
  const bytes = bytesOf(200_000);
  const name = nameOf(bytesOf(5));
  await assert.rejects(blobs.put(name, inPieces(bytes)), { code: 'mismatch' });
  await assert.rejects(blobs.append(name, 0, inPieces(bytes), bytes.length), { code: 'mismatch' });
  assert.deepEqual(
    [await blobs.size(name), await blobs.partial(name), await blobs.read(name)],
    [undefined, 0, undefined],
  );
  await assert.rejects(blobs.put('../x', inPieces(bytes)), { code: 'mismatch' });
}

async function named({ blobs }: BlobHome): Promise<void> {
  const whole = [bytesOf(10, 1), bytesOf(10, 2)].map(nameOf);
  for (const at of whole.keys()) await blobs.put(whole[at] as string, inPieces(bytesOf(10, at + 1)));
  const half = bytesOf(100, 3);
  await blobs.append(nameOf(half), 0, inPieces(half.subarray(0, 50)), 100);
  assert.deepEqual((await namesOf(blobs)).sort(), whole.sort());
}

async function twice({ blobs }: BlobHome): Promise<void> {
  const bytes = bytesOf(700_000);
  const name = nameOf(bytes);
  await Promise.all([blobs.put(name, inPieces(bytes)), blobs.put(name, inPieces(bytes))]);
  assert.ok((await gather(await blobs.read(name))).equals(bytes));
  assert.deepEqual(await namesOf(blobs), [name]);
}

async function deleted({ blobs }: BlobHome): Promise<void> {
  const bytes = bytesOf(600_000);
  const name = nameOf(bytes);
  await blobs.put(name, inPieces(bytes));
  await blobs.delete(name);
  assert.deepEqual([await blobs.size(name), await blobs.read(name)], [undefined, undefined]);
  await blobs.put(name, inPieces(bytes));
  assert.ok((await gather(await blobs.read(name))).equals(bytes));
}

async function namesOf(blobs: BlobStore): Promise<string[]> {
  const names: string[] = [];
  for await (const name of blobs.names()) names.push(name);
  return names;
}

/** Bytes that are not like their neighbours. */
export function bytesOf(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0, state = seed; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function* inPieces(bytes: Uint8Array, cutAt = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 60_000) {
    if (at >= cutAt) throw new Error('the line was cut');
    yield bytes.subarray(at, at + 60_000);
  }
}

export async function gather(stream: AsyncIterable<Uint8Array> | undefined, into: Uint8Array[] = []): Promise<Buffer> {
  assert.ok(stream !== undefined, 'the blob is here');
  // A piece is lent until the next one is asked for.
  for await (const part of stream) into.push(Uint8Array.from(part));
  return Buffer.concat(into);
}
