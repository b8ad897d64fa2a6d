// What a ray sees that hits nothing: a sun low over a lake, a gradient from ember to indigo, and ridges in the haze.
import { lattice } from './sampler.ts';

const SUN_ELEVATION = 0.43; // radians above the horizon
const SUN_AZIMUTH = -1.8; // radians from the view's axis, negative is left
/** Towards the middle of the sun. */
export const SUN: readonly [number, number, number] = [
  Math.sin(SUN_AZIMUTH) * Math.cos(SUN_ELEVATION),
  Math.sin(SUN_ELEVATION),
  Math.cos(SUN_AZIMUTH) * Math.cos(SUN_ELEVATION),
];
/** Angular radius in radians: several times the true sun's, as seen through evening haze; it softens the shadows. */
export const SUN_RADIUS = 0.028;
/** Light that a surface facing the sun receives. */
export const SUN_IRRADIANCE: readonly [number, number, number] = [7.6, 4.3, 2.05];

const COS_SUN_RADIUS = Math.cos(SUN_RADIUS);
const SUN_SOLID_ANGLE = 2 * Math.PI * (1 - COS_SUN_RADIUS);

/** Fills `out` with the light from direction (x, y, z); `withSun` is false where the sun has already been sampled. */
export function sky(x: number, y: number, z: number, withSun: boolean, out: Float64Array): void {
  const towardsSun = x * SUN[0] + y * SUN[1] + z * SUN[2];
  const height = Math.max(y, 0);
  gradient(height, towardsSun, out);
  if (y < 0.16) ridges(x, y, z, towardsSun, out);
  else if (y > 0.02) clouds(x, y, z, towardsSun, out);
  if (withSun && towardsSun > COS_SUN_RADIUS) {
    for (let c = 0; c < 3; c++) out[c] = (out[c] as number) + (SUN_IRRADIANCE[c as 0] as number) / SUN_SOLID_ANGLE;
  }
}

function gradient(height: number, towardsSun: number, out: Float64Array): void {
  const low = Math.exp(-height * 9);
  const middle = Math.exp(-height * 2.6);
  const facing = Math.max(towardsSun, 0);
  const glow = facing ** 6;
  const corona = Math.exp(90 * (facing - 1));
  out[0] = 0.05 + 0.3 * middle + 0.62 * low + glow * (0.25 + 0.9 * low) + corona * 2.4;
  out[1] = 0.11 + 0.2 * middle + 0.2 * low + glow * (0.1 + 0.4 * low) + corona * 1.3;
  out[2] = 0.3 + 0.3 * middle - 0.2 * low + glow * 0.03 + corona * 0.5;
}

/** Smooth noise in one dimension, in [0, 1). */
function wave(t: number, row: number): number {
  const cell = Math.floor(t);
  const f = t - cell;
  const a = lattice(cell, row);
  return a + (lattice(cell + 1, row) - a) * f * f * (3 - 2 * f);
}

/** Smooth noise in two dimensions, in [0, 1). */
export function noise(x: number, y: number): number {
  const ix = Math.floor(x);
  const iy = Math.floor(y);
  const fx = x - ix;
  const fy = y - iy;
  const sx = fx * fx * (3 - 2 * fx);
  const sy = fy * fy * (3 - 2 * fy);
  const a = lattice(ix, iy);
  const b = lattice(ix + 1, iy);
  const c = lattice(ix, iy + 1);
  const d = lattice(ix + 1, iy + 1);
  return a + (b - a) * sx + (c - a) * sy + (a - b - c + d) * sx * sy;
}

const LAYERS = 4;
const CRESTS_PER_RADIAN = 400;
const CRESTS = Math.ceil(2 * Math.PI * CRESTS_PER_RADIAN) + 2;
const crests = crestTable();

/** How high each ridge stands, as the sine of the angle above the horizon, by azimuth. */
function crestTable(): Float32Array {
  const table = new Float32Array(LAYERS * CRESTS);
  for (let layer = 0; layer < LAYERS; layer++) {
    for (let i = 0; i < CRESTS; i++) {
      let crest = 0;
      for (let octave = 0; octave < 5; octave++) {
        crest +=
          0.5 ** (octave + 1) * wave((i / CRESTS_PER_RADIAN + 4) * (6 + layer * 3) * 2 ** octave, layer * 8 + octave);
      }
      table[layer * CRESTS + i] = (0.025 + 0.03 * (LAYERS - layer)) * crest ** 1.6;
    }
  }
  return table;
}

/** Mountain ridges, each farther one paler: what the haze between adds is the sky's own light. */
function ridges(x: number, y: number, z: number, towardsSun: number, out: Float64Array): void {
  const at = (Math.atan2(x, z) + Math.PI) * CRESTS_PER_RADIAN;
  const i = Math.floor(at);
  const glow = Math.max(towardsSun, 0) ** 4;
  for (let layer = 0; layer < LAYERS; layer++) {
    const left = crests[layer * CRESTS + i] as number;
    const right = crests[layer * CRESTS + i + 1] as number;
    if (y >= left + (right - left) * (at - i)) continue;
    const haze = 0.82 - 0.2 * layer;
    out[0] = (out[0] as number) * haze * 0.8 + (1 - haze) * (0.045 + 0.12 * glow);
    out[1] = (out[1] as number) * haze * 0.82 + (1 - haze) * (0.05 + 0.04 * glow);
    out[2] = (out[2] as number) * haze * 0.95 + (1 - haze) * (0.11 + 0.01 * glow);
  }
}

/** Long thin streaks, lit from below by the sun. */
function clouds(x: number, y: number, z: number, towardsSun: number, out: Float64Array): void {
  const u = x / (y + 0.1);
  const v = z / (y + 0.1);
  let density = 0;
  let amplitude = 0.5;
  let frequency = 1;
  for (let octave = 0; octave < 4; octave++) {
    density += amplitude * noise(u * 0.55 * frequency + octave * 17, v * 1.9 * frequency + u * 0.3);
    amplitude *= 0.5;
    frequency *= 2.1;
  }
  const cover = Math.min(Math.max((density - 0.46) * 3.2, 0), 1) * Math.min(1, (y - 0.05) * 4);
  if (cover <= 0) return;
  const lit = 0.35 + 0.65 * Math.max(towardsSun, 0) ** 2;
  out[0] = (out[0] as number) + cover * lit * 0.55;
  out[1] = (out[1] as number) + cover * lit * 0.27;
  out[2] = (out[2] as number) + cover * lit * 0.2;
}
