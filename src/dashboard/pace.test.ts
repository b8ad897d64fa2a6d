import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PACE_TIME } from '../model/limits.ts';
import { extendPace, type Pace, rateOf, steadyRate } from './pace.ts';

/** Counts at moments, told one after the other. */
const paceOf = (...points: [at: number, count: number][]): Pace =>
  points.reduce<Pace>((pace, [at, count]) => extendPace(pace, at, count), []);
const steady = (perSecond: number, seconds: number): Pace =>
  paceOf(...Array.from({ length: seconds * 4 + 1 }, (_, i): [number, number] => [i * 250, (i * perSecond) / 4]));

describe('the pace', () => {
  test('is nothing until a second has passed', () => {
    assert.equal(rateOf([], 0), undefined);
    assert.equal(rateOf(paceOf([0, 0], [250, 10]), 250), undefined);
  });

  test('of something steady is its rate, however long it has run', () => {
    for (const seconds of [2, 9, 60]) assert.equal(rateOf(steady(40, seconds), seconds * 1_000), 40);
  });

  test('keeps few points', () => {
    assert.ok(steady(1_000, 600).length <= (PACE_TIME / 1_000) * 1.5 + 3);
  });

  test('falls while nothing is heard, and is nothing after the whole time', () => {
    const pace = steady(40, 20);
    assert.equal(rateOf(pace, 20_000 + PACE_TIME / 2), 20);
    assert.equal(rateOf(pace, 20_000 + PACE_TIME), 0);
  });

  test('does not spread what came after a silence over the silence', () => {
    const pace = paceOf([0, 0], [60_000, 100]);
    assert.equal(rateOf(pace, 60_000), (100 / PACE_TIME) * 1_000);
    const away = extendPace([{ at: 0, count: 0 }], 60_000, 120, false);
    assert.equal(rateOf(away, 60_000), 2, 'who was away knows only the mean');
  });

  test('begins anew when a count falls: the job is run again', () => {
    assert.deepEqual(extendPace(steady(40, 20), 21_000, 0), [{ at: 21_000, count: 0 }]);
  });

  test('does not go back in time', () => {
    const pace = paceOf([1_000, 5], [3_000, 9]);
    assert.equal(extendPace(pace, 2_000, 9), pace);
    assert.deepEqual(extendPace(pace, 2_000, 11).at(-1), { at: 3_000, count: 11 });
  });

  test('of tasks that take minutes is their mean since the start', () => {
    const slow = paceOf([0, 0], [60_000, 2], [120_000, 4], [180_000, 6]);
    assert.equal(steadyRate(slow, 180_000, 0), 6 / 180);
    assert.equal(steadyRate(steady(40, 20), 20_000, 0), 40);
    assert.equal(steadyRate([], 0, undefined), undefined);
  });
});
