// How the surfaces look close by: colours and small waves, functions of the place alone.
import { TERRACE } from './scene.ts';
import { noise } from './sky.ts';
import { hit } from './tracer.ts';
import { colour, fill, normal, position } from './walk.ts';

/** Pale stone in rings, a dark joint between each and the next, and a bronze band near the rim. */
export function stone(side: boolean): void {
  const x = position[0] as number;
  const z = position[2] as number;
  const radius = Math.sqrt(x * x + z * z);
  const grain = 0.75 * noise(x * 3.1, z * 3.1) + 0.25 * noise(x * 23, z * 23);
  const tone = 0.36 + 0.16 * grain;
  fill(colour, tone, tone * 0.93, tone * 0.84);
  if (side) return;
  const rim = TERRACE.radius - radius;
  const joint = Math.abs(((radius + 0.4) % 0.8) - 0.4);
  if (rim < 0.16) fill(colour, 0.12, 0.1, 0.09);
  else if (joint < 0.014 || radius < 0.8) fill(colour, 0.07, 0.065, 0.06);
}

/** The bulb: teal patina in the belts where orbits stay near the equator, coral beyond, ivory on the crests. */
export function coral(): void {
  const deep = Math.sqrt(hit[4] as number);
  const flat = Math.sqrt(hit[5] as number);
  const crest = smoothStep(0.18, 0.5, flat);
  const belt = 1 - smoothStep(0.03, 0.16, flat);
  const open = 0.35 + 0.65 * smoothStep(0.45, 1, deep);
  mix(CORAL, IVORY, crest);
  mix(colour, PATINA, belt);
  fill(colour, (colour[0] as number) * open, (colour[1] as number) * open, (colour[2] as number) * open);
}

const CORAL = [0.82, 0.36, 0.2] as const;
const IVORY = [0.93, 0.84, 0.66] as const;
const PATINA = [0.07, 0.36, 0.36] as const;

/** Sets `colour` between two colours. */
function mix(from: ArrayLike<number>, to: ArrayLike<number>, share: number): void {
  for (let c = 0; c < 3; c++) colour[c] = (from[c] as number) + ((to[c] as number) - (from[c] as number)) * share;
}

function smoothStep(low: number, high: number, value: number): number {
  const t = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}

/** Bends `normal` as the small waves of the lake do, less and less with distance, where one could not tell them apart. */
export function waves(): void {
  const x = position[0] as number;
  const z = position[2] as number;
  const far = 1 / (1 + 0.004 * (x * x + z * z));
  const slopeX = (noise(x * 2.1 + 5, z * 5.2) + 0.5 * noise(x * 6.3, z * 13) - 0.75) * 0.05 * far;
  const slopeZ = (noise(x * 2.6, z * 5.7 + 9) + 0.5 * noise(x * 7.1, z * 14 + 3) - 0.75) * 0.085 * far;
  const length = Math.sqrt(1 + slopeX * slopeX + slopeZ * slopeZ);
  fill(normal, slopeX / length, 1 / length, slopeZ / length);
}
