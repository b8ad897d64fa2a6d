// Follows light backwards: from the eye through the scene, gathering what the sun, the lamps and the sky send along the way.
import { fresnel, GLASS_DENSITY, GLASS_INDEX, throughGlass } from './caustics.ts';
import { nextPair, pair } from './sampler.ts';
import { SPHERES, TERRACE } from './scene.ts';
import { noise, SUN, SUN_IRRADIANCE, SUN_RADIUS, sky } from './sky.ts';
import { BULB_SURFACE, blocked, closest, hit, LAKE, NOTHING, ray, TERRACE_SIDE, TERRACE_TOP } from './tracer.ts';

const BOUNCES = 9;
/** Light that has been scattered this often is left out: it is faint, and each further time costs as much as the first. */
const SCATTERINGS = 2;
/** What stands for that light: a share of the sky's. */
const AMBIENT = [0.13, 0.1, 0.12] as const;
/** Brightest light that one indirect sample may add: rarer, brighter finds would be white dots, not light. */
const CLAMP = 6;
/** Precision of the bulb's surface, in its own units: seen directly, and by light that has been scattered. */
const FINE = 0.0011;
const COARSE = 0.004;
/** How far off a surface the next ray starts: off the bulb, out of reach of its precision. */
const OFFSET = 2e-4;
const BULB_OFFSET = 2.5 * COARSE;

const LAMPS = SPHERES.flatMap((sphere, id) => (sphere.material.kind === 'lamp' ? [id] : []));

/** The result: red, green, blue. */
export const light = new Float64Array(3);
/** Normal and colour of the first surface that scattered the path, zeros if none did: what tells the pixels of one thing from another's. */
export const feature = new Float64Array(6);
const throughput = new Float64Array(3);
const colour = new Float64Array(3);
const scratch = new Float64Array(3);
const position = new Float64Array(3);
const normal = new Float64Array(3);
/** [1] if the last event was a mirror-like one: then what it meets has not been counted by sampling the lights. */
const flags = new Uint8Array(5);
const SHARP = 0;
const INDIRECT = 1;
const ON_BULB = 2;
const SCATTERED = 3;
/** A coat's mirror image of the sun is counted with the sunlight, where it costs no luck to be found. */
const SUN_COUNTED = 4;

/** Traces one path from `ray` and leaves the light that comes along it in `light`. */
export function trace(): void {
  light.fill(0);
  throughput.fill(1);
  flags[SHARP] = 1;
  flags[INDIRECT] = 0;
  flags[SCATTERED] = 0;
  feature.fill(0);
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

function gather(incoming: Float64Array): void {
  let brightest = 0;
  for (let c = 0; c < 3; c++) brightest = Math.max(brightest, (incoming[c] as number) * (throughput[c] as number));
  const scale = flags[INDIRECT] === 1 && brightest > CLAMP ? CLAMP / brightest : 1;
  for (let c = 0; c < 3; c++)
    light[c] = (light[c] as number) + (incoming[c] as number) * (throughput[c] as number) * scale;
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

/** Three numbers into a vector, without the array that `set` would need. */
function fill(vector: Float64Array, x: number, y: number, z: number): void {
  vector[0] = x;
  vector[1] = y;
  vector[2] = z;
}

function attenuate(r: number, g: number, b: number): void {
  throughput[0] = (throughput[0] as number) * r;
  throughput[1] = (throughput[1] as number) * g;
  throughput[2] = (throughput[2] as number) * b;
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
  const material = (SPHERES[surface] as (typeof SPHERES)[0]).material;
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

function cosineToEye(): number {
  return -(
    (ray[3] as number) * (normal[0] as number) +
    (ray[4] as number) * (normal[1] as number) +
    (ray[5] as number) * (normal[2] as number)
  );
}

/** A coloured ground under a clear coat: some light is reflected at the coat, the rest scatters below it. */
function coated(facing: number, roughness: number): boolean {
  const cosine = Math.abs(cosineToEye());
  const mirrored = facing === 0 ? 0 : facing + (1 - facing) * (1 - cosine) ** 5 * (1 - roughness);
  if (mirrored > 0) {
    nextPair();
    if ((pair[0] as number) < mirrored) {
      flags[SUN_COUNTED] = 1;
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
  cosineDirection(pair[0] as number, pair[1] as number);
  flags[SHARP] = 0;
  flags[INDIRECT] = 1;
  return true;
}

/** What `sunlight` needs for the sun's mirror image: how much the coat reflects, how sharply, and where the eye is. */
const highlight = new Float64Array(5);
const SHARPEST = 0.05;

function setHighlight(mirrored: number, roughness: number): void {
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

function reflect(roughness: number): boolean {
  const twice = 2 * cosineToEye();
  let x = (ray[3] as number) + twice * (normal[0] as number);
  let y = (ray[4] as number) + twice * (normal[1] as number);
  let z = (ray[5] as number) + twice * (normal[2] as number);
  if (roughness > 0) {
    nextPair();
    const radius = roughness * Math.sqrt(pair[0] as number);
    const angle = 2 * Math.PI * (pair[1] as number);
    // An arbitrary basis across (x, y, z), without a branch for the poles but one.
    const s = z >= 0 ? 1 : -1;
    const a = -1 / (s + z);
    const b = x * y * a;
    const u = radius * Math.cos(angle);
    const v = radius * Math.sin(angle);
    const tx = x;
    const ty = y;
    x += u * (1 + s * tx * tx * a) + v * b;
    y += u * s * b + v * (s + ty * ty * a);
    z += u * -s * tx + v * -ty;
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

/** Starts the next ray at `position`, a little to the side of the surface that `side` (1 outer, -1 inner) names. */
function leave(x: number, y: number, z: number, side: number): void {
  const offset = side * (flags[ON_BULB] ? BULB_OFFSET : OFFSET);
  ray[0] = (position[0] as number) + (normal[0] as number) * offset;
  ray[1] = (position[1] as number) + (normal[1] as number) * offset;
  ray[2] = (position[2] as number) + (normal[2] as number) * offset;
  ray[3] = x;
  ray[4] = y;
  ray[5] = z;
}

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
  const x = position[0] as number;
  const z = position[2] as number;
  const far = 1 / (1 + 0.004 * (x * x + z * z));
  const slopeX = (noise(x * 2.1 + 5, z * 5.2) + 0.5 * noise(x * 6.3, z * 13) - 0.75) * 0.05 * far;
  const slopeZ = (noise(x * 2.6, z * 5.7 + 9) + 0.5 * noise(x * 7.1, z * 14 + 3) - 0.75) * 0.085 * far;
  const length = Math.sqrt(1 + slopeX * slopeX + slopeZ * slopeZ);
  fill(normal, slopeX / length, 1 / length, slopeZ / length);
  const cosine = Math.max(cosineToEye(), 0.001);
  const mirrored = 0.02 + 0.98 * (1 - cosine) ** 5;
  fill(scratch, 0.006, 0.022, 0.034);
  attenuate(1 - mirrored, 1 - mirrored, 1 - mirrored);
  gather(scratch);
  const back = mirrored / (1 - mirrored);
  attenuate(back, back, back);
  return reflect(0);
}

/** Pale stone in rings, a dark joint between each and the next, and a bronze band near the rim. */
function stone(side: boolean): void {
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

function coral(): void {
  const deep = Math.sqrt(hit[4] as number);
  const flat = Math.sqrt(hit[5] as number);
  const height = Math.min(Math.max((deep - 0.55) * 2.2, 0), 1);
  const vein = Math.min(1, flat * 3.5);
  // Ivory on the crests, amber below, a teal patina in the creases where orbits stay near the equator.
  const r = 0.1 + 0.82 * (0.35 + 0.65 * height) * (0.25 + 0.75 * vein);
  const g = 0.16 + 0.62 * (0.12 + 0.88 * height) * (0.5 + 0.5 * vein);
  const b = 0.16 + 0.46 * height * height * (0.6 + 0.4 * vein);
  fill(colour, r, g, b);
}

/** Adds what comes straight from the sun, through glass where there is some, to `light`. */
function sunlight(): void {
  nextPair();
  const radius = SUN_RADIUS * Math.sqrt(pair[0] as number);
  const angle = 2 * Math.PI * (pair[1] as number);
  const u = radius * Math.cos(angle);
  const v = radius * Math.sin(angle);
  const sx = SUN[0] + u * SUN_RIGHT[0] + v * SUN_UP[0];
  const sy = SUN[1] + u * SUN_RIGHT[1] + v * SUN_UP[1];
  const sz = SUN[2] + u * SUN_RIGHT[2] + v * SUN_UP[2];
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

const SUN_RIGHT = [SUN[2] / Math.hypot(SUN[0], SUN[2]), 0, -SUN[0] / Math.hypot(SUN[0], SUN[2])] as const;
const SUN_UP = [SUN[1] * SUN_RIGHT[2], SUN[2] * SUN_RIGHT[0] - SUN[0] * SUN_RIGHT[2], -SUN[1] * SUN_RIGHT[0]] as const;

const weights = new Float64Array(LAMPS.length);
/** Below this the lamps are asked only now and then: seen directly, and by light that has been scattered. */
const LAMP_THRESHOLD = 0.02;
const LAMP_THRESHOLD_INDIRECT = 0.15;

/** Adds the light of one lamp, chosen the more often the more it may give here. */
function lamplight(): void {
  let sum = 0;
  for (let k = 0; k < LAMPS.length; k++) {
    const { centre, radius } = SPHERES[LAMPS[k] as number] as (typeof SPHERES)[0];
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
  const lamp = SPHERES[LAMPS[k] as number] as (typeof SPHERES)[0];
  shineFrom(lamp, left / (weights[k] as number), pair[1] as number, chance * Math.min(1, sum / threshold));
}

/** Samples the cone in which the lamp is seen, uniformly. */
function shineFrom(lamp: (typeof SPHERES)[0], u: number, v: number, chance: number): void {
  let x = lamp.centre[0] - (position[0] as number);
  let y = lamp.centre[1] - (position[1] as number);
  let z = lamp.centre[2] - (position[2] as number);
  const away = Math.sqrt(x * x + y * y + z * z);
  const narrow = Math.sqrt(Math.max(1 - (lamp.radius / away) ** 2, 0));
  const cosine = 1 - u * (1 - narrow);
  const sine = Math.sqrt(Math.max(1 - cosine * cosine, 0));
  x /= away;
  y /= away;
  z /= away;
  const s = z >= 0 ? 1 : -1;
  const a = -1 / (s + z);
  const b = x * y * a;
  const p = sine * Math.cos(2 * Math.PI * v);
  const q = sine * Math.sin(2 * Math.PI * v);
  const dx = x * cosine + p * (1 + s * x * x * a) + q * b;
  const dy = y * cosine + p * s * b + q * (s + y * y * a);
  const dz = z * cosine - p * s * x - q * y;
  const facing = dx * (normal[0] as number) + dy * (normal[1] as number) + dz * (normal[2] as number);
  if (facing <= 0) return;
  leave(dx, dy, dz, 1);
  if (blocked(away - lamp.radius * 1.02, COARSE)) return;
  const scale = (facing * 2 * (1 - narrow)) / chance;
  for (let c = 0; c < 3; c++) scratch[c] = (lamp.material.colour[c as 0] as number) * scale * 0.8;
  gather(scratch);
}

/** Aims `ray` at a direction around `normal`, with a density that falls off as the light's effect does. */
function cosineDirection(u: number, v: number): void {
  const radius = Math.sqrt(u);
  const p = radius * Math.cos(2 * Math.PI * v);
  const q = radius * Math.sin(2 * Math.PI * v);
  const up = Math.sqrt(1 - u);
  const x = normal[0] as number;
  const y = normal[1] as number;
  const z = normal[2] as number;
  const s = z >= 0 ? 1 : -1;
  const a = -1 / (s + z);
  const b = x * y * a;
  leave(
    p * (1 + s * x * x * a) + q * b + x * up,
    p * s * b + q * (s + y * y * a) + y * up,
    -p * s * x - q * y + z * up,
    1,
  );
}
