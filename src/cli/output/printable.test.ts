import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableText } from './printable.ts';

test('T-16: what a terminal would obey is shown instead', () => {
  assert.equal(printable('\x1b[31mred\x1b[0m'), '\\x1b[31mred\\x1b[0m');
  assert.equal(printable('one\ntwo\r\tthree'), 'one\\ntwo\\r\\tthree');
  assert.equal(printable('\x9b2J \x7f \x00'), '\\u009b2J \\u007f \\x00');
  assert.equal(printable('exe\u202etxt.a'), 'exe\\u202etxt.a');
});

test('T-16: text of several lines keeps its lines and tabs, and nothing else', () => {
  assert.equal(
    printableText('one\n\ttwo\r\x1b]0;title\x07'),
    'one\n\ttwo\\x0d\\x1b]0;title\\x07'.replace('\\x0d', '\\r'),
  );
});

test('T-16: what is left of them in JSON is still the same JSON', () => {
  const value = { name: '\x1b[31m \x9b2J \x7f exe\u202etxt.a \u2028' };
  assert.deepEqual(JSON.parse(printableText(JSON.stringify(value))), value);
});

test('T-16: letters of every language, and emoji, stay as they are', () => {
  const text = 'häßlich 漢字 العربية 👩‍🚀 שלום';
  assert.equal(printable(text), text);
});
