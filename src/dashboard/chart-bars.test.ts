import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { extendHistory, type FarmHistory } from '../model/farm-history.ts';
import { FEED_HISTORY } from '../model/limits.ts';
import { barsOf, spanOf } from './chart-bars.ts';

const MINUTE = 60_000;

/** Eighty outcomes a second, told four times a second. */
function told(from: number, seconds: number): FarmHistory {
  let history: FarmHistory = [];
  for (let i = 0; i <= seconds * 4; i++) {
    history = extendHistory(history, { at: from + i * 250, gained: i === 0 ? 0 : 20, busy: 2, slots: 2 }, true);
  }
  return history;
}

describe('the bars of a chart', () => {
  test('of a steady rate are of the same height', () => {
    const bars = barsOf(told(0, 60), MINUTE, MINUTE, 60);
    assert.deepEqual(new Set(bars.map(({ rate }) => Math.round(rate ?? -1))), new Set([80]));
    assert.deepEqual(new Set(bars.map(({ busy }) => busy)), new Set([2]));
  });

  test('are missing where nobody looked', () => {
    const bars = barsOf(told(5 * MINUTE, 30), 5.5 * MINUTE, MINUTE, 60);
    assert.equal(bars.filter(({ rate }) => rate === undefined).length, 30);
  });

  test('are zero in a silence, and what follows it stands where it was', () => {
    const history = extendHistory(told(0, 10), { at: 40_000, gained: 100, busy: 2, slots: 2 }, true);
    const [last, ...earlier] = barsOf(history, 40_000, MINUTE, 60)
      .map(({ rate }) => rate ?? -1)
      .reverse();
    assert.equal(Math.round(last ?? 0), 100);
    assert.ok(
      earlier.slice(0, 28).every((rate) => Math.abs(rate) < 1e-9),
      `${earlier}`,
    );
  });

  test('cover the whole time that is kept', () => {
    const bars = barsOf(told(0, 1_200), 1_200_000, FEED_HISTORY, 60);
    assert.equal(bars.filter(({ rate }) => rate === undefined).length, 0);
  });

  test('are of seconds while there is little to show', () => {
    assert.deepEqual(
      [0, 59, 61, 119, 121, 299, 900].map((seconds) => spanOf(told(0, 1), seconds * 1_000) / MINUTE),
      [1, 1, 2, 2, 5, 5, 5],
    );
  });
});
