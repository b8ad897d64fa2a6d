/**
 * The task: find the prime sextuplets in one stretch of numbers. Six primes can't stand closer together than
 * n, n+4, n+6, n+10, n+12, n+16, and past the first (n = 7) every such n leaves 97 when divided by 210 = 2·3·5·7.
 */

/** Candidates in a stretch, one in every 210 numbers. */
export const CANDIDATES = 5000;
/** How many consecutive numbers one task searches. */
export const STRETCH = 210 * CANDIDATES;
/** Beyond this stretch numbers would no longer be exact. */
export const LAST_STRETCH = Math.floor((Number.MAX_SAFE_INTEGER - 16) / STRETCH) - 1;

export const OFFSETS = [0, 4, 6, 10, 12, 16] as const;
const DIVISORS = primesBelow(1000)
  .filter((p) => p > 7)
  .map((p) => ({ p, inverse: inverseOf(210 % p, p) }));

/** The sextuplets' first members in stretch `index`, or `undefined`, which costs nothing to send, where there are none. */
export default function sextuplets(index: number): number[] | undefined {
  if (!Number.isSafeInteger(index) || index < 0 || index > LAST_STRETCH) {
    throw new RangeError(`stretch ${index} is not a whole number from 0 to ${LAST_STRETCH}`);
  }
  const start = index * STRETCH + 97;
  const hits = survivors(start)
    .map((k) => start + 210 * k)
    .filter((n) => OFFSETS.every((offset) => isPrime(n + offset)));
  if (index === 0) hits.unshift(7);
  return hits.length > 0 ? hits : undefined;
}

const sieve = new Uint8Array(CANDIDATES);

/** Candidates none of whose six members has a small divisor other than itself. */
function survivors(start: number): number[] {
  sieve.fill(1);
  for (const { p, inverse } of DIVISORS) {
    const rest = start % p;
    for (const offset of OFFSETS) {
      // start + 210 k + offset is divisible by p for this k, and then for every p-th.
      const first = ((2 * p - rest - (offset % p)) * inverse) % p;
      for (let k = first; k < CANDIDATES; k += p) sieve[k] = 0;
      // The prime itself is divisible by p and yet no reason to give a candidate up.
      if (start + 210 * first + offset === p) sieve[first] = 1;
    }
  }
  const left: number[] = [];
  for (let k = 0; k < CANDIDATES; k++) if (sieve[k] === 1) left.push(k);
  return left;
}

/** The number that times `a` leaves 1 when divided by the prime p (Fermat's little theorem). */
function inverseOf(a: number, p: number): number {
  let result = 1;
  for (let power = p - 2, base = a; power > 0; power >>= 1, base = (base * base) % p) {
    if (power & 1) result = (result * base) % p;
  }
  return result;
}

function primesBelow(limit: number): number[] {
  const composite = new Uint8Array(limit);
  const primes: number[] = [];
  for (let n = 2; n < limit; n++) {
    if (composite[n]) continue;
    primes.push(n);
    for (let m = n * n; m < limit; m += n) composite[m] = 1;
  }
  return primes;
}

// With these bases the Miller-Rabin test is no guess but a proof for every number below 3.8e18 (Feitsma and others).
const BASES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n] as const;

export function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (const p of [2, 3, 5, 7, 11, 13, 17, 19, 23]) if (value % p === 0) return value === p;
  const n = BigInt(value);
  let odd = n - 1n;
  let twos = 0;
  for (; odd % 2n === 0n; twos++) odd /= 2n;
  return BASES.every((base) => passes(base, n, odd, twos));
}

function passes(base: bigint, n: bigint, odd: bigint, twos: number): boolean {
  let x = 1n;
  for (let power = odd, square = base; power > 0n; power >>= 1n, square = (square * square) % n) {
    if (power & 1n) x = (x * square) % n;
  }
  if (x === 1n || x === n - 1n) return true;
  for (let i = 1; i < twos; i++) {
    x = (x * x) % n;
    if (x === n - 1n) return true;
  }
  return false;
}

/** How many sextuplets Hardy and Littlewood's conjecture foretells between `from` and `to`. */
export function foretold(from: number, to: number): number {
  const CONSTANT = 17.298612; // 15^5/2^13 times the product of p^5 (p-6) / (p-1)^6 over the primes p from 7
  let sum = 0;
  const steps = 2000;
  // The integral of dx / (ln x)^6 with x = e^t, by the midpoint rule.
  const low = Math.log(Math.max(from, 7));
  const width = (Math.log(to) - low) / steps;
  for (let i = 0; i < steps; i++) {
    const t = low + (i + 0.5) * width;
    sum += (Math.exp(t) / t ** 6) * width;
  }
  return CONSTANT * sum;
}
