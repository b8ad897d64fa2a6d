// The task: one tile of the picture. `export default` is all that manyhands asks for.
import { develop } from './develop.ts';
import { APRON, addSample, brightness, createFilm, type Film, finishPixel, isApron, unrestBefore } from './film.ts';
import { trace } from './path.ts';
import { hash, nextPair, pair, startPath } from './sampler.ts';
import { CAMERA } from './scene.ts';
import { ray } from './tracer.ts';
import { feature, light } from './walk.ts';

export interface Tile {
  /** Left, top, width and height in pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** The whole picture's size in pixels. */
  readonly picture: { readonly width: number; readonly height: number };
  /** Samples for the calmest and the most restless pixel. */
  readonly samples: { readonly least: number; readonly most: number };
}

/** Says where it belongs: by this the page of the job puts the picture together (docs/results.md). */
export interface RenderedTile extends Pick<Tile, 'x' | 'y' | 'width' | 'height' | 'picture'> {
  /** Three bytes a pixel, row by row. */
  readonly rgb: Uint8Array;
  /** How long this tile took, in milliseconds. */
  readonly milliseconds: number;
}

/** A pixel is done when the standard error of its displayed brightness is below this (1 is white). */
const TOLERANCE = 0.048;
const STEP = 2;

export default function renderTile(tile: Tile): RenderedTile {
  const start = performance.now();
  const film = createFilm(tile.width, tile.height);
  for (let row = 0; row < film.height; row++) {
    for (let column = 0; column < film.width; column++) {
      const most = isApron(film, column, row) ? tile.samples.least : tile.samples.most;
      renderPixel(tile, tile.x + column - APRON, tile.y + row - APRON, most, film, row * film.width + column);
    }
  }
  const rgb = develop(film, tile);
  const { x, y, width, height, picture } = tile;
  return { x, y, width, height, picture, rgb, milliseconds: performance.now() - start };
}

/**
 * Takes samples until the pixel is calm, and leaves their mean on the film. A few samples may agree by chance,
 * so a pixel is taken to be at least half as restless as those on its left and above it were.
 */
function renderPixel(tile: Tile, x: number, y: number, most: number, film: Film, pixel: number): void {
  const seed = hash(hash(y * 65536 + x) + 17);
  const expected = 0.5 * unrestBefore(film, pixel);
  let sum = 0;
  let squares = 0;
  let unrest = 0;
  let taken = 0;
  while (taken < most) {
    startPath(seed, taken++);
    aim(tile, x, y);
    trace();
    addSample(film, pixel, light, feature);
    const shown = brightness(light[0] as number, light[1] as number, light[2] as number);
    sum += shown;
    squares += shown * shown;
    if (taken >= tile.samples.least && taken % STEP === 0) {
      const mean = sum / taken;
      unrest = Math.max(squares / taken - mean * mean, expected);
      if (unrest < TOLERANCE * TOLERANCE * taken) break;
    }
  }
  finishPixel(film, pixel, taken, unrest);
}

const FORWARD = normalise(CAMERA.target.map((v, i) => v - (CAMERA.eye[i] as number)));
const RIGHT = normalise([FORWARD[2] as number, 0, -(FORWARD[0] as number)]);
const UP = [
  (FORWARD[1] as number) * (RIGHT[2] as number) - (FORWARD[2] as number) * (RIGHT[1] as number),
  (FORWARD[2] as number) * (RIGHT[0] as number) - (FORWARD[0] as number) * (RIGHT[2] as number),
  (FORWARD[0] as number) * (RIGHT[1] as number) - (FORWARD[1] as number) * (RIGHT[0] as number),
];

function normalise(v: number[]): number[] {
  const length = Math.hypot(...v);
  return v.map((c) => c / length);
}

/** A triangular filter of two pixels' width, by the inverse of its cumulative distribution. */
function tent(u: number): number {
  return u < 0.5 ? Math.sqrt(2 * u) - 1 : 1 - Math.sqrt(2 - 2 * u);
}

/** Sends `ray` through a random point of the pixel, from a random point of the lens. */
function aim(tile: Tile, x: number, y: number): void {
  const { width, height } = tile.picture;
  nextPair();
  const sx = ((x + 0.5 + tent(pair[0] as number) * 0.75 - width / 2) / height) * CAMERA.height * CAMERA.focus;
  const sy = ((height / 2 - y - 0.5 - tent(pair[1] as number) * 0.75) / height) * CAMERA.height * CAMERA.focus;
  nextPair();
  const radius = CAMERA.aperture * Math.sqrt(pair[0] as number);
  const lx = radius * Math.cos(2 * Math.PI * (pair[1] as number));
  const ly = radius * Math.sin(2 * Math.PI * (pair[1] as number));
  let length = 0;
  for (let axis = 0; axis < 3; axis++) {
    ray[axis] = (CAMERA.eye[axis] as number) + lx * (RIGHT[axis] as number) + ly * (UP[axis] as number);
    const d =
      (FORWARD[axis] as number) * CAMERA.focus + (sx - lx) * (RIGHT[axis] as number) + (sy - ly) * (UP[axis] as number);
    ray[axis + 3] = d;
    length += d * d;
  }
  length = 1 / Math.sqrt(length);
  for (let axis = 3; axis < 6; axis++) ray[axis] = (ray[axis] as number) * length;
}
