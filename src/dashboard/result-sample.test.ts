import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encode } from 'fast-png';
import { PAGE_LARGE_TRIES, PAGE_LARGE_VALUE_BYTES, PAGE_PICTURES, PAGE_SERIES } from '../model/result-limits.ts';
import { valueText } from '../protocol/values/value.ts';
import { pictureSize } from './picture-size.ts';
import { ResultSample } from './result-sample.ts';
import { Series } from './series.ts';
import { rgbaOf, tileIn } from './tile.ts';

const picture = { width: 20, height: 10 };
const tile = { x: 10, y: 5, width: 2, height: 3, picture, rgb: new Uint8Array(18) };
const png = encode({ width: 3, height: 2, channels: 3, depth: 8, data: new Uint8Array(18) });

describe('a tile is known by its shape', () => {
  test('in all forms that pixels have', () => {
    for (const [form, bytes] of [
      ['rgb', 18],
      ['rgba', 24],
      ['gray', 6],
    ] as const) {
      for (const array of [new Uint8Array(bytes), new Uint8ClampedArray(bytes)]) {
        const { rgb: _rgb, ...place } = tile;
        assert.equal(tileIn({ ...place, [form]: array, more: 1 })?.content.form, form);
      }
    }
    assert.equal(tileIn({ ...tile, rgb: undefined, image: png })?.content.form, 'image');
  });
  const others = [
    null,
    5,
    [],
    { ...tile, x: -1 },
    { ...tile, x: 0.5 },
    { ...tile, x: 19 },
    { ...tile, y: 8 },
    { ...tile, width: 0 },
    { ...tile, rgb: new Uint8Array(17) },
    { ...tile, rgb: 'x'.repeat(18) },
    { ...tile, picture: undefined },
    { ...tile, picture: { width: 1e9, height: 10 } },
    { ...tile, picture: { width: Number.NaN, height: 10 } },
  ];
  for (const [i, other] of others.entries())
    test(`and this is none: ${i}`, () => assert.equal(tileIn(other), undefined));
  test('its pixels become what a canvas takes', () => {
    assert.deepEqual([...rgbaOf('rgb', Uint8Array.of(1, 2, 3, 4, 5, 6))], [1, 2, 3, 255, 4, 5, 6, 255]);
    assert.deepEqual([...rgbaOf('gray', Uint8Array.of(7))], [7, 7, 7, 255]);
    assert.deepEqual([...rgbaOf('rgba', Uint8Array.of(1, 2, 3, 4))], [1, 2, 3, 4]);
  });
});

describe('how large a picture says it is', () => {
  const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
  const sizes: [name: string, bytes: Uint8Array, size: object | undefined][] = [
    ['PNG', png, { width: 3, height: 2 }],
    ['GIF', hex('474946383961 0300 0200 00'), { width: 3, height: 2 }],
    ['JPEG', hex('ffd8 ffe0 0004 0000 ff ffc2 0011 08 0002 0003 03'), { width: 3, height: 2 }],
    [
      'WebP, lossy',
      hex('52494646 00000000 57454250 56503820 00000000 000000 9d012a 0300 0200'),
      { width: 3, height: 2 },
    ],
    ['WebP, lossless', hex('52494646 00000000 57454250 5650384c 00000000 2f 02400000'), { width: 3, height: 2 }],
    [
      'WebP, extended',
      hex('52494646 00000000 57454250 56503858 0a000000 00000000 020000 010000'),
      { width: 3, height: 2 },
    ],
    ['a PNG that is cut', png.slice(0, 18), undefined],
    ['a JPEG that is cut', hex('ffd8ffe0'), undefined],
    ['a JPEG without a frame', hex('ffd8 ffe0 0002 0000 0000'), undefined],
    ['text', Buffer.from('hello'), undefined],
    ['nothing', new Uint8Array(0), undefined],
  ];
  for (const [name, bytes, size] of sizes) test(name, () => assert.deepEqual(pictureSize(bytes), size));
});

describe('a series', () => {
  test('keeps the least and the most of neighbours, however many there are', () => {
    const series = new Series();
    for (let i = 999_999; i >= 0; i--) series.add(i, i === 500_000 ? -5 : i % 10);
    assert.ok(series.columns.length <= 240 && series.columns.length > 100, `${series.columns.length}`);
    assert.deepEqual([series.count, series.least, series.most], [1_000_000, -5, 9]);
    assert.ok(Math.abs(series.mean - 4.5) < 1e-4);
    assert.equal(series.columns[Math.floor(500_000 / series.width)]?.least, -5);
    assert.deepEqual(series.columns[0], { least: 0, most: 9 });
  });
  test('survives the largest numbers', () => {
    const series = new Series();
    for (const value of [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE]) series.add(0, value);
    assert.ok(Number.isFinite(series.mean));
  });
});

describe('a sample of results', () => {
  const done = (index: number, value: unknown) => ({
    index,
    status: 'done' as const,
    value: JSON.parse(valueText(value)) as unknown,
  });
  test('finds numbers, pictures and tiles, and stays small', () => {
    const sample = new ResultSample();
    for (let i = 0; i < 100; i++) {
      sample.add(done(i, { a: i, b: -i, c: 0, d: 1, e: 2, f: 3, g: Number.NaN }));
      sample.add(done(i, png));
      sample.add(done(i, tile));
    }
    assert.equal(sample.series.size, PAGE_SERIES);
    assert.equal(sample.series.get('b')?.least, -99);
    assert.deepEqual([sample.pictures.length, sample.pictureCount], [PAGE_PICTURES, 100]);
    assert.deepEqual([sample.tileCount, sample.tiles.length], [100, 100]);
    assert.equal(sample.first.length, 8);
    sample.add(done(0, { ...tile, picture: { width: 99, height: 99 } }));
    assert.equal(sample.tileCount, 100, 'of one picture only');
  });
  test('fetches large values as long as they are pictures', () => {
    const sample = new ResultSample();
    assert.ok(sample.wants({ index: 0, type: 'bytes', size: 70_000 }));
    assert.ok(!sample.wants({ index: 0, type: 'bytes', size: PAGE_LARGE_VALUE_BYTES + 1 }));
    for (let i = 0; i < PAGE_LARGE_TRIES; i++) sample.addLarge(i, { json: 'x' });
    assert.ok(!sample.wants({ index: 0, type: 'bytes', size: 70_000 }));
    const other = new ResultSample();
    for (let i = 0; i < 30; i++) other.addLarge(i, { json: JSON.parse(valueText(tile)) as unknown });
    assert.ok(other.wants({ index: 0, type: 'json', size: 70_000 }));
    assert.equal(other.tileCount, 30);
  });
  test('what is no value, or would be a prototype, is nothing', () => {
    const sample = new ResultSample();
    sample.add({ index: 0, status: 'done', value: { $mh: [{ __proto__: 1 }, 5] } });
    sample.add({ index: 1, status: 'done', value: JSON.parse('{"$mh":[{"__proto__":1},5]}') });
    sample.add({ index: 2, status: 'done', value: { $mh: 'nonsense' } });
    sample.add({ index: 3, status: 'done', value: JSON.parse('{"__proto__":{"x":1},"n":2}') });
    assert.equal(({} as { x?: number }).x, undefined);
    assert.deepEqual([...sample.series.keys()], ['n']);
  });
});
