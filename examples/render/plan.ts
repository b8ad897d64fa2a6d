// How the demo cuts the picture into tasks, puts it together again, and measures what two hands are worth.
import { hash } from './sampler.ts';
import type { RenderedTile, Tile } from './tile.ts';

export const PICTURE = { width: 1600, height: 900 };
export const TILE = { width: 64, height: 45 };
export const SAMPLES = { least: 8, most: 32 };

/** All tiles, from the middle outwards: what is dear is there, and what is started last should be cheap. */
export function cut(picture = PICTURE, samples = SAMPLES): Tile[] {
  const tiles: Tile[] = [];
  for (let y = 0; y < picture.height; y += TILE.height) {
    for (let x = 0; x < picture.width; x += TILE.width) {
      const width = Math.min(TILE.width, picture.width - x);
      const height = Math.min(TILE.height, picture.height - y);
      tiles.push({ x, y, width, height, picture, samples });
    }
  }
  const fromMiddle = (tile: Tile): number =>
    Math.hypot(tile.x + tile.width / 2 - picture.width / 2, tile.y + tile.height / 2 - picture.height / 2);
  return tiles.sort((a, b) => fromMiddle(a) - fromMiddle(b));
}

/** Copies a tile's bytes to its place in the picture's. */
export function paste(picture: Uint8Array, tile: Tile, rgb: Uint8Array): void {
  if (rgb.length !== tile.width * tile.height * 3) {
    throw new RangeError(`the tile at ${tile.x}, ${tile.y} has ${rgb.length} bytes, not 3 for each of its pixels`);
  }
  const row = tile.width * 3;
  for (let y = 0; y < tile.height; y++) {
    picture.set(rgb.subarray(y * row, (y + 1) * row), ((tile.y + y) * tile.picture.width + tile.x) * 3);
  }
}

/** One in `every` of the tasks, spread evenly over their order but at a random place in each stretch of it. */
export function sample(count: number, every: number): number[] {
  const chosen: number[] = [];
  for (let from = 0; from < count; from += every) {
    chosen.push(from + (hash(from + 1) % Math.min(every, count - from)));
  }
  return chosen;
}

/**
 * How long one slot would have taken for all tasks, in milliseconds.
 *
 * Every task says how long it took among the others. A few of them were also run alone on one slot, by the clock on the
 * wall, from submission to the last result. What these took alone, relative to what the same ones said of themselves,
 * tells how far the tasks' own figures are from those of an otherwise idle machine; so the sum over all is scaled by it.
 */
export function oneSlotTime(
  tiles: readonly Pick<RenderedTile, 'milliseconds'>[],
  chosen: readonly number[],
  aloneMilliseconds: number,
): number {
  let all = 0;
  let same = 0;
  for (const tile of tiles) all += tile.milliseconds;
  for (const index of chosen) same += tiles[index]?.milliseconds ?? 0;
  return (all * aloneMilliseconds) / same;
}
