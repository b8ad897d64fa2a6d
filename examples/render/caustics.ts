// Where a glass ball sends the sunlight that falls on it. All balls have one shape and one index of refraction,
// so one table serves them all: how bright is it at `depth` radii behind the centre, `aside` radii from the axis.
// It is filled by sending parallel rays through a ball in two dimensions; the ring that a bundle of rays lands in gets its energy.
import { SPHERES, type Vector } from './scene.ts';

export const GLASS_INDEX = 1.5;
/** A glass colour is what passes through 1 / GLASS_DENSITY of a unit of length. */
export const GLASS_DENSITY = 4;

const DEPTH = 9; // radii behind the centre; farther off the light has spread to nothing
const ASIDE = 3; // radii from the axis
const DEPTH_BINS = 144;
const ASIDE_BINS = 144;
const RAYS = 1200;

const table = new Float32Array(DEPTH_BINS * ASIDE_BINS);
fill();

function fill(): void {
  for (let k = 0; k < RAYS; k++) {
    const b = (k + 0.5) / RAYS;
    const inside = Math.asin(b / GLASS_INDEX);
    const bend = Math.asin(b) - inside;
    const chord = 2 * Math.cos(inside);
    const exitDepth = -Math.sqrt(1 - b * b) + chord * Math.cos(bend);
    const exitAside = b - chord * Math.sin(bend);
    const slope = Math.tan(2 * bend);
    const passed = (1 - fresnel(Math.sqrt(1 - b * b), 1 / GLASS_INDEX)) ** 2;
    const energy = (2 * b * passed) / RAYS;
    for (let row = 0; row < DEPTH_BINS; row++) {
      const depth = ((row + 0.5) / DEPTH_BINS) * DEPTH;
      if (depth < exitDepth) continue;
      const aside = Math.abs(exitAside - slope * (depth - exitDepth));
      const bin = Math.floor((aside / ASIDE) * ASIDE_BINS);
      if (bin >= ASIDE_BINS) continue;
      const inner = (bin / ASIDE_BINS) * ASIDE;
      const outer = ((bin + 1) / ASIDE_BINS) * ASIDE;
      const cell = row * ASIDE_BINS + bin;
      table[cell] = (table[cell] as number) + energy / (outer * outer - inner * inner);
    }
  }
}

/** Brightness relative to open sunlight behind a ball, `depth` and `aside` in radii. */
export function focus(depth: number, aside: number): number {
  if (depth <= 0 || depth >= DEPTH || aside >= ASIDE) return 0;
  const row = (depth / DEPTH) * DEPTH_BINS - 0.5;
  const column = (aside / ASIDE) * ASIDE_BINS - 0.5;
  const r0 = Math.max(Math.floor(row), 0);
  const c0 = Math.max(Math.floor(column), 0);
  const r1 = Math.min(r0 + 1, DEPTH_BINS - 1);
  const c1 = Math.min(c0 + 1, ASIDE_BINS - 1);
  const fr = Math.min(Math.max(row - r0, 0), 1);
  const fc = Math.min(Math.max(column - c0, 0), 1);
  const near = (table[r0 * ASIDE_BINS + c0] as number) * (1 - fc) + (table[r0 * ASIDE_BINS + c1] as number) * fc;
  const far = (table[r1 * ASIDE_BINS + c0] as number) * (1 - fc) + (table[r1 * ASIDE_BINS + c1] as number) * fc;
  return near * (1 - fr) + far * fr;
}

/** The share of unpolarised light that is reflected; `ratio` is the index on the ray's side over that beyond. */
export function fresnel(cosine: number, ratio: number): number {
  const sine2 = ratio * ratio * (1 - cosine * cosine);
  if (sine2 >= 1) return 1;
  const beyond = Math.sqrt(1 - sine2);
  const s = (ratio * cosine - beyond) / (ratio * cosine + beyond);
  const p = (cosine - ratio * beyond) / (cosine + ratio * beyond);
  return (s * s + p * p) / 2;
}

interface Ball {
  readonly centre: Vector;
  readonly radius: number;
  readonly tint: Vector;
}

const balls: Ball[] = SPHERES.flatMap((sphere) => {
  if (sphere.material.kind !== 'glass') return [];
  const [r, g, b] = sphere.material.colour;
  const through = 1.7 * sphere.radius * GLASS_DENSITY;
  return [{ centre: sphere.centre, radius: sphere.radius, tint: [r ** through, g ** through, b ** through] as const }];
});

/** What the glass balls leave or make of sunlight that would reach (x, y, z) from direction `sun`, into `out` for red, green, blue. */
export function throughGlass(
  x: number,
  y: number,
  z: number,
  sx: number,
  sy: number,
  sz: number,
  out: Float64Array,
): void {
  let open = 1;
  out[0] = 0;
  out[1] = 0;
  out[2] = 0;
  for (const ball of balls) {
    const px = ball.centre[0] - x;
    const py = ball.centre[1] - y;
    const pz = ball.centre[2] - z;
    const along = px * sx + py * sy + pz * sz;
    if (along <= 0 || along > DEPTH * ball.radius) continue;
    const aside = Math.sqrt(Math.max(px * px + py * py + pz * pz - along * along, 0)) / ball.radius;
    if (aside >= ASIDE) continue;
    if (aside < 1) open = 0;
    const light = focus(along / ball.radius, aside);
    out[0] += light * ball.tint[0];
    out[1] += light * ball.tint[1];
    out[2] += light * ball.tint[2];
  }
  out[0] += open;
  out[1] += open;
  out[2] += open;
}
