/**
 * The smallest task: one input in, one output out. How many steps does a number take to reach 1,
 * if even numbers are halved and odd ones become three times themselves plus one?
 */
export default function collatz(input: number): number {
  if (!Number.isSafeInteger(input) || input < 1) throw new RangeError(`${input} is not a whole number from 1 up`);
  let steps = 0;
  for (let n = BigInt(input); n !== 1n; steps++) n = n % 2n === 0n ? n / 2n : 3n * n + 1n;
  return steps;
}
