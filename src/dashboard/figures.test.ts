import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { about, ago, briefCount, bytes, count, duration, percent, plural, rate } from './figures.ts';

const plain = (text: string) => text.replaceAll('\u202f', ' ');
const each = (format: (value: number) => string, cases: Record<string, string>) => {
  for (const [value, text] of Object.entries(cases)) assert.equal(plain(format(Number(value))), text, value);
};

describe('figures', () => {
  test('counts', () => {
    assert.equal(count(1_234_567), '1,234,567');
    each(briefCount, { 0: '0', 9999999: '9,999,999', 12345678: '12.3M', 1e9: '1B' });
    assert.equal(plural(1, 'task'), '1 task');
    assert.equal(plural(2_000, 'task'), '2,000 tasks');
  });

  test('rates', () => each(rate, { 0: '0', 0.016: '0.02', 0.25: '0.3', 9.44: '9.4', 12.5: '13', 137379.4: '137,379' }));

  test('percents are 100 only when all has ended', () => {
    assert.equal(plain(percent(999_999, 1_000_000)), '99 %');
    assert.equal(plain(percent(5, 5)), '100 %');
    assert.equal(plain(percent(0, 0)), '0 %');
  });

  test('durations', () =>
    each(duration, {
      0.08: '80 µs',
      1.25: '1.3 ms',
      999: '999 ms',
      4200: '4.2 s',
      59999: '1 min',
      72000: '1 min 12 s',
      11100000: '3 h 5 min',
      90000000: '1 d 1 h',
      Infinity: '–',
    }));

  test('moments and guesses', () => {
    each(ago, { 0: 'just now', 12900: '12 s ago', 200000: '3 min ago', 1e8: '1 d ago' });
    each(about, { 200: 'less than a second', 12100: '13 s', 100000: '2 min', 5400000: '1 h 30 min', 1e8: '1 d 4 h' });
  });

  test('bytes', () => each(bytes, { 12: '12 B', 1536: '1.5 KiB', 1048570: '1.0 MiB', 25276502016: '24 GiB' }));
});
