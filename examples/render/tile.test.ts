import assert from 'node:assert/strict';
import { test } from 'node:test';
import { focus } from './caustics.ts';
import { BULB_BOUND, distance } from './fractal.ts';
import { nextPair, pair, startPath } from './sampler.ts';
import renderTile, { type Tile } from './tile.ts';

const PICTURE = { width: 400, height: 225 };
const SAMPLES = { least: 4, most: 16 };

function tileAt(x: number, y: number, width = 12, height = 9): Tile {
  return { x, y, width, height, picture: PICTURE, samples: SAMPLES };
}

function average(rgb: Uint8Array): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0];
  rgb.forEach((value, i) => {
    sums[(i % 3) as 0] += value / (rgb.length / 3);
  });
  return sums;
}

test('a tile has three bytes a pixel, and is the same however often and in whatever order it is rendered', () => {
  const first = renderTile(tileAt(180, 90)).rgb;
  renderTile(tileAt(20, 200));
  const again = renderTile(tileAt(180, 90)).rgb;
  assert.equal(first.length, 12 * 9 * 3);
  assert.deepEqual(again, first);
  assert.notDeepEqual(renderTile(tileAt(192, 90)).rgb, first);
});

test('what a pixel shows does not depend on how the picture is cut, but for its nearest neighbours', () => {
  const whole = renderTile(tileAt(100, 150, 24, 18)).rgb;
  const part = renderTile(tileAt(106, 154, 12, 9)).rgb;
  let difference = 0;
  for (let row = 0; row < 9; row++) {
    for (let i = 0; i < 36; i++) {
      difference += Math.abs((part[row * 36 + i] as number) - (whole[(row + 4) * 72 + 18 + i] as number)) / part.length;
    }
  }
  assert.ok(difference < 4, `${difference.toFixed(2)} steps of 255 on average`);
});

test('the sky is bluish and bright, the bulb darker, and neither is flat or burnt out', () => {
  const [red, , blue] = average(renderTile(tileAt(300, 4)).rgb);
  const bulb = renderTile(tileAt(190, 100)).rgb;
  assert.ok(red > 90 && blue > 90 && red < 240 && blue < 240, `sky ${red.toFixed()} ${blue.toFixed()}`);
  assert.ok(average(bulb)[1] < average(renderTile(tileAt(300, 4)).rgb)[1]);
  assert.ok(new Set(bulb).size > 40);
});

test('tiles cost what they show: the bulb several times the sky', () => {
  const time = (x: number, y: number): number =>
    Math.min(...[1, 2, 3].map(() => renderTile(tileAt(x, y)).milliseconds));
  assert.ok(time(190, 100) > 2.5 * time(300, 4));
});

test('samples of one pixel are stratified in both coordinates of every pair', () => {
  for (const dimension of [0, 3]) {
    for (const coordinate of [0, 1] as const) {
      const strata = new Set<number>();
      for (let sample = 0; sample < 16; sample++) {
        startPath(1234, sample);
        for (let k = 0; k <= dimension; k++) nextPair();
        const value = pair[coordinate] as number;
        assert.ok(value >= 0 && value < 1);
        strata.add(Math.floor(value * 16));
      }
      assert.equal(strata.size, 16);
    }
  }
});

test("the bulb's distance never says more than is true: a ball of that size around a point outside holds nothing of it", () => {
  for (let k = 0; k < 200; k++) {
    const angle = k * 2.4;
    const height = 1 - (2 * k + 1) / 200;
    const across = Math.sqrt(1 - height * height);
    const [x, y, z] = [
      across * Math.cos(angle) * BULB_BOUND,
      height * BULB_BOUND,
      across * Math.sin(angle) * BULB_BOUND,
    ];
    const d = distance(x, y, z);
    assert.ok(d > 0, 'the bound is outside');
    for (let j = 0; j < 20; j++) {
      const turn = j * 2.4;
      const up = 1 - (2 * j + 1) / 20;
      const out = Math.sqrt(1 - up * up);
      const inside = distance(
        x + 0.99 * d * out * Math.cos(turn),
        y + 0.99 * d * up,
        z + 0.99 * d * out * Math.sin(turn),
      );
      assert.ok(inside > 0);
    }
  }
});

test('a ball gathers sunlight behind it and loses only what it reflects', () => {
  assert.ok(focus(1.6, 0.02) > 20, 'bright at the focus');
  assert.equal(focus(-1, 0), 0);
  let energy = 0;
  for (let k = 0; k < 3000; k++) energy += focus(3, (k + 0.5) / 1000) * 2 * ((k + 0.5) / 1000) * 0.001;
  assert.ok(energy > 0.7 && energy < 0.95, `${energy.toFixed(3)} of what falls on it arrives within three radii`);
});
