import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSize } from '../../model/size.ts';
import { UsageError } from '../errors.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { positiveNumber, wholeNumber } from './numbers.ts';
import { collectLabel, collectResource } from './pairs.ts';
import { parseRange } from './range.ts';
import { parseSize } from './size.ts';

function refuses(parse: (text: string) => unknown, texts: string[], says: RegExp): void {
  for (const text of texts) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof UsageError && error.exitCode === 2 && says.test(error.message),
      text,
    );
  }
}

describe('a duration', () => {
  it('is a number and a unit', () => {
    const cases = {
      '250ms': 250,
      '30s': 30_000,
      '5m': 300_000,
      '1.5h': 5_400_000,
      '7d': 604_800_000,
      '2w': 1_209_600_000,
    };
    for (const [text, millis] of Object.entries(cases)) assert.equal(parseDuration(text), millis);
  });

  it('without a unit, negative, empty or zero is refused', () => {
    refuses(parseDuration, ['30', '-5s', '', 's', '0s', '1y', '5 minutes', '1e9s'], /write it as 500ms, 30s/);
  });

  it('is written for people', () => {
    const cases: [number, string][] = [
      [0.2, '0ms'],
      [12.4, '12ms'],
      [4_230, '4.2s'],
      [9_960, '10s'],
      [59_700, '1m'],
      [72_000, '1m 12s'],
      [11_100_000, '3h 5m'],
      [90_000_000, '1d 1h'],
      [Number.POSITIVE_INFINITY, '?'],
    ];
    for (const [millis, text] of cases) assert.equal(formatDuration(millis), text);
  });
});

describe('a size', () => {
  it('is bytes, or a number and a unit of 1024', () => {
    const cases = { '900': 900, '64K': 65_536, '512m': 536_870_912, '1.5GiB': 1_610_612_736, '2 GB': 2_147_483_648 };
    for (const [text, bytes] of Object.entries(cases)) assert.equal(parseSize(text), bytes);
    refuses(parseSize, ['', 'G', '-1M', '0', '5X', '1e3'], /write it as 64K/);
  });

  it('is written for people', () => {
    assert.deepEqual([900, 65_536, 1_610_612_736].map(formatSize), ['900 B', '64 KiB', '1.5 GiB']);
  });
});

describe('a range', () => {
  it('includes its end, as seq does', () => {
    assert.deepEqual(parseRange('1..10'), { start: 1, step: 1, count: 10 });
    assert.deepEqual(parseRange('0..10..3'), { start: 0, step: 3, count: 4 });
    assert.deepEqual(parseRange('5..1..-2'), { start: 5, step: -2, count: 3 });
    assert.deepEqual(parseRange('-5..-5'), { start: -5, step: 1, count: 1 });
  });

  it('that is empty is refused with what was probably meant', () => {
    refuses(parseRange, ['10..1'], /no numbers in it: to count the other way write 10\.\.1\.\.-1/);
    refuses(parseRange, ['1..10..-1'], /write 1\.\.10\.\.1/);
  });

  it('that is no range, or not exact, is refused', () => {
    refuses(parseRange, ['', '1-10', '1..', 'a..b', '1.5..3', '1..2..3..4'], /write it as 1\.\.100/);
    refuses(parseRange, ['1..2..0'], /would never end/);
    refuses(parseRange, ['0..99999999999999999', '-9007199254740991..9007199254740991'], /exact/);
  });
});

describe('the other arguments', () => {
  it('labels and resources are pairs that add up', () => {
    assert.deepEqual(collectLabel('site=a=b', collectLabel('gpu=')), { gpu: '', site: 'a=b' });
    assert.deepEqual(collectResource('gpu=2', { disk: 1 }), { disk: 1, gpu: 2 });
    refuses(collectLabel, ['gpu', '=x'], /write it as gpu=yes/);
    refuses(collectResource, ['gpu=', 'gpu=many', 'gpu=-1'], /not a number/);
  });

  it('numbers are checked, and the option named', () => {
    assert.equal(wholeNumber('--retries', 0, 1000)('3'), 3);
    refuses(wholeNumber('--port', 0, 65_535), ['65536', 'x', '1.5', ''], /--port takes a whole number from 0 to 65535/);
    refuses(positiveNumber('--cpus'), ['0', '-1', '', 'NaN'], /--cpus takes a number above 0/);
  });
});
