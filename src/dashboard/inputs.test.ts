import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formOf, jsonInputs, ndjsonInputs, rangeInputs, textInputs, typedInputs } from './inputs.ts';

describe('inputs that a person gives to a page', () => {
  test('a file is what its name says, and else lines of text', () => {
    const names = ['a.CSV', 'b.tsv', 'c.jsonl', 'c.ndjson', 'd.json', 'e.txt', 'f', 'constructor', 'x.constructor'];
    assert.deepEqual(names.map(formOf), ['csv', 'tsv', 'ndjson', 'ndjson', 'json', 'lines', 'lines', 'lines', 'lines']);
  });
  test('typed: JSON, or else text', () => {
    assert.deepEqual(typedInputs('1\n {"a": [2]} \n\nplain, "text"\n"quoted"\n'), [
      '1',
      '{"a": [2]}',
      '"plain, \\"text\\""',
      '"quoted"',
    ]);
  });
  test('lines of text are all of them, also empty ones', () => {
    assert.deepEqual(textInputs('a\r\n\r\nb'), ['"a"', '""', '"b"']);
    assert.deepEqual(textInputs(''), []);
  });
  test('NDJSON is strict, and kept as it is written', () => {
    assert.deepEqual(ndjsonInputs('1.0\n12345678901234567890\n'), ['1.0', '12345678901234567890']);
    assert.throws(() => ndjsonInputs('1\n\n2'), {
      message: 'line 2: it is empty, and each line must be one JSON value',
    });
    assert.throws(() => ndjsonInputs('1\n2\n{"a":}\n'), {
      message: 'line 3, column 6: this is not JSON: there is "}" where a value should be',
    });
  });
  test('JSON is a list of inputs, or one', () => {
    assert.deepEqual(jsonInputs('[1, {"a": 2}]'), ['1', '{"a":2}']);
    assert.deepEqual(jsonInputs('{"a": 1}'), ['{"a":1}']);
    assert.throws(() => jsonInputs('[1,\n  2,\n  x]'), {
      message: 'line 3, column 3: this is not JSON: there is "x" where a value should be',
    });
    assert.throws(() => jsonInputs(''), /^ReadFault: line 1, column 1: this is not JSON: the text ends/);
  });
  test('a range counts as seq does', () => {
    assert.deepEqual(rangeInputs('1', '10', '1'), { start: 1, step: 1, count: 10 });
    assert.deepEqual(rangeInputs('10', '1', '-3'), { start: 10, step: -3, count: 4 });
    assert.throws(() => rangeInputs('1', '', '1'), { message: '"to" must be a whole number' });
    assert.throws(() => rangeInputs('1', '2.5', '1'), { message: '"to" must be a whole number' });
    assert.throws(() => rangeInputs('1', '2', '0'), /never get there/);
    assert.throws(() => rangeInputs('2', '1', '1'), /from 2 to 1 in steps of 1 there is nothing/);
  });
});
