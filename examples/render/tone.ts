// From light to bytes: exposure, a film-like curve, the sRGB transfer function, and dither.
import { hash } from './sampler.ts';

const EXPOSURE = 1.45;
const VIGNETTE = 0.32;

// The ACES reference rendering and output transforms, as fitted by Stephen Hill: into the working space, the curve, and back.
const INTO = [0.59719, 0.35458, 0.04823, 0.076, 0.90834, 0.01566, 0.0284, 0.13383, 0.83777];
const BACK = [1.60475, -0.53108, -0.07367, -0.10208, 1.10813, -0.00605, -0.00327, -0.07276, 1.07602];

const linear = new Float64Array(3);
const curved = new Float64Array(3);

/** Writes the three bytes of one pixel; (u, v) is its place in the picture, from 0 to 1, and `seed` its dither. */
export function expose(
  light: Float64Array,
  u: number,
  v: number,
  seed: number,
  bytes: Uint8Array,
  offset: number,
): void {
  const fromCentre = (u - 0.5) ** 2 + ((v - 0.5) * 0.8) ** 2;
  const gain = EXPOSURE * (1 - VIGNETTE * Math.min(1, fromCentre * 2.4));
  for (let c = 0; c < 3; c++) linear[c] = (light[c] as number) * gain;
  multiply(INTO, linear, curved);
  for (let c = 0; c < 3; c++) {
    const a = curved[c] as number;
    curved[c] = (a * (a + 0.0245786) - 0.000090537) / (a * (0.983729 * a + 0.432951) + 0.238081);
  }
  multiply(BACK, curved, linear);
  let noise = seed;
  for (let c = 0; c < 3; c++) {
    noise = hash(noise + c);
    // One step of triangular noise hides the bands that eight bits would show in the sky.
    const dither = ((noise & 0xffff) + (noise >>> 16)) / 65536 - 1;
    bytes[offset + c] = Math.min(Math.max(Math.round(encode(linear[c] as number) * 255 + dither * 0.7), 0), 255);
  }
}

function multiply(m: readonly number[], v: Float64Array, out: Float64Array): void {
  const [x, y, z] = v as unknown as [number, number, number];
  for (let row = 0; row < 3; row++) {
    out[row] = (m[row * 3] as number) * x + (m[row * 3 + 1] as number) * y + (m[row * 3 + 2] as number) * z;
  }
}

function encode(value: number): number {
  const v = Math.min(Math.max(value, 0), 1);
  return v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}
