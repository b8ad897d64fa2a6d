// One path on its way: where it is, what it has gathered, what is left of its strength. All of it lies in typed arrays
// that every path reuses, since a path lasts microseconds and an object or two for each would cost as much again.
import { ray } from './tracer.ts';

/** Precision of the bulb's surface, in its own units: seen directly, and by light that has been scattered. */
export const FINE = 0.0011;
export const COARSE = 0.004;
/** How far off a surface the next ray starts: off the bulb, out of reach of its precision. */
const OFFSET = 2e-4;
const BULB_OFFSET = 2.5 * COARSE;
/** Brightest light that one sample may add, directly and by a detour: rarer, brighter finds would be white dots, not light. */
const BRIGHTEST = 30;
const BRIGHTEST_BY_DETOUR = 6;

/** The light gathered so far: red, green, blue. */
export const light = new Float64Array(3);
/** Normal and colour of the first surface that scattered the path, zeros if none did: it tells one thing's pixels from another's. */
export const feature = new Float64Array(6);
/** The share of light met from here on that reaches the eye. */
export const throughput = new Float64Array(3);
export const position = new Float64Array(3);
export const normal = new Float64Array(3);
/** Of the surface at `position`. */
export const colour = new Float64Array(3);
export const scratch = new Float64Array(3);

export const flags = new Uint8Array(6);
/** The last event was mirror-like: what the path meets has not been counted by sampling the lights. */
export const SHARP = 0;
/** The path has been scattered: what it adds is a faint part of the whole. */
export const INDIRECT = 1;
export const ON_BULB = 2;
/** How often the path has been scattered. */
export const SCATTERED = 3;
/** A coat's mirror image of the sun is counted with the sunlight, where it costs no luck to be found. */
export const SUN_COUNTED = 4;
/** The path was mirrored by a coat, which few paths are. */
export const LUCKY = 5;

export function beginWalk(): void {
  light.fill(0);
  feature.fill(0);
  throughput.fill(1);
  flags.fill(0);
  flags[SHARP] = 1;
}

/** Adds `incoming`, as much of it as reaches the eye, to `light`. */
export function gather(incoming: Float64Array): void {
  let brightest = 0;
  for (let c = 0; c < 3; c++) brightest = Math.max(brightest, (incoming[c] as number) * (throughput[c] as number));
  const limit = flags[INDIRECT] || flags[LUCKY] ? BRIGHTEST_BY_DETOUR : BRIGHTEST;
  const scale = brightest > limit ? limit / brightest : 1;
  for (let c = 0; c < 3; c++)
    light[c] = (light[c] as number) + (incoming[c] as number) * (throughput[c] as number) * scale;
}

/** Three numbers into a vector, without the array that `set` would need. */
export function fill(vector: Float64Array, x: number, y: number, z: number): void {
  vector[0] = x;
  vector[1] = y;
  vector[2] = z;
}

export function attenuate(r: number, g: number, b: number): void {
  throughput[0] = (throughput[0] as number) * r;
  throughput[1] = (throughput[1] as number) * g;
  throughput[2] = (throughput[2] as number) * b;
}

export function cosineToEye(): number {
  return -(
    (ray[3] as number) * (normal[0] as number) +
    (ray[4] as number) * (normal[1] as number) +
    (ray[5] as number) * (normal[2] as number)
  );
}

/** Starts the next ray at `position`, a little to the side of the surface that `side` (1 outer, -1 inner) names. */
export function leave(x: number, y: number, z: number, side: number): void {
  const offset = side * (flags[ON_BULB] ? BULB_OFFSET : OFFSET);
  ray[0] = (position[0] as number) + (normal[0] as number) * offset;
  ray[1] = (position[1] as number) + (normal[1] as number) * offset;
  ray[2] = (position[2] as number) + (normal[2] as number) * offset;
  ray[3] = x;
  ray[4] = y;
  ray[5] = z;
}

/** The answer of `around`. */
export const bent = new Float64Array(3);

/** A direction (x, y, z) bent aside by p and q, of which `along` is left: in a basis that has no pole to divide by zero at. */
export function around(x: number, y: number, z: number, p: number, q: number, along: number): void {
  const s = z >= 0 ? 1 : -1;
  const a = -1 / (s + z);
  const b = x * y * a;
  bent[0] = x * along + p * (1 + s * x * x * a) + q * b;
  bent[1] = y * along + p * s * b + q * (s + y * y * a);
  bent[2] = z * along - p * s * x - q * y;
}
