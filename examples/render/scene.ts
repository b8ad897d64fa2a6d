// What is in the picture: a Mandelbulb on a round stone terrace in a lake, amid spheres that stand
// where a sunflower puts its seeds, a low sun behind.
import { lattice } from './sampler.ts';

export type Vector = readonly [number, number, number];

export type Material =
  | { readonly kind: 'matte'; readonly colour: Vector }
  | { readonly kind: 'glazed'; readonly colour: Vector }
  | { readonly kind: 'metal'; readonly colour: Vector; readonly roughness: number }
  | { readonly kind: 'glass'; readonly colour: Vector }
  | { readonly kind: 'lamp'; readonly colour: Vector };

export interface Sphere {
  readonly centre: Vector;
  readonly radius: number;
  readonly material: Material;
}

export const BULB = { centre: [0, 1.36, 0] as Vector, scale: 1.2 };
export const TERRACE = { radius: 6.4, top: 0, thickness: 0.16 };
export const LAKE_LEVEL = -0.16;

export const CAMERA = {
  eye: [0.9, 2.35, -10.4] as Vector,
  target: [0, 1.06, 0] as Vector,
  /** Height of the view at distance 1. */
  height: 0.46,
  focus: 9.9,
  aperture: 0.075,
};

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const SEEDS = 150;

/** Seed n stands at n golden angles, at a distance that grows with the root of n: no two rows ever line up. */
function sunflower(): Sphere[] {
  const spheres: Sphere[] = [];
  for (let n = 12; n < SEEDS; n++) {
    const distance = 0.485 * Math.sqrt(n + 0.5);
    const angle = n * GOLDEN_ANGLE + 0.35;
    const radius = 0.17 + 0.15 * lattice(n, 1) ** 2;
    const x = Math.cos(angle) * distance;
    const z = Math.sin(angle) * distance;
    if (Math.hypot(x, z) + radius > TERRACE.radius - 0.2) continue;
    if (lattice(n, 5) < 0.18) continue;
    spheres.push({ centre: [x, TERRACE.top + radius, z], radius, material: pick(n, distance / TERRACE.radius) });
  }
  return spheres;
}

function pick(n: number, rim: number): Material {
  const choice = lattice(n, 2);
  const shade = lattice(n, 3);
  if (choice < 0.2) return { kind: 'glass', colour: GLASSES[Math.floor(shade * GLASSES.length)] as Vector };
  if (choice < 0.42)
    return {
      kind: 'metal',
      colour: METALS[Math.floor(shade * METALS.length)] as Vector,
      roughness: 0.02 + 0.2 * lattice(n, 4) ** 2,
    };
  if (choice < 0.5) return { kind: 'lamp', colour: [3.6, 1.35, 0.32] };
  return { kind: 'glazed', colour: palette(0.1 + 0.25 * rim + 0.65 * shade) };
}

const METALS: readonly Vector[] = [
  [1.0, 0.78, 0.34], // gold
  [0.96, 0.64, 0.54], // copper
  [0.92, 0.93, 0.94], // silver
];

/** Transmission per unit of length inside. */
const GLASSES: readonly Vector[] = [
  [0.96, 0.98, 0.98],
  [0.45, 0.85, 0.9],
  [0.95, 0.62, 0.4],
  [0.9, 0.5, 0.62],
];

/** From deep teal over sea green and sand to coral, as t goes from 0 to 1. */
export function palette(t: number): Vector {
  const at = Math.min(Math.max(t, 0), 0.999) * (RAMP.length - 1);
  const i = Math.floor(at);
  const f = at - i;
  const a = RAMP[i] as Vector;
  const b = RAMP[i + 1] as Vector;
  return [a[0] + (b[0] - a[0]) * f, a[1] + (b[1] - a[1]) * f, a[2] + (b[2] - a[2]) * f];
}

const RAMP: readonly Vector[] = [
  [0.015, 0.09, 0.14],
  [0.03, 0.24, 0.26],
  [0.24, 0.42, 0.32],
  [0.8, 0.62, 0.34],
  [0.78, 0.2, 0.1],
  [0.42, 0.04, 0.06],
];

// Last, for it needs all of the above.
export const SPHERES: readonly Sphere[] = sunflower();
