// Follows light backwards: from the eye through the scene, gathering what the sun, the lamps and the sky send along the way.
import { fresnel, GLASS_DENSITY, GLASS_INDEX } from './caustics.ts';
import { lamplight, setHighlight, sunlight } from './lights.ts';
import { nextPair, pair } from './sampler.ts';
import { SPHERES, type Sphere } from './scene.ts';
import { sky } from './sky.ts';
import { coral, stone, waves } from './surfaces.ts';
import { BULB_SURFACE, closest, hit, LAKE, NOTHING, ray, TERRACE_SIDE, TERRACE_TOP } from './tracer.ts';
import {
  around,
  attenuate,
  beginWalk,
  bent,
  COARSE,
  colour,
  cosineToEye,
  FINE,
  feature,
  fill,
  flags,
  gather,
  INDIRECT,
  LUCKY,
  leave,
  normal,
  ON_BULB,
  position,
  SCATTERED,
  SHARP,
  SUN_COUNTED,
  scratch,
  throughput,
} from './walk.ts';

const BOUNCES = 9;
/** Light that has been scattered this often is left out: it is faint, and each further time costs as much as the first. */
const SCATTERINGS = 2;
/** What stands for that light: a share of the sky's. */
const AMBIENT = [0.13, 0.1, 0.12] as const;

/** Traces one path from `ray` and leaves the light that comes along it in `light`. */
export function trace(): void {
  beginWalk();
  for (let bounce = 0; bounce < BOUNCES; bounce++) {
    const surface = closest(flags[INDIRECT] ? COARSE : FINE);
    if (surface === NOTHING) {
      sky(
        ray[3] as number,
        ray[4] as number,
        ray[5] as number,
        flags[SHARP] === 1 && flags[SUN_COUNTED] === 0,
        scratch,
      );
      gather(scratch);
      return;
    }
    for (let axis = 0; axis < 3; axis++) {
      position[axis] = (ray[axis] as number) + (ray[axis + 3] as number) * (hit[0] as number);
      normal[axis] = hit[axis + 1] as number;
    }
    flags[SUN_COUNTED] = 0;
    flags[ON_BULB] = surface === BULB_SURFACE ? 1 : 0;
    if (!scatter(surface)) return;
    if (bounce > 1 && !survives()) return;
  }
}

/** Ends weak paths at random and strengthens the survivors by as much, which is right on average. */
function survives(): boolean {
  const strength = Math.max(throughput[0] as number, throughput[1] as number, throughput[2] as number);
  if (strength > 0.9) return true;
  nextPair();
  const chance = Math.max(strength, 0.05);
  if ((pair[0] as number) >= chance) return false;
  attenuate(1 / chance, 1 / chance, 1 / chance);
  return true;
}

/** Lets the path go on from `position`, or returns false where it ends. */
function scatter(surface: number): boolean {
  if (surface === LAKE) return ripple();
  if (surface === TERRACE_TOP || surface === TERRACE_SIDE) {
    stone(surface === TERRACE_SIDE);
    return coated(0.04, 0.06);
  }
  if (surface === BULB_SURFACE) {
    coral();
    return coated(0.04, 0.25);
  }
  const material = (SPHERES[surface] as Sphere).material;
  const [r, g, b] = material.colour;
  switch (material.kind) {
    case 'lamp':
      if (flags[SHARP]) {
        // A lamp's shell is a little brighter where it is seen face on.
        const facing = 0.45 + 0.55 * Math.abs(cosineToEye());
        fill(scratch, r * facing, g * facing, b * facing);
        gather(scratch);
      }
      return false;
    case 'metal':
      attenuate(r, g, b);
      return reflect(material.roughness);
    case 'glass':
      return refract(r, g, b);
    case 'matte':
      fill(colour, r, g, b);
      return coated(0, 0);
    case 'glazed':
      fill(colour, r, g, b);
      return coated(0.045, 0);
  }
}

/** A coloured ground under a clear coat: some light is reflected at the coat, the rest scatters below it. */
function coated(facing: number, roughness: number): boolean {
  const cosine = Math.abs(cosineToEye());
  const mirrored = facing === 0 ? 0 : facing + (1 - facing) * (1 - cosine) ** 5 * (1 - roughness);
  if (mirrored > 0) {
    nextPair();
    if ((pair[0] as number) < mirrored) {
      flags[SUN_COUNTED] = 1;
      flags[LUCKY] = 1;
      return reflect(roughness);
    }
  }
  setHighlight(mirrored, roughness);
  attenuate(colour[0] as number, colour[1] as number, colour[2] as number);
  if (flags[SCATTERED] === 0) {
    for (let axis = 0; axis < 3; axis++) {
      feature[axis] = normal[axis] as number;
      feature[axis + 3] = colour[axis] as number;
    }
  }
  sunlight();
  lamplight();
  flags[SCATTERED] = (flags[SCATTERED] as number) + 1;
  if (flags[SCATTERED] === SCATTERINGS) {
    fill(scratch, AMBIENT[0], AMBIENT[1], AMBIENT[2]);
    gather(scratch);
    return false;
  }
  nextPair();
  // More often steeply than flat along the surface, as the light's effect is.
  const radius = Math.sqrt(pair[0] as number);
  const angle = 2 * Math.PI * (pair[1] as number);
  const along = Math.sqrt(1 - (pair[0] as number));
  around(
    normal[0] as number,
    normal[1] as number,
    normal[2] as number,
    radius * Math.cos(angle),
    radius * Math.sin(angle),
    along,
  );
  leave(bent[0] as number, bent[1] as number, bent[2] as number, 1);
  flags[SHARP] = 0;
  flags[INDIRECT] = 1;
  return true;
}

/** Sends the path on as a mirror does, or, if rough, into a cone about that direction. */
function reflect(roughness: number): boolean {
  const twice = 2 * cosineToEye();
  let x = (ray[3] as number) + twice * (normal[0] as number);
  let y = (ray[4] as number) + twice * (normal[1] as number);
  let z = (ray[5] as number) + twice * (normal[2] as number);
  if (roughness > 0) {
    nextPair();
    const radius = roughness * Math.sqrt(pair[0] as number);
    const angle = 2 * Math.PI * (pair[1] as number);
    around(x, y, z, radius * Math.cos(angle), radius * Math.sin(angle), 1);
    x = bent[0] as number;
    y = bent[1] as number;
    z = bent[2] as number;
    const length = Math.sqrt(x * x + y * y + z * z);
    x /= length;
    y /= length;
    z /= length;
    if (x * (normal[0] as number) + y * (normal[1] as number) + z * (normal[2] as number) <= 0) return false;
    if (roughness > 0.15) flags[INDIRECT] = 1;
  }
  flags[SHARP] = 1;
  leave(x, y, z, 1);
  return true;
}

/** Through the surface of glass or back from it, by chance, as often as the light would divide. */
function refract(r: number, g: number, b: number): boolean {
  let cosine = cosineToEye();
  let side = 1;
  if (cosine < 0) {
    // Inside, on the way out: what the glass has taken on the way depends on its length.
    const length = (hit[0] as number) * GLASS_DENSITY;
    attenuate(r ** length, g ** length, b ** length);
    cosine = -cosine;
    side = -1;
  }
  const ratio = side > 0 ? 1 / GLASS_INDEX : GLASS_INDEX;
  nextPair();
  flags[SHARP] = 1;
  if ((pair[0] as number) < fresnel(cosine, ratio)) {
    const twice = 2 * cosine * side;
    leave(
      (ray[3] as number) + twice * (normal[0] as number),
      (ray[4] as number) + twice * (normal[1] as number),
      (ray[5] as number) + twice * (normal[2] as number),
      side,
    );
    return true;
  }
  const beyond = Math.sqrt(1 - ratio * ratio * (1 - cosine * cosine));
  const n = (ratio * cosine - beyond) * side;
  leave(
    ratio * (ray[3] as number) + n * (normal[0] as number),
    ratio * (ray[4] as number) + n * (normal[1] as number),
    ratio * (ray[5] as number) + n * (normal[2] as number),
    -side,
  );
  return true;
}

/** The lake: a mirror that small waves bend, over dark water. */
function ripple(): boolean {
  waves();
  const cosine = Math.max(cosineToEye(), 0.001);
  const mirrored = 0.02 + 0.98 * (1 - cosine) ** 5;
  fill(scratch, 0.006, 0.022, 0.034);
  attenuate(1 - mirrored, 1 - mirrored, 1 - mirrored);
  gather(scratch);
  const back = mirrored / (1 - mirrored);
  attenuate(back, back, back);
  return reflect(0);
}
