// Which surface a ray meets first. Everything lies in flat typed arrays, built once when the module loads;
// the innermost loops allocate nothing.
import { BULB_BOUND, distance, step, trap } from './fractal.ts';
import { BULB, LAKE_LEVEL, SPHERES, TERRACE } from './scene.ts';

/** Surfaces are numbered: the spheres from 0, then these, and NOTHING for the sky. */
export const NOTHING = -1;
export const TERRACE_TOP = SPHERES.length;
export const TERRACE_SIDE = SPHERES.length + 1;
export const LAKE = SPHERES.length + 2;
export const BULB_SURFACE = SPHERES.length + 3;

/** A ray: origin x y z, direction x y z (of length 1). */
export const ray = new Float64Array(6);
/** Where `closest` ended: distance, normal x y z, and for the bulb its two orbit traps. */
export const hit = new Float64Array(6);

const FAR = 1e9;
const LEAF = 2;
const SPLIT_X = -1;
const SPLIT_Z = -2;

const spheres = new Float64Array(SPHERES.length * 4); // centre x y z, radius
const order: number[] = SPHERES.map((_, i) => i);
const bounds: number[] = []; // six a node: low x y z, high x y z
const links: number[] = []; // two a node: first child or first in `order`; count, or the axis that an inner node is split on
for (const [i, sphere] of SPHERES.entries()) spheres.set([...sphere.centre, sphere.radius], i * 4);
build(0, SPHERES.length, reserveNode());
const nodeBounds = Float64Array.from(bounds);
const nodeLinks = Int32Array.from(links);
const leafOrder = Int32Array.from(order);
const isGlass = Uint8Array.from(SPHERES, (sphere) => (sphere.material.kind === 'glass' ? 1 : 0));

function reserveNode(): number {
  bounds.push(0, 0, 0, 0, 0, 0);
  links.push(0, 0);
  return links.length / 2 - 1;
}

/** Splits spheres `from..to` of `order` at the median of the longer ground axis, until few are left. */
function build(from: number, to: number, node: number): void {
  const low = [FAR, FAR, FAR];
  const high = [-FAR, -FAR, -FAR];
  for (let k = from; k < to; k++) {
    const at = (order[k] as number) * 4;
    const radius = spheres[at + 3] as number;
    for (let axis = 0; axis < 3; axis++) {
      const c = spheres[at + axis] as number;
      low[axis] = Math.min(low[axis] as number, c - radius);
      high[axis] = Math.max(high[axis] as number, c + radius);
    }
  }
  bounds.splice(node * 6, 6, ...low, ...high);
  if (to - from <= LEAF) {
    links.splice(node * 2, 2, from, to - from);
    return;
  }
  const axis = (high[0] as number) - (low[0] as number) > (high[2] as number) - (low[2] as number) ? 0 : 2;
  const sorted = order
    .slice(from, to)
    .sort((a, b) => (spheres[a * 4 + axis] as number) - (spheres[b * 4 + axis] as number));
  order.splice(from, to - from, ...sorted);
  const middle = (from + to) >> 1;
  const left = reserveNode();
  const right = reserveNode();
  links.splice(node * 2, 2, left, axis === 0 ? SPLIT_X : SPLIT_Z);
  build(from, middle, left);
  build(middle, to, right);
}

const stack = new Int32Array(64);

/** Distance to the nearest sphere closer than `limit`, its number in `found`; `opaqueOnly` stops at the first that is no glass. */
const found = new Int32Array(1);
function meetSpheres(limit: number, opaqueOnly: boolean): number {
  const ox = ray[0] as number;
  const oy = ray[1] as number;
  const oz = ray[2] as number;
  const dx = ray[3] as number;
  const dy = ray[4] as number;
  const dz = ray[5] as number;
  const ix = 1 / dx;
  const iy = 1 / dy;
  const iz = 1 / dz;
  let best = limit;
  let depth = 1;
  stack[0] = 0;
  while (depth > 0) {
    const node = stack[--depth] as number;
    const b = node * 6;
    const x1 = ((nodeBounds[b] as number) - ox) * ix;
    const x2 = ((nodeBounds[b + 3] as number) - ox) * ix;
    const y1 = ((nodeBounds[b + 1] as number) - oy) * iy;
    const y2 = ((nodeBounds[b + 4] as number) - oy) * iy;
    const z1 = ((nodeBounds[b + 2] as number) - oz) * iz;
    const z2 = ((nodeBounds[b + 5] as number) - oz) * iz;
    const enter = Math.max(Math.min(x1, x2), Math.min(y1, y2), Math.min(z1, z2));
    const leave = Math.min(Math.max(x1, x2), Math.max(y1, y2), Math.max(z1, z2));
    if (leave < enter || leave < 0 || enter > best) continue;
    const first = nodeLinks[node * 2] as number;
    const count = nodeLinks[node * 2 + 1] as number;
    if (count < 0) {
      // The nearer child is looked at first, hence pushed last.
      const forward = (count === SPLIT_X ? dx : dz) > 0;
      stack[depth++] = forward ? first + 1 : first;
      stack[depth++] = forward ? first : first + 1;
      continue;
    }
    for (let k = first; k < first + count; k++) {
      const id = leafOrder[k] as number;
      if (opaqueOnly && isGlass[id] === 1) continue;
      const s = id * 4;
      const px = ox - (spheres[s] as number);
      const py = oy - (spheres[s + 1] as number);
      const pz = oz - (spheres[s + 2] as number);
      const radius = spheres[s + 3] as number;
      const half = px * dx + py * dy + pz * dz;
      // The squared distance of the centre from the line, rather than b² - c: it keeps its digits far away.
      const qx = px - half * dx;
      const qy = py - half * dy;
      const qz = pz - half * dz;
      const under = radius * radius - (qx * qx + qy * qy + qz * qz);
      if (under <= 0) continue;
      const root = Math.sqrt(under);
      let t = -half - root;
      if (t < 1e-6) t = -half + root;
      if (t < 1e-6 || t >= best) continue;
      best = t;
      found[0] = id;
      if (opaqueOnly) return t;
    }
  }
  return best;
}

const TILT = 0.5;
const TURN = 0.35;
const ct = Math.cos(TILT);
const st = Math.sin(TILT);
const cy = Math.cos(TURN);
const sy = Math.sin(TURN);

/** Distance along the ray to the bulb, or FAR. `precision` is in units of the bulb. */
function meetBulb(limit: number, precision: number): number {
  const inverse = 1 / BULB.scale;
  const wx = ((ray[0] as number) - BULB.centre[0]) * inverse;
  const wy = ((ray[1] as number) - BULB.centre[1]) * inverse;
  const wz = ((ray[2] as number) - BULB.centre[2]) * inverse;
  const b = wx * (ray[3] as number) + wy * (ray[4] as number) + wz * (ray[5] as number);
  const under = b * b - (wx * wx + wy * wy + wz * wz) + BULB_BOUND * BULB_BOUND;
  if (under <= 0) return FAR;
  const root = Math.sqrt(under);
  const end = Math.min(-b + root, limit * inverse);
  let t = Math.max(-b - root, 0);
  if (end <= t) return FAR;
  // The ray in the bulb's own frame: turned about the vertical, then tilted towards the viewer.
  const hx = cy * wx - sy * wz;
  const hz = sy * wx + cy * wz;
  const ex = cy * (ray[3] as number) - sy * (ray[5] as number);
  const ez = sy * (ray[3] as number) + cy * (ray[5] as number);
  const oy = ct * wy - st * hz;
  const oz = st * wy + ct * hz;
  const dy = ct * (ray[4] as number) - st * ez;
  const dz = st * (ray[4] as number) + ct * ez;
  for (let count = 0; count < 160; count++) {
    const d = step(hx + ex * t, oy + dy * t, oz + dz * t);
    if (d < precision) return t * BULB.scale;
    t += d;
    if (t > end) return FAR;
  }
  return t * BULB.scale;
}

/** The bulb's distance at a world point, in world units; fills the orbit traps. */
function bulbDistance(x: number, y: number, z: number): number {
  const inverse = 1 / BULB.scale;
  const wx = (x - BULB.centre[0]) * inverse;
  const wy = (y - BULB.centre[1]) * inverse;
  const wz = (z - BULB.centre[2]) * inverse;
  const hz = sy * wx + cy * wz;
  return distance(cy * wx - sy * wz, ct * wy - st * hz, st * wy + ct * hz) * BULB.scale;
}

/** Four samples at the corners of a tetrahedron give the gradient, and thereby the normal. */
function bulbNormal(x: number, y: number, z: number, h: number): void {
  const a = bulbDistance(x + h, y - h, z - h);
  const b = bulbDistance(x - h, y - h, z + h);
  const c = bulbDistance(x - h, y + h, z - h);
  const d = bulbDistance(x + h, y + h, z + h);
  const nx = a - b - c + d;
  const ny = -a - b + c + d;
  const nz = -a + b - c + d;
  const length = Math.hypot(nx, ny, nz) + 1e-30;
  hit[1] = nx / length;
  hit[2] = ny / length;
  hit[3] = nz / length;
}

/** Finds the first surface along `ray`; its distance and normal are in `hit`. `precision` applies to the bulb. */
export function closest(precision: number): number {
  const oy = ray[1] as number;
  const dy = ray[4] as number;
  let surface = NOTHING;
  let best = FAR;
  const top = (TERRACE.top - oy) / dy;
  if (top > 1e-6 && insideTerrace(top)) {
    best = top;
    surface = TERRACE_TOP;
  }
  const side = surface === NOTHING ? meetTerraceSide() : FAR;
  if (side < best) {
    best = side;
    surface = TERRACE_SIDE;
  }
  const lake = (LAKE_LEVEL - oy) / dy;
  if (lake > 1e-6 && lake < best) {
    best = lake;
    surface = LAKE;
  }
  const nearest = meetSpheres(best, false);
  if (nearest < best) {
    best = nearest;
    surface = found[0] as number;
  }
  const bulb = meetBulb(best, precision);
  if (bulb < best) {
    best = bulb;
    surface = BULB_SURFACE;
  }
  hit[0] = best;
  if (surface !== NOTHING) setNormal(surface, best, precision);
  return surface;
}

function insideTerrace(t: number): boolean {
  const x = (ray[0] as number) + (ray[3] as number) * t;
  const z = (ray[2] as number) + (ray[5] as number) * t;
  return x * x + z * z < TERRACE.radius * TERRACE.radius;
}

function meetTerraceSide(): number {
  const ox = ray[0] as number;
  const oz = ray[2] as number;
  const dx = ray[3] as number;
  const dz = ray[5] as number;
  const a = dx * dx + dz * dz;
  const b = ox * dx + oz * dz;
  const under = b * b - a * (ox * ox + oz * oz - TERRACE.radius * TERRACE.radius);
  if (under <= 0 || a === 0) return FAR;
  const t = (-b - Math.sqrt(under)) / a;
  const y = (ray[1] as number) + (ray[4] as number) * t;
  return t > 1e-6 && y < TERRACE.top && y > TERRACE.top - TERRACE.thickness ? t : FAR;
}

function setNormal(surface: number, t: number, precision: number): void {
  const x = (ray[0] as number) + (ray[3] as number) * t;
  const y = (ray[1] as number) + (ray[4] as number) * t;
  const z = (ray[2] as number) + (ray[5] as number) * t;
  if (surface < SPHERES.length) {
    const s = surface * 4;
    const inverse = 1 / (spheres[s + 3] as number);
    hit[1] = (x - (spheres[s] as number)) * inverse;
    hit[2] = (y - (spheres[s + 1] as number)) * inverse;
    hit[3] = (z - (spheres[s + 2] as number)) * inverse;
  } else if (surface === BULB_SURFACE) {
    bulbDistance(x, y, z);
    hit[4] = trap[0] as number;
    hit[5] = trap[1] as number;
    bulbNormal(x, y, z, precision * BULB.scale);
  } else if (surface === TERRACE_SIDE) {
    hit[1] = x / TERRACE.radius;
    hit[2] = 0;
    hit[3] = z / TERRACE.radius;
  } else {
    hit[1] = 0;
    hit[2] = 1;
    hit[3] = 0;
  }
}

/** Whether something opaque stands in `ray` before `limit`. Glass lets light through; what it bends is in caustics.ts. */
export function blocked(limit: number, precision: number): boolean {
  return meetSpheres(limit, true) < limit || meetBulb(limit, precision) < limit;
}
