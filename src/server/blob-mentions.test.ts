import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { clientFarm } from '../../test/support/client-farm.ts';
import { NEARBY_BLOB_BYTES } from '../model/blob-limits.ts';
import type { BlobRef } from '../model/envelope.ts';
import { INLINE_VALUE_BYTES } from '../model/limits.ts';
import { packColumn, readColumn } from '../protocol/column.ts';
import { encodeColumn } from '../protocol/values/column.ts';
import { MemoryBlobs } from '../store/blobs/memory-blobs.ts';
import { largeInputs, mentionedBlobs, namesIn } from './blob-mentions.ts';
import { collectBlobs } from './garbage.ts';

const name = (text: string): string => hash('sha256', text);
const found = (bytes: Uint8Array): string[] => namesIn(bytes).map((mention) => mention.name);

test('D9: names of blobs are found wherever they stand in a value, and nothing else is taken for one', () => {
  for (let before = 0; before < 200; before++) {
    const text = `${'0'.repeat(before)}x"${name('a')}","${name('b')}"${'f'.repeat(before)}`;
    assert.deepEqual(found(Buffer.from(text)), [name('a'), name('b')], `after ${before}`);
  }
  const ref = (of: string): BlobRef => ({ sha256: name(of), size: 5 });
  const values = [
    ref('plain'),
    { deep: [{ er: ref('deeper') }] },
    new Map([[new Date(0), [ref('tagged')]]]),
    name('bare'),
    { [name('key')]: 1 },
    [name('no').slice(1), `${name('no')}0`, name('no').toUpperCase(), ` ${name('no')}`, 1234567890123456],
  ];
  assert.deepEqual(found(encodeColumn(values).bytes), ['plain', 'deeper', 'tagged', 'bare', 'key'].map(name));
  assert.deepEqual(namesIn(Buffer.from(randomBytes(1_000_000).toString('hex'))), []);
  assert.deepEqual(namesIn(randomBytes(1_000_000)), []);
});

test('R32: it is known which tasks need which large blobs', () => {
  const ref = (of: string) => ({ sha256: name(of), size: 1 });
  const values = [
    1,
    ref('large'),
    undefined,
    [ref('small'), { deep: ref('large') }, ref('other')],
    'x',
    ref('gone'),
    ref('other'),
  ];
  const { lengths, status, bytes } = encodeColumn(values);
  const column = readColumn(packColumn(lengths, status, bytes));
  const sizes = new Map([
    [name('large'), NEARBY_BLOB_BYTES],
    [name('other'), 2 * NEARBY_BLOB_BYTES],
    [name('small'), NEARBY_BLOB_BYTES - 1],
  ]);
  const expected = [
    { index: 101, blob: name('large') },
    { index: 103, blob: name('large') },
    { index: 103, blob: name('other') },
    { index: 106, blob: name('other') },
  ];
  assert.deepEqual(largeInputs(column, 100, namesIn(column.bytes), sizes), expected);
});

test('D9: to look for names costs no more than a few looks at each byte, whatever the bytes are', () => {
  const size = 768 * 1024;
  const random = randomBytes(size / 2).toString('hex');
  for (const bytes of [Buffer.alloc(size, 'a'), Buffer.alloc(size, '1,'), Buffer.from(random)]) {
    const look = fastest(() => namesIn(bytes).length);
    const loop = fastest(() => {
      let digits = 0;
      for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) < 0x3a) digits++;
      return digits;
    });
    assert.ok(look < 30 * loop, `${look} ms, where a loop over the bytes takes ${loop} ms`);
  }
});

function fastest(run: () => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 20; turn++) {
    const began = performance.now();
    run();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

test('D9: names in a text that comes in pieces are found, wherever it is parted', async () => {
  const text = Buffer.from(JSON.stringify(['a', 'b', 'c', 'd'].map((each) => ({ sha256: name(each), size: 1 }))));
  for (const size of [1, 2, 7, 63, 64, 65, 66, 67, 100, 1_000]) {
    const blobs = new MemoryBlobs();
    const put = (bytes: Buffer) =>
      blobs.put(
        hash('sha256', bytes),
        (async function* () {
          yield bytes;
        })(),
      );
    for (const each of ['a', 'b', 'c']) await put(Buffer.from(each));
    await put(text);
    blobs.read = async () =>
      (async function* () {
        for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size);
      })();
    const value = { sha256: hash('sha256', text), size: text.length, isText: true };
    const expected = [value.sha256, ...['a', 'b', 'c'].map(name)];
    assert.deepEqual([...(await mentionedBlobs(blobs, [], [value])).keys()], expected, `pieces of ${size}`);
  }
});

test('D9 S5: blobs that inputs and results name are kept as long as the job, and then they go', async (t) => {
  const { server, farm } = await clientFarm(t);
  const { core } = server;
  const upload = () => farm.upload(randomBytes(100));
  const [inInput, inLarge, passedOn, stray] = [await upload(), await upload(), await upload(), await upload()];
  const large = { padding: 'x'.repeat(2 * INLINE_VALUE_BYTES), ref: inLarge };
  const job = await farm.map(
    async (input: object, ctx) => ({
      of: new Map([['mine', await ctx.blob(new TextEncoder().encode('made'))]]),
      input,
    }),
    [{ a: [inInput] }, large],
  );
  const values = await job.values();
  assert.equal(values.length, 2);
  const made: BlobRef = { sha256: name('made'), size: 4 };
  const passing = await farm.map((refs: BlobRef[]) => refs[0], [[passedOn]]);
  await passing.values();

  const collect = () => collectBlobs(core, Date.now() + 1e9, () => false);
  const there = async () => {
    const sizes = await Promise.all(
      [inInput, inLarge, made, passedOn, stray].map(({ sha256 }) => core.blobs.size(sha256)),
    );
    return sizes.map((size) => size !== undefined);
  };
  await collect();
  assert.deepEqual(await there(), [true, true, true, true, false]);
  await job.forget();
  await collect();
  assert.deepEqual(await there(), [false, false, false, true, false]);
  await passing.forget();
  await collect();
  assert.deepEqual(await there(), [false, false, false, false, false]);
});
