import { WASI_CLOCK_STEP } from '../../../model/wasi-limits.ts';

/** Where a program gets time and chance from. */
export interface Source {
  /** Nanoseconds on one of the clocks of preview 1. */
  now(clock: number): bigint;
  /** Lets so many nanoseconds pass. */
  sleep(time: bigint): void;
  fill(bytes: Uint8Array<ArrayBuffer>): void;
}

const REALTIME = 0;
/** Bytes that `crypto` fills at once. */
const RANDOM_BYTES = 65_536;

export function realSource(): Source {
  const nanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1_000_000));
  return {
    now: (clock) => (clock === REALTIME ? BigInt(Date.now()) * 1_000_000n : nanoseconds(performance.now())),
    sleep,
    fill(bytes) {
      for (let at = 0; at < bytes.length; at += RANDOM_BYTES) {
        crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES));
      }
    },
  };
}

/** A program cannot be left while it runs, so its thread waits; where browsers forbid that, it spins. */
function sleep(time: bigint): void {
  const milliseconds = Number(time) / 1_000_000;
  if (typeof SharedArrayBuffer === 'function') {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    return;
  }
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** 2000-01-01T00:00:00Z, when the clock of every deterministic program starts. */
const START = 946_684_800_000_000_000n;

/** The same for the same code and index, wherever and whenever it runs. Sleeping only moves the clock. */
export function fixedSource(seed: string, index: number): Source {
  let passed = 0n;
  const draw = generator(seed, index);
  return {
    now(clock) {
      passed += WASI_CLOCK_STEP;
      return clock === REALTIME ? START + passed : passed;
    },
    sleep(time) {
      passed += time;
    },
    fill(bytes) {
      for (let at = 0; at < bytes.length; at++) bytes[at] = draw();
    },
  };
}

/** The generator sfc32, a byte at a time: small, and its stream starts anew with each task. `seed`: hex digits, a hash. */
function generator(seed: string, index: number): () => number {
  const word = (at: number): number => Number.parseInt(seed.slice(at * 8, at * 8 + 8), 16) | 0;
  let a = word(0);
  let b = word(1) ^ index;
  let c = word(2) ^ Math.floor(index / 2 ** 32);
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    c |= 0;
    return result;
  };
  // Neighbouring indexes differ in one bit, which must have reached all others before anything is drawn.
  for (let i = 0; i < 16; i++) next();
  let bits = 0;
  let left = 0;
  return () => {
    if (left === 0) {
      bits = next();
      left = 4;
    }
    left -= 1;
    const byte = bits & 255;
    bits >>>= 8;
    return byte;
  };
}
