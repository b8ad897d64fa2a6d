// A tile's film: the mean light of each pixel, how sure it is, and what was seen there.

/** Numbers that tell one thing from another: the normal and the colour of what was seen. */
export const FEATURES = 6;

export interface Film {
  readonly width: number;
  readonly height: number;
  readonly light: Float64Array;
  readonly features: Float64Array;
  /** Variance of the displayed brightness of one sample, and of the mean of all. */
  readonly unrest: Float64Array;
  readonly variance: Float64Array;
  /** Variance of the mean of the features, all together; until the pixel is finished, the sum of their squares. */
  readonly featureVariance: Float64Array;
}

/** Pixels around the tile that are rendered too, for the sake of their neighbours inside. */
export const APRON = 4;

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
    featureVariance: new Float64Array(pixels),
  };
}

export function isApron(film: Film, column: number, row: number): boolean {
  return column < APRON || row < APRON || column >= film.width - APRON || row >= film.height - APRON;
}

export function addSample(film: Film, pixel: number, light: Float64Array, feature: Float64Array): void {
  for (let c = 0; c < 3; c++) film.light[pixel * 3 + c] = (film.light[pixel * 3 + c] as number) + (light[c] as number);
  const at = pixel * FEATURES;
  let squares = 0;
  for (let k = 0; k < FEATURES; k++) {
    const value = feature[k] as number;
    film.features[at + k] = (film.features[at + k] as number) + value;
    squares += value * value;
  }
  film.featureVariance[pixel] = (film.featureVariance[pixel] as number) + squares;
}

/** `unrest` is the variance of one sample's displayed brightness. */
export function finishPixel(film: Film, pixel: number, samples: number, unrest: number): void {
  for (let c = 0; c < 3; c++) film.light[pixel * 3 + c] = (film.light[pixel * 3 + c] as number) / samples;
  const at = pixel * FEATURES;
  let squares = (film.featureVariance[pixel] as number) / samples;
  for (let k = 0; k < FEATURES; k++) {
    const mean = (film.features[at + k] as number) / samples;
    film.features[at + k] = mean;
    squares -= mean * mean;
  }
  film.unrest[pixel] = unrest;
  film.variance[pixel] = unrest / samples;
  film.featureVariance[pixel] = Math.max(squares, 0) / samples;
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
  return shown(0.3 * r + 0.6 * g + 0.1 * b);
}

/** The same of one colour. The root, for the eye sees the differences in the dark. */
export function shown(light: number): number {
  return Math.sqrt(light / (1 + light));
}
