// Takes the grain out of a film and turns it into bytes. Each pixel becomes the mean of those around it that show the
// same thing, by non-local means as Rousselle and others use them for rendering (SIGGRAPH Asia 2012, Pacific Graphics
// 2013): two pixels are the same if their surroundings differ by no more than their own variance explains.
import { APRON, FEATURES, type Film, shown } from './film.ts';
import { hash } from './sampler.ts';
import { expose } from './tone.ts';

/** Pixels to each side that are looked at: as far as the apron goes, so that all see equally far and no seam shows. */
const REACH = APRON;
/** How much more two surroundings may differ than their variance says, squared. */
const TRUST = 1;
/** Squared distance of features (normals, colours) beyond which neighbours are different things. */
const FEATURE_SPREAD = 0.012;
/** Weights below exp(-this) are nothing. */
const FARTHEST = 6;

/** The tile's bytes: three a pixel, row by row. */
export function develop(
  film: Film,
  place: { x: number; y: number; picture: { width: number; height: number } },
): Uint8Array {
  const width = film.width - 2 * APRON;
  const height = film.height - 2 * APRON;
  const rgb = new Uint8Array(width * height * 3);
  const clean = smooth(film);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = place.x + column;
      const y = place.y + row;
      const at = ((row + APRON) * film.width + column + APRON) * 3;
      const seed = hash(y * 65536 + x);
      const bytes = (row * width + column) * 3;
      expose(clean.subarray(at, at + 3), x / place.picture.width, y / place.picture.height, seed, rgb, bytes);
    }
  }
  return rgb;
}

/** The light of every pixel, without grain. */
function smooth(film: Film): Float64Array {
  const { width, height, light } = film;
  const pixels = width * height;
  const seen = Float64Array.from(light, shown);
  const variance = steady(film);
  // Bright outliers weigh less, as they do to the eye.
  const tone = Float64Array.from({ length: pixels }, (_, p) => 1.02 - brightest(seen, p));
  const sum = new Float64Array(pixels * 3);
  const weights = new Float64Array(pixels);
  for (let p = 0; p < pixels; p++) {
    weights[p] = tone[p] as number;
    for (let c = 0; c < 3; c++) sum[p * 3 + c] = (light[p * 3 + c] as number) * (tone[p] as number);
  }
  const differences = new Float64Array(pixels);
  const scratch = new Float64Array(pixels);
  // Each pair of pixels is looked at once, from the one that comes first.
  for (let dy = 0; dy <= REACH; dy++) {
    for (let dx = dy === 0 ? 1 : -REACH; dx <= REACH; dx++) {
      const area = { left: Math.max(0, -dx), right: Math.min(width, width - dx), bottom: height - dy };
      compare(width, area, dy * width + dx, seen, variance, differences);
      blur(width, area, differences, scratch);
      share(film, area, dy * width + dx, differences, tone, sum, weights);
    }
  }
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < 3; c++) sum[p * 3 + c] = (sum[p * 3 + c] as number) / (weights[p] as number);
  }
  return sum;
}

function brightest(seen: Float64Array, p: number): number {
  return Math.max(seen[p * 3] as number, seen[p * 3 + 1] as number, seen[p * 3 + 2] as number);
}

/** Few samples may agree by chance: no pixel is held for surer than those around it are on average. */
function steady({ width, height, variance }: Film): Float64Array {
  const around = variance.slice();
  const scratch = new Float64Array(around.length);
  for (let k = 0; k < 2; k++) blur(width, { left: 0, right: width, bottom: height }, around, scratch);
  return around.map((mean, p) => Math.max(mean, variance[p] as number));
}

/** The columns and rows, from row 0, of the pixels that have another one at some distance. */
interface Area {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

/** How unlike each pixel and the one `offset` later look, less what chance explains, in units of what chance explains. */
function compare(
  width: number,
  { left, right, bottom }: Area,
  offset: number,
  seen: Float64Array,
  variance: Float64Array,
  out: Float64Array,
): void {
  for (let row = 0; row < bottom; row++) {
    for (let p = row * width + left; p < row * width + right; p++) {
      const q = p + offset;
      const r = (seen[p * 3] as number) - (seen[q * 3] as number);
      const g = (seen[p * 3 + 1] as number) - (seen[q * 3 + 1] as number);
      const b = (seen[p * 3 + 2] as number) - (seen[q * 3 + 2] as number);
      const chance = (variance[p] as number) + (variance[q] as number);
      out[p] = ((r * r + g * g + b * b) / 3 - chance) / (TRUST * chance + 1e-6);
    }
  }
}

/** Each number becomes the mean of the three by three around it, as far as they are in the area. */
function blur(width: number, { left, right, bottom }: Area, numbers: Float64Array, scratch: Float64Array): void {
  for (let row = 0; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const p = row * width + column;
      const before = column > left ? p - 1 : p;
      const after = column < right - 1 ? p + 1 : p;
      scratch[p] = ((numbers[before] as number) + (numbers[p] as number) + (numbers[after] as number)) / 3;
    }
  }
  for (let row = 0; row < bottom; row++) {
    for (let p = row * width + left; p < row * width + right; p++) {
      const above = row > 0 ? p - width : p;
      const below = row < bottom - 1 ? p + width : p;
      numbers[p] = ((scratch[above] as number) + (scratch[p] as number) + (scratch[below] as number)) / 3;
    }
  }
}

/** Gives each pixel of a pair as much of the other's light as they are alike. */
function share(
  film: Film,
  { left, right, bottom }: Area,
  offset: number,
  differences: Float64Array,
  tone: Float64Array,
  sum: Float64Array,
  weights: Float64Array,
): void {
  const { width, light } = film;
  for (let row = 0; row < bottom; row++) {
    for (let p = row * width + left; p < row * width + right; p++) {
      const unlike = Math.max(differences[p] as number, 0);
      if (unlike > FARTHEST) continue;
      const q = p + offset;
      const exponent = unlike + featureDistance(film, p, q);
      if (exponent > FARTHEST) continue;
      const weight = Math.exp(-exponent);
      const here = weight * (tone[p] as number);
      const there = weight * (tone[q] as number);
      weights[p] = (weights[p] as number) + there;
      weights[q] = (weights[q] as number) + here;
      for (let c = 0; c < 3; c++) {
        sum[p * 3 + c] = (sum[p * 3 + c] as number) + there * (light[q * 3 + c] as number);
        sum[q * 3 + c] = (sum[q * 3 + c] as number) + here * (light[p * 3 + c] as number);
      }
    }
  }
}

/** Where the lens blurs, features are as uncertain as the light is, and what chance explains does not count. */
function featureDistance({ features, featureVariance }: Film, p: number, q: number): number {
  let sum = 0;
  for (let k = 0; k < FEATURES; k++) {
    const d = (features[p * FEATURES + k] as number) - (features[q * FEATURES + k] as number);
    sum += d * d;
  }
  const chance = (featureVariance[p] as number) + (featureVariance[q] as number);
  return Math.max(sum - chance, 0) / (FEATURE_SPREAD + chance);
}
