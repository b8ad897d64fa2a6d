// A tile's film: the mean light of each pixel, how sure it is, and what was seen there.
// Developing it first takes the grain out, by averaging each pixel with neighbours that show the same thing.
import { hash } from './sampler.ts';
import { expose } from './tone.ts';

const FEATURES = 6;
const REACH = 4; // pixels to each side
/** Squared distance of features (normals, colours) beyond which neighbours are different things. */
const FEATURE_SPREAD = 0.018;
/** How many standard deviations apart two pixels may be and still count as the same light. */
const TRUST = 2.4;

export interface Film {
  readonly width: number;
  readonly height: number;
  readonly light: Float64Array;
  readonly features: Float64Array;
  /** Variance of the displayed brightness of one sample, and of the mean of all. */
  readonly unrest: Float64Array;
  readonly variance: Float64Array;
}

/** Pixels around the tile that are rendered too, for the sake of their neighbours inside. */
export const APRON = 1;

/** A film for a tile of this size in pixels, and its apron. */
export function createFilm(tileWidth: number, tileHeight: number): Film {
  const width = tileWidth + 2 * APRON;
  const height = tileHeight + 2 * APRON;
  const pixels = width * height;
  return {
    width,
    height,
    light: new Float64Array(pixels * 3),
    features: new Float64Array(pixels * FEATURES),
    unrest: new Float64Array(pixels),
    variance: new Float64Array(pixels),
  };
}

export function addSample(film: Film, pixel: number, light: Float64Array, feature: Float64Array): void {
  for (let c = 0; c < 3; c++) film.light[pixel * 3 + c] = (film.light[pixel * 3 + c] as number) + (light[c] as number);
  const at = pixel * FEATURES;
  for (let k = 0; k < FEATURES; k++) film.features[at + k] = (film.features[at + k] as number) + (feature[k] as number);
}

/** `unrest` is the variance of one sample's displayed brightness. */
export function finishPixel(film: Film, pixel: number, samples: number, unrest: number): void {
  for (let c = 0; c < 3; c++) film.light[pixel * 3 + c] = (film.light[pixel * 3 + c] as number) / samples;
  const at = pixel * FEATURES;
  for (let k = 0; k < FEATURES; k++) film.features[at + k] = (film.features[at + k] as number) / samples;
  film.unrest[pixel] = unrest;
  film.variance[pixel] = unrest / samples;
}

/** The mean unrest of the pixels on the left and above, which have been finished before. */
export function unrestBefore(film: Film, pixel: number): number {
  const column = pixel % film.width;
  const left = column > 0 ? (film.unrest[pixel - 1] as number) : 0;
  const above = pixel >= film.width ? (film.unrest[pixel - film.width] as number) : 0;
  return (left + above) / 2;
}

/** Displayed brightness, roughly: from 0, black, to 1, as bright as can be. */
export function brightness(r: number, g: number, b: number): number {
  const y = 0.3 * r + 0.6 * g + 0.1 * b;
  return Math.sqrt(y / (1 + y)); // the root, for the eye sees the differences in the dark
}

/** The tile's bytes: three a pixel, row by row. */
export function develop(
  film: Film,
  place: { x: number; y: number; picture: { width: number; height: number } },
): Uint8Array {
  const width = film.width - 2 * APRON;
  const height = film.height - 2 * APRON;
  const rgb = new Uint8Array(width * height * 3);
  const shown = Float64Array.from(film.variance, (_, p) =>
    brightness(film.light[p * 3] as number, film.light[p * 3 + 1] as number, film.light[p * 3 + 2] as number),
  );
  steady(film, shown);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      smooth(film, shown, column + APRON, row + APRON);
      const x = place.x + column;
      const y = place.y + row;
      expose(
        mean,
        x / place.picture.width,
        y / place.picture.height,
        hash(y * 65536 + x),
        rgb,
        (row * width + column) * 3,
      );
    }
  }
  return rgb;
}

/**
 * Few samples may agree by chance, and then a pixel is not as sure as it seems. So each is held for no surer than its
 * neighbours are on average, nor than its difference from the neighbour that is second nearest to it: one or two alone
 * amid others are no detail but grain.
 */
function steady(film: Film, shown: Float64Array): void {
  const { width, height } = film;
  const measured = film.variance.slice();
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const pixel = row * width + column;
      let sum = 0;
      let count = 0;
      let nearest = 1;
      let second = 1;
      for (let j = Math.max(row - 1, 0); j <= Math.min(row + 1, height - 1); j++) {
        for (let i = Math.max(column - 1, 0); i <= Math.min(column + 1, width - 1); i++, count++) {
          const other = j * width + i;
          sum += measured[other] as number;
          if (other === pixel) continue;
          const difference = Math.abs((shown[pixel] as number) - (shown[other] as number));
          if (difference < nearest) {
            second = nearest;
            nearest = difference;
          } else if (difference < second) second = difference;
        }
      }
      film.variance[pixel] = Math.max(measured[pixel] as number, sum / count, second * second);
    }
  }
}

const mean = new Float64Array(3);

/** The mean of the neighbours' light, weighted by how alike they are; bright outliers weigh less, as they do to the eye. */
function smooth(film: Film, shown: Float64Array, column: number, row: number): void {
  const pixel = row * film.width + column;
  const own = shown[pixel] as number;
  const ownVariance = film.variance[pixel] as number;
  let sum = 0;
  mean.fill(0);
  // As far to the left as to the right, and up as down: a lopsided mean would shift gradients and show the tiles' seams.
  const reachX = Math.min(REACH, column, film.width - 1 - column);
  const reachY = Math.min(REACH, row, film.height - 1 - row);
  for (let j = row - reachY; j <= row + reachY; j++) {
    for (let i = column - reachX; i <= column + reachX; i++) {
      const other = j * film.width + i;
      const difference = own - (shown[other] as number);
      const spread = TRUST * TRUST * (ownVariance + (film.variance[other] as number)) + 1e-6;
      const exponent =
        (difference * difference) / spread + featureDistance(film.features, pixel, other) / FEATURE_SPREAD;
      if (exponent > 6) continue;
      const weight = Math.exp(-exponent) * (1.02 - (shown[other] as number));
      sum += weight;
      mean[0] = (mean[0] as number) + weight * (film.light[other * 3] as number);
      mean[1] = (mean[1] as number) + weight * (film.light[other * 3 + 1] as number);
      mean[2] = (mean[2] as number) + weight * (film.light[other * 3 + 2] as number);
    }
  }
  for (let c = 0; c < 3; c++) mean[c] = (mean[c] as number) / sum;
}

function featureDistance(features: Float64Array, a: number, b: number): number {
  let sum = 0;
  for (let k = 0; k < FEATURES; k++) {
    const d = (features[a * FEATURES + k] as number) - (features[b * FEATURES + k] as number);
    sum += d * d;
  }
  return sum;
}
