// Well spread sample points that need no state: every number is a pure function of (pixel, sample, dimension),
// so a tile looks the same whichever device renders it and however often it is tried.
//
// Points are the first two Sobol dimensions, shuffled and Owen-scrambled by hashing
// (Burley, "Practical Hash-based Owen Scrambling", JCGT 2020). A path asks for one pair after another;
// each pair has its own seed, hence pairs are independent while each stays stratified over the samples of a pixel.

/** Mixes 32 bits so that every input bit reaches every output bit. */
export function hash(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A number in [0, 1) for an integer lattice point: the scenery's noise. */
export function lattice(x: number, y: number): number {
  return hash(Math.imul(x | 0, 0x1f123bb5) ^ hash(y + 0x9e3779b9)) * 2 ** -32;
}

function reverseBits(x: number): number {
  let v = x;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16);
}

/** Permutes each half of the unit interval, each half of those halves, and so on: bits only influence lower bits. */
function scrambleReversed(x: number, seed: number): number {
  let v = (x + seed) | 0;
  v ^= Math.imul(v, 0x6c50b47c);
  v ^= Math.imul(v, 0xb82f1e52);
  v ^= Math.imul(v, 0xc7afe638);
  v ^= Math.imul(v, 0x8d22f6e6);
  return v;
}

// Samples beyond this many of one pixel would repeat.
const POINTS = 1024;
const POINT_BITS = 10;
const REVERSED = Int32Array.from({ length: POINTS }, (_, i) => reverseBits(i));
/** The second Sobol coordinate of each point, bits reversed; the first, reversed, is the point's number itself. */
const SECOND = secondCoordinates();

function secondCoordinates(): Int32Array {
  const coordinates = new Int32Array(POINTS);
  let direction = 0x80000000 | 0;
  for (let bit = 0; bit < POINT_BITS; bit++) {
    const reversed = reverseBits(direction);
    for (let i = 0; i < POINTS; i++) {
      if ((i >>> bit) & 1) coordinates[i] = (coordinates[i] as number) ^ reversed;
    }
    direction ^= direction >>> 1;
  }
  return coordinates;
}

/** The sampler's answer lies here: [u, v]. A shared pair costs no allocation in the innermost loop. */
export const pair = new Float64Array(2);

const state = new Int32Array(3); // seed of the pixel, sample index, next dimension

export function startPath(pixelSeed: number, sample: number): void {
  state[0] = pixelSeed;
  state[1] = sample;
  state[2] = 0;
}

/** Puts the path's next two sample coordinates, both in [0, 1), into `pair`. */
export function nextPair(): void {
  const dimension = state[2] as number;
  state[2] = dimension + 1;
  const seed = hash((state[0] as number) ^ Math.imul(dimension + 1, 0x9e3779b1));
  const shuffled = scrambleReversed(REVERSED[(state[1] as number) & (POINTS - 1)] as number, seed);
  const point = (REVERSED[shuffled >>> (32 - POINT_BITS)] as number) >>> (32 - POINT_BITS);
  pair[0] = (reverseBits(scrambleReversed(point, seed ^ 0x68bc21eb)) >>> 0) * 2 ** -32;
  pair[1] = (reverseBits(scrambleReversed(SECOND[point] as number, seed ^ 0x02e5be93)) >>> 0) * 2 ** -32;
}
