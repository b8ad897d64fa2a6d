import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAGE_HISTORY } from '../model/limits.ts';
import { barsOf, extendHistory, type History, spanOf } from './history.ts';

const MINUTE = 60_000;

/** Tells the counts every quarter of a second, as the feed does while something happens. */
function told(from: number, seconds: number, perSecond: number, before: History = []): History {
  let history = before;
  let counted = before.at(-1)?.ended ?? 0;
  for (let i = before.length === 0 ? 0 : 1; i <= seconds * 4; i++) {
    const next = i === 0 ? 0 : counted + perSecond / 4;
    history = extendHistory(history, { at: from + i * 250, counted: next, before: counted, busy: 2, slots: 2 }, true);
    counted = next;
  }
  return history;
}

describe('the history', () => {
  test('shows a steady rate as bars of the same height', () => {
    const bars = barsOf(told(0, 60, 80), MINUTE, MINUTE, 60);
    assert.deepEqual(new Set(bars.map(({ rate }) => Math.round(rate ?? -1))), new Set([80]));
    assert.deepEqual(new Set(bars.map(({ busy }) => busy)), new Set([2]));
  });

  test('knows nothing of the time before the page was opened', () => {
    const bars = barsOf(told(5 * MINUTE, 30, 80), 5.5 * MINUTE, MINUTE, 60);
    assert.equal(bars.filter(({ rate }) => rate === undefined).length, 30);
  });

  test('shows a silence as zero, and what follows it where it was', () => {
    let history = told(0, 10, 80);
    history = extendHistory(history, { at: 40_000, counted: 900, before: 800, busy: 2, slots: 2 }, true);
    const rates = barsOf(history, 40_000, MINUTE, 60).map(({ rate }) => rate ?? -1);
    const [last, ...earlier] = rates.reverse();
    assert.equal(Math.round(last ?? 0), 100);
    assert.ok(
      earlier.slice(0, 28).every((rate) => Math.abs(rate) < 1e-9),
      `${earlier}`,
    );
  });

  test('spreads what was missed over the time that was missed', () => {
    let history = told(0, 10, 80);
    history = extendHistory(history, { at: 40_000, counted: 1_100, before: 800, busy: 2, slots: 2 }, false);
    const rates = barsOf(history, 40_000, MINUTE, 60).map(({ rate }) => rate ?? -1);
    assert.deepEqual(new Set(rates.slice(-29).map(Math.round)), new Set([10]));
  });

  test('goes on counting when a new server counts from zero', () => {
    let history = told(0, 10, 80);
    history = extendHistory(history, { at: 11_000, counted: 30, before: 800, busy: 0, slots: 2 }, false);
    assert.equal(history.at(-1)?.ended, 830);
  });

  test('stays short however long the page is open', () => {
    const history = told(0, 1_200, 80);
    assert.ok(history.length <= (PAGE_HISTORY / 1_000) * 1.5 + 5, `${history.length}`);
    assert.equal(barsOf(history, 1_200_000, PAGE_HISTORY, 60).filter(({ rate }) => rate === undefined).length, 0);
  });

  test('is drawn large while it is short', () => {
    assert.deepEqual(
      [0, 59, 61, 119, 121, 299, 900].map((seconds) => spanOf(told(0, 1, 1), seconds * 1_000) / MINUTE),
      [1, 1, 2, 2, 5, 5, 5],
    );
  });
});
