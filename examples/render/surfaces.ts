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

/** Ivory on the bulb's crests, amber below, a teal patina in the creases where orbits stay near the equator. */
export function coral(): void {
  const deep = Math.sqrt(hit[4] as number);
  const flat = Math.sqrt(hit[5] as number);
  const height = Math.min(Math.max((deep - 0.55) * 2.2, 0), 1);
  const vein = Math.min(1, flat * 3.5);
  const r = 0.1 + 0.82 * (0.35 + 0.65 * height) * (0.25 + 0.75 * vein);
  const g = 0.16 + 0.62 * (0.12 + 0.88 * height) * (0.5 + 0.5 * vein);
  const b = 0.16 + 0.46 * height * height * (0.6 + 0.4 * vein);
  fill(colour, r, g, b);
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
