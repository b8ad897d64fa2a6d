import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { csvField, csvText, fieldsOf } from './csv.ts';

/** As a program reads it. */
const read = (field: string) => (parse(`${field},end\r\n`) as string[][])[0]?.[0];

describe('fields of CSV', () => {
  const texts = ['plain', 'a,b', 'a;b', 'say "no"', 'two\nlines', 'a\r\nb', ' in air ', '', 'ünï', '"', '",="'];
  for (const text of texts) {
    test(`${JSON.stringify(text)} is read as it was written`, () => assert.equal(read(csvText(text)), text));
  }
  const formulas = [
    '=1+1',
    '+cmd|x',
    '-2+3',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    '=HYPERLINK("http://x";"y")',
    '＝1+1',
  ];
  for (const text of [...formulas, "'quoted", '-', '+']) {
    test(`T-6: ${JSON.stringify(text)} begins with an apostrophe, and loses nothing`, () => {
      assert.equal(read(csvText(text)), `'${text}`);
      // A reader that separates by semicolons must not find a formula inside.
      assert.ok(!text.includes(';') || csvText(text).startsWith('"'));
    });
  }
  for (const text of ['-5', '+5.25', '-1e-3', '12']) {
    test(`${text} written as a text is a number, not a formula`, () => assert.equal(csvText(text), text));
  }
  const values: [value: unknown, field: string | undefined][] = [
    [undefined, ''],
    [null, 'null'],
    [-3.5, '-3.5'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [-12n, '-12'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [Uint8Array.of(1, 2, 255), 'AQL/'],
    [Uint8Array.of(0xf8, 0, 0), "'+AAA"],
    [[1, 'a,"b'], '[1,"a,\\"b"]'],
    [new Map([[1, 2]]), '{"$mh":[["Map",1,2],1,2]}'],
  ];
  for (const [value, field] of values) {
    test(`${String(value)} is ${field}`, () => assert.equal(read(csvField(value)), field));
  }
  test('only what people write as an object has fields', () => {
    assert.deepEqual(fieldsOf({ a: 1 }), { a: 1 });
    const others = [[], null, 'x', 1, new Date(), new Map(), new Set(), new Error('x'), Uint8Array.of(1), undefined];
    for (const other of others) assert.equal(fieldsOf(other), undefined);
  });
});
