import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeValue, toJsonText } from '../protocol/values/value.ts';
import { shownOnOneLine, shownWhole } from './shown-value.ts';

/** The JSON form of a value, as a page gets it from the server. */
function jsonForm(value: unknown): unknown {
  const { bytes, encoding } = encodeValue(value);
  return JSON.parse(toJsonText(bytes, encoding));
}

const line = (value: unknown) => shownOnOneLine(jsonForm(value), 200);

describe('a value on a page', () => {
  test('that is plain JSON is that JSON', () => {
    assert.equal(shownWhole(jsonForm({ a: [1, 'x'] })).text, '{\n  "a": [\n    1,\n    "x"\n  ]\n}');
    assert.equal(shownWhole(jsonForm('<b>')).text, '"<b>"');
    assert.equal(line(null), 'null');
    assert.equal(line({ a: [1, 'two  spaces', {}] }), '{ "a": [ 1, "two  spaces", {} ] }');
  });

  test('that JSON cannot carry is written as JavaScript would say it', () => {
    const shared = { x: 1 };
    const circle: unknown[] = [];
    circle.push(circle);
    const cases: [unknown, string][] = [
      [undefined, 'undefined'],
      [Number.NaN, 'NaN'],
      [-0, '-0'],
      [Number.NEGATIVE_INFINITY, '-Infinity'],
      [12345678901234567890n, '12345678901234567890n'],
      [new Date(0), 'Date(1970-01-01T00:00:00.000Z)'],
      [new Date(Number.NaN), 'Date(invalid)'],
      [{ a: undefined, b: [1n] }, '{ "a": undefined, "b": [ 1n ] }'],
      [new Map<unknown, unknown>([['k', new Set([1])]]), 'Map { "k" → Set { 1 } }'],
      [Uint8Array.of(1, 2, 255), 'Uint8Array of 3 bytes'],
      [new Float64Array(4), 'Float64Array of 32 bytes'],
      [{ p: shared, q: shared, r: undefined }, '{ "p": { "x": 1 }, "q": { "x": 1 }, "r": undefined }'],
      [circle, '[ (circular) ]'],
      [Object.assign(Object.create(null), { a: undefined }), '{ "a": undefined }'],
      [[], '[]'],
      [{ $mh: 5 }, '{ "$mh": 5 }'],
    ];
    for (const [value, text] of cases) assert.equal(line(value), text);
    assert.match(shownWhole(jsonForm(new TypeError('no'))).text, /^TypeError: no\n {4}at /);
  });

  test('that is long is cut, and says so', () => {
    const long = shownWhole('x'.repeat(500), 100);
    assert.deepEqual({ length: long.text.length, isCut: long.isCut }, { length: 100, isCut: true });
    assert.equal(shownWhole('x', 100).isCut, false);
    assert.equal(shownOnOneLine('x'.repeat(500), 100).length, 100);
    assert.match(shownOnOneLine('x'.repeat(500), 100), /…$/);
  });

  test('that names the same thing over and over does not grow without bound', () => {
    let value: unknown = [undefined];
    for (let i = 0; i < 60; i++) value = [value, value];
    const { text } = shownWhole(jsonForm(value), 1_000);
    assert.ok(text.length <= 1_000);
  });

  test('that is not in a form we know is shown all the same', () => {
    for (const odd of [
      { $mh: [] },
      { $mh: [['Error', 7]] },
      { $mh: [['Later', 1], 2] },
      { $mh: [{ a: 'x' }] },
      { $mh: 7 },
    ]) {
      assert.equal(typeof shownWhole(odd).text, 'string');
    }
  });
});
