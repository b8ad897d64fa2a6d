import assert from 'node:assert/strict';
import renderTile, { type Tile } from '../../examples/render/tile.ts';
import type { Farm } from '../../src/index.ts';

const PICTURE = { width: 160, height: 66 };
const TILE = { width: 8, height: 6 };
const SAMPLES = { least: 1, most: 2 };

/** The demo's picture in 220 tasks, so small that an emulated machine draws it in a few seconds. */
export const TILES: readonly Tile[] = Array.from({ length: 220 }, (_, i) => ({
  x: (i % 20) * TILE.width,
  y: Math.floor(i / 20) * TILE.height,
  ...TILE,
  picture: PICTURE,
  samples: SAMPLES,
}));

/** Has a farm draw the picture, and compares each byte with what this process draws. */
export async function drawPicture(farm: Farm, onTile: (count: number) => void = () => {}): Promise<void> {
  const job = await farm.map<typeof renderTile>(new URL('../../examples/render/tile.ts', import.meta.url), TILES);
  const drawn = new Map<number, Uint8Array>();
  for await (const record of job.results()) {
    assert.equal(record.status, 'done', JSON.stringify(record));
    drawn.set(record.index, record.value.rgb);
    onTile(drawn.size);
  }
  assert.equal(drawn.size, TILES.length);
  for (const [index, tile] of TILES.entries())
    assert.deepEqual(drawn.get(index), new Uint8Array(renderTile(tile).rgb), `tile ${index}`);
}
