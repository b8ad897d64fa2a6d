import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, range } from 'manyhands';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { typeDocument } from '../../test/support/documents.ts';
import { runManyhands } from '../../test/support/processes.ts';
import sextuplets, { CANDIDATES, foretold, isPrime, LAST_STRETCH, OFFSETS, STRETCH } from './sextuplets.ts';

test('the first sextuplets are those of the literature (OEIS A022008)', () => {
  const found = Array.from({ length: 8 }, (_, index) => sextuplets(index) ?? []).flat();
  const known = [
    7, 97, 16057, 19417, 43777, 1091257, 1615837, 1954357, 2822707, 2839927, 3243337, 3400207, 6005887, 6503587,
    7187767, 7641367, 8061997,
  ];
  assert.deepEqual(
    found.filter((n) => n <= 8061997),
    known,
  );
});

test('two stretches agree with a plain sieve of every number in them', () => {
  const limit = 2 * STRETCH + 97 + 16;
  const composite = new Uint8Array(limit + 1);
  for (let n = 2; n * n <= limit; n++) {
    if (composite[n] === 0) for (let m = n * n; m <= limit; m += n) composite[m] = 1;
  }
  const expected: number[] = [];
  for (let n = 2; n < 2 * STRETCH + 97; n++)
    if (OFFSETS.every((offset) => composite[n + offset] === 0)) expected.push(n);
  assert.deepEqual(
    [sextuplets(0), sextuplets(1)].flatMap((hits) => hits ?? []),
    expected,
  );
});

test('a stretch without a sextuplet gives undefined, so that it costs nothing', () => {
  const empty = Array.from({ length: 40 }, (_, i) => sextuplets(1_000_000 + i)).filter((hits) => hits === undefined);
  assert.ok(empty.length > 20);
});

test('the last stretch is exact, and past it is refused', () => {
  assert.ok(Number.isSafeInteger(LAST_STRETCH * STRETCH + 97 + 210 * CANDIDATES + 16));
  sextuplets(LAST_STRETCH);
  for (const wrong of [LAST_STRETCH + 1, -1, 0.5]) assert.throws(() => sextuplets(wrong), RangeError);
});

test('the primality test knows strong pseudoprimes for what they are', () => {
  for (const composite of [2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321]) {
    assert.equal(isPrime(composite), false, `${composite}`);
  }
  for (const prime of [2, 23, 97, 1093, 2147483647, 9007199254740881]) assert.equal(isPrime(prime), true, `${prime}`);
});

test('Hardy and Littlewood foretell the count: 5 % off at most over the first 2,000 stretches', {
  timeout: 20_000,
}, () => {
  let found = 0;
  for (let index = 0; index < 2000; index++) found += sextuplets(index)?.length ?? 0;
  const expected = foretold(7, 2000 * STRETCH);
  assert.ok(Math.abs(found / expected - 1) < 0.05, `${found} found, ${expected.toFixed(0)} foretold`);
});

/** Sextuplets whose first member has 1, 2, 3 … digits (OEIS A350826). */
const BY_DIGITS = [1, 1, 0, 0, 3, 0, 13, 64, 235];
/** The smallest sextuplet above 10^n begins at 10^n + this (OEIS A343636). */
const SMALLEST = [
  [11, 6_222_567],
  [12, 33_407_547],
  [13, 6_589_467],
  [14, 44_514_957],
  [15, 587_445_747],
] as const;

test('run --range --defined finds below a thousand million as many as are published for each number of digits', {
  timeout: 170_000,
}, async (t) => {
  const last = Math.floor((1e9 - 97) / STRETCH);
  const args = ['run', 'examples/primes/sextuplets.ts', '--range', `0..${last}`, '--defined', '--quiet'];
  const env = { XDG_STATE_HOME: temporaryDirectory(t), MANYHANDS_URL: undefined };
  const { code, stdout } = await runManyhands(t, args, { env, timeout: 150_000 });
  assert.equal(code, 0);
  const found: number[] = stdout
    .trim()
    .split('\n')
    .flatMap((line) => JSON.parse(line));
  assert.deepEqual(
    found,
    found.toSorted((a, b) => a - b),
  );
  const counts = BY_DIGITS.map((_, digits) => found.filter((n) => n < 1e9 && `${n}`.length === digits + 1).length);
  assert.deepEqual(counts, BY_DIGITS);
});

test('in ranges of billions of tasks the first hit is the one that is published', { timeout: 170_000 }, async (t) => {
  // Where no server has its data, so that one is started for this test alone.
  process.env['XDG_STATE_HOME'] = temporaryDirectory(t);
  const farm = await connect();
  t.after(() => farm.close());
  for (const [digits, offset] of SMALLEST) {
    const from = Math.floor((10 ** digits - 97) / STRETCH);
    const rest = range(from, LAST_STRETCH + 1);
    assert.ok(rest.count > 7e9);
    const job = await farm.map<typeof sextuplets>(new URL('./sextuplets.ts', import.meta.url), rest);
    let first: number | undefined;
    for await (const record of job.results({ defined: true })) {
      assert.equal(record.status, 'done');
      first = record.status === 'done' ? record.value?.find((n) => n > 10 ** digits) : undefined;
      if (first !== undefined) break;
    }
    assert.equal(first, 10 ** digits + offset);
    await job.cancel();
    const { progress } = await job.status();
    assert.deepEqual([progress.state, progress.total], ['cancelled', rest.count]);
  }
});

test('its README prints what it says it prints', { timeout: 170_000 }, async (t) => {
  assert.equal(await typeDocument(t, 'examples/primes/README.md'), 2);
});
