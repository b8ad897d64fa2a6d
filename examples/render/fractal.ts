// The Mandelbulb of power 8: the set of points c of space whose orbit z -> z^8 + c stays bounded,
// where "z^8" raises the distance from the origin to the eighth power and multiplies both angles by eight.

/** Nothing of the bulb lies further from its centre than this. */
export const BULB_BOUND = 1.2;

const ITERATIONS = 6;
const ESCAPE = 4;

/** How close the orbit of the last `distance` call came to the origin, and to the equator's plane: it colours the surface. */
export const trap = new Float64Array(2);

/**
 * A lower bound of the distance to the bulb (negative or zero inside), in units of the bulb.
 *
 * Angles are never computed. Multiplying an angle by eight is squaring a unit complex number three times, so the azimuth
 * is the complex number (u, v), and elevation and radius together are the complex number (p, q) of length r.
 */
export function distance(cx: number, cy: number, cz: number): number {
  let x = cx;
  let y = cy;
  let z = cz;
  let slope = 1;
  let r = 0;
  let nearest = 1e9;
  let flattest = 1e9;
  for (let i = 0; i < ITERATIONS; i++) {
    const equatorial = x * x + z * z;
    const squared = equatorial + y * y;
    if (squared < nearest) nearest = squared;
    if (y * y < flattest) flattest = y * y;
    r = Math.sqrt(squared);
    if (squared > ESCAPE) break;
    slope = 8 * squared * squared * squared * r * slope + 1;

    let p = Math.sqrt(equatorial) + 1e-12;
    let q = y;
    let u = x / p;
    let v = z / p;
    for (let doubling = 0; doubling < 3; doubling++) {
      const w = p * p - q * q;
      q *= 2 * p;
      p = w;
      const t = u * u - v * v;
      v *= 2 * u;
      u = t;
    }
    x = p * u + cx;
    y = q + cy;
    z = p * v + cz;
  }
  trap[0] = nearest;
  trap[1] = flattest;
  return (0.5 * Math.log(r) * r) / slope;
}

// Most steps of a ray are taken where the surface is still far away. There, a coarse table of distances answers
// several times faster than the orbit. What it says is a lower bound: half a cell's diagonal is taken off.
const CELLS = 64;
const CELL = (2 * BULB_BOUND) / CELLS;
const MARGIN = (CELL * Math.sqrt(3)) / 2;
const table = new Float32Array(CELLS ** 3);
for (let i = 0, y = 0; y < CELLS; y++) {
  for (let z = 0; z < CELLS; z++) {
    for (let x = 0; x < CELLS; x++, i++) {
      table[i] =
        distance((x + 0.5) * CELL - BULB_BOUND, (y + 0.5) * CELL - BULB_BOUND, (z + 0.5) * CELL - BULB_BOUND) - MARGIN;
    }
  }
}

/** The shortest step that the table can be trusted with; nearer the surface the orbit is asked. */
const TRUSTED = CELL * 0.5;

/** As `distance`, perhaps less than it could be; may leave `trap` as it was. */
export function step(x: number, y: number, z: number): number {
  const i = ((x + BULB_BOUND) / CELL) | 0;
  const j = ((y + BULB_BOUND) / CELL) | 0;
  const k = ((z + BULB_BOUND) / CELL) | 0;
  if (i >= 0 && i < CELLS && j >= 0 && j < CELLS && k >= 0 && k < CELLS) {
    const d = table[(j * CELLS + k) * CELLS + i] as number;
    if (d > TRUSTED) return d;
  }
  return distance(x, y, z);
}
