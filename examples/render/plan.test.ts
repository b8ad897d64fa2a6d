import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut, oneSlotTime, PICTURE, paste, sample } from './plan.ts';

test('the tiles cover the picture, each pixel once, in more than 400 tasks', () => {
  const tiles = cut();
  const covered = new Uint8Array(PICTURE.width * PICTURE.height);
  for (const tile of tiles) {
    for (let y = 0; y < tile.height; y++) {
      for (let x = 0; x < tile.width; x++) covered[(tile.y + y) * PICTURE.width + tile.x + x]!++;
    }
  }
  assert.ok(tiles.length >= 400);
  assert.ok(covered.every((times) => times === 1));
});

test('a picture that is no multiple of the tile is covered too, and pasted without a gap', () => {
  const size = { width: 123, height: 77 };
  const bytes = new Uint8Array(size.width * size.height * 3);
  for (const tile of cut(size)) paste(bytes, tile, new Uint8Array(tile.width * tile.height * 3).fill(9));
  assert.ok(bytes.every((byte) => byte === 9));
  const [first] = cut(size);
  assert.throws(() => paste(bytes, first!, new Uint8Array(5)), /5 bytes/);
});

test('the sample takes one task of every stretch', () => {
  const chosen = sample(103, 10);
  assert.equal(chosen.length, 11);
  for (const [stretch, index] of chosen.entries()) assert.equal(Math.floor(index / 10), stretch);
  assert.ok(chosen.every((index) => index < 103));
});

test('the time of one slot is the sum of all tasks, corrected by what the sample took alone', () => {
  const tiles = [10, 20, 30, 40].map((milliseconds) => ({ rgb: new Uint8Array(), milliseconds }));
  assert.equal(oneSlotTime(tiles, [0, 3], 50), 100);
  assert.equal(oneSlotTime(tiles, [0, 3], 40), 80);
});
