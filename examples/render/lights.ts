// Light that comes straight from the sun or a lamp to where a path is scattered. Asking the lights costs one shadow ray
// each; waiting for paths to find them by chance would take thousands.
import { throughGlass } from './caustics.ts';
import { nextPair, pair } from './sampler.ts';
import { SPHERES, type Sphere } from './scene.ts';
import { SUN, SUN_IRRADIANCE, SUN_RADIUS } from './sky.ts';
import { blocked, ray } from './tracer.ts';
import {
  around,
  bent,
  COARSE,
  colour,
  FINE,
  flags,
  gather,
  INDIRECT,
  leave,
  normal,
  position,
  SCATTERED,
  scratch,
} from './walk.ts';

/** What `sunlight` needs for the sun's mirror image: how much the coat reflects, how sharply, and where the eye is. */
const highlight = new Float64Array(5);
const SHARPEST = 0.05;

/** Remembers how the coat at `position` mirrors, before `sunlight` is called. */
export function setHighlight(mirrored: number, roughness: number): void {
  highlight[0] = mirrored;
  highlight[1] = 2 / Math.max(roughness, SHARPEST) ** 2;
  for (let axis = 0; axis < 3; axis++) highlight[2 + axis] = -(ray[axis + 3] as number);
}

/** The coat's mirror image of the sun, relative to the light that falls on the surface (Blinn's half vector, normalised). */
function highlightOf(sx: number, sy: number, sz: number): number {
  const hx = sx + (highlight[2] as number);
  const hy = sy + (highlight[3] as number);
  const hz = sz + (highlight[4] as number);
  const cosine =
    (hx * (normal[0] as number) + hy * (normal[1] as number) + hz * (normal[2] as number)) / Math.hypot(hx, hy, hz);
  const sharpness = highlight[1] as number;
  return cosine <= 0.8 ? 0 : ((highlight[0] as number) * (sharpness + 8) * cosine ** sharpness) / 8;
}

/** Adds what comes straight from the sun, through glass where there is some, to `light`. */
export function sunlight(): void {
  nextPair();
  const radius = SUN_RADIUS * Math.sqrt(pair[0] as number);
  const angle = 2 * Math.PI * (pair[1] as number);
  around(SUN[0], SUN[1], SUN[2], radius * Math.cos(angle), radius * Math.sin(angle), 1);
  const sx = bent[0] as number;
  const sy = bent[1] as number;
  const sz = bent[2] as number;
  const cosine = sx * (normal[0] as number) + sy * (normal[1] as number) + sz * (normal[2] as number);
  if (cosine <= 0) return;
  leave(sx, sy, sz, 1);
  if (blocked(1e9, flags[INDIRECT] ? COARSE : FINE)) return;
  const mirrored = flags[SCATTERED] === 0 ? highlightOf(sx, sy, sz) : 0;
  throughGlass(position[0] as number, position[1] as number, position[2] as number, sx, sy, sz, scratch);
  for (let c = 0; c < 3; c++) {
    const arriving = ((scratch[c] as number) * cosine * (SUN_IRRADIANCE[c as 0] as number)) / Math.PI;
    // `gather` takes the surface's colour into account, which the coat's mirror image does not have.
    scratch[c] = arriving * (1 + mirrored / Math.max(colour[c] as number, 0.02));
  }
  gather(scratch);
}

const LAMPS = SPHERES.filter((sphere) => sphere.material.kind === 'lamp');
const weights = new Float64Array(LAMPS.length);
/** Below this the lamps are asked only now and then: seen directly, and by light that has been scattered. */
const LAMP_THRESHOLD = 0.02;
const LAMP_THRESHOLD_INDIRECT = 0.15;

/** Adds the light of one lamp, chosen the more often the more it may give here. */
export function lamplight(): void {
  let sum = 0;
  for (let k = 0; k < LAMPS.length; k++) {
    const { centre, radius } = LAMPS[k] as Sphere;
    const x = centre[0] - (position[0] as number);
    const y = centre[1] - (position[1] as number);
    const z = centre[2] - (position[2] as number);
    const squared = x * x + y * y + z * z;
    const towards = x * (normal[0] as number) + y * (normal[1] as number) + z * (normal[2] as number);
    const weight = towards > -radius ? (radius * radius) / squared : 0;
    weights[k] = weight;
    sum += weight;
  }
  const threshold = flags[INDIRECT] ? LAMP_THRESHOLD_INDIRECT : LAMP_THRESHOLD;
  if (sum < threshold) {
    // Far from all lamps few samples are enough; those few count for the others.
    nextPair();
    if ((pair[0] as number) * threshold >= sum) return;
  }
  nextPair();
  let left = (pair[0] as number) * sum;
  let k = 0;
  while (k < LAMPS.length - 1 && left >= (weights[k] as number)) left -= weights[k++] as number;
  const chance = (weights[k] as number) / sum;
  if (chance <= 0) return;
  const lamp = LAMPS[k] as Sphere;
  shineFrom(lamp, left / (weights[k] as number), pair[1] as number, chance * Math.min(1, sum / threshold));
}

/** Samples the cone in which the lamp is seen, uniformly. */
function shineFrom(lamp: Sphere, u: number, v: number, chance: number): void {
  const x = lamp.centre[0] - (position[0] as number);
  const y = lamp.centre[1] - (position[1] as number);
  const z = lamp.centre[2] - (position[2] as number);
  const away = Math.sqrt(x * x + y * y + z * z);
  const narrow = Math.sqrt(Math.max(1 - (lamp.radius / away) ** 2, 0));
  const cosine = 1 - u * (1 - narrow);
  const sine = Math.sqrt(Math.max(1 - cosine * cosine, 0));
  const angle = 2 * Math.PI * v;
  around(x / away, y / away, z / away, sine * Math.cos(angle), sine * Math.sin(angle), cosine);
  const dx = bent[0] as number;
  const dy = bent[1] as number;
  const dz = bent[2] as number;
  const facing = dx * (normal[0] as number) + dy * (normal[1] as number) + dz * (normal[2] as number);
  if (facing <= 0) return;
  leave(dx, dy, dz, 1);
  if (blocked(away - lamp.radius * 1.02, COARSE)) return;
  const scale = (facing * 2 * (1 - narrow)) / chance;
  for (let c = 0; c < 3; c++) scratch[c] = (lamp.material.colour[c as 0] as number) * scale * 0.8;
  gather(scratch);
}
