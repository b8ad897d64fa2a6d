import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endedAt, extendHistory, type FarmHistory, joinHistory } from './farm-history.ts';
import { FEED_HISTORY } from './limits.ts';

/** What is told every quarter of a second, as the feed does while something happens. */
function told(from: number, seconds: number, perSecond: number, before: FarmHistory = []): FarmHistory {
  let history = before;
  for (let i = before.length === 0 ? 0 : 1; i <= seconds * 4; i++) {
    const gained = i === 0 ? 0 : perSecond / 4;
    history = extendHistory(history, { at: from + i * 250, gained, busy: 2, slots: 2 }, true);
  }
  return history;
}

describe("a farm's history", () => {
  test('has every outcome in it', () => {
    const history = told(0, 60, 80);
    assert.equal(history.at(-1)?.ended, 4_800);
    assert.equal(endedAt(history, 30_000), 2_400);
  });

  test('stays short however long it goes on', () => {
    const history = told(0, 1_200, 80);
    assert.ok(history.length <= (FEED_HISTORY / 1_000) * 1.5 + 5, `${history.length}`);
    assert.ok((history[0]?.at ?? 0) <= 1_200_000 - FEED_HISTORY, 'and long enough');
  });

  test('stands still while nothing is told, and what follows came at its own time', () => {
    const history = extendHistory(told(0, 10, 80), { at: 40_000, gained: 100, busy: 2, slots: 2 }, true);
    assert.equal(endedAt(history, 39_700), 800);
    assert.equal(endedAt(history, 40_000), 900);
  });

  test('spreads what was missed over the time in which it was missed', () => {
    const history = extendHistory(told(0, 10, 80), { at: 40_000, gained: 300, busy: 2, slots: 2 }, false);
    assert.equal(endedAt(history, 25_000), 950);
  });

  test('of a reader that was away is joined with what the server tells', () => {
    const seen = told(0, 20, 80);
    const server = told(10_000, 30, 40);
    const joined = joinHistory(seen, server);
    assert.equal(joined[0]?.at, 0);
    assert.deepEqual(
      [5_000, 10_000, 40_000].map((at) => endedAt(joined, at)),
      [400, 800, 800 + 1_200],
    );
    const times = joined.map(({ at }) => at);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  });

  test('goes on when a new server counts from zero, and begins where nothing was seen', () => {
    const joined = joinHistory(told(0, 10, 80), told(30_000, 10, 20));
    assert.equal(joined.at(-1)?.ended, 1_000);
    assert.deepEqual(joinHistory([], told(0, 10, 80)), told(0, 10, 80));
    assert.deepEqual(joinHistory(told(0, 10, 80), []), told(0, 10, 80));
  });
});
