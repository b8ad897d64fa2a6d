import { UsageError } from '../errors.ts';

/** `count` numbers from `start`, `step` apart. */
export interface NumberRange {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** `A..B` or `A..B..STEP`, B included as with `seq`. */
export function parseRange(text: string): NumberRange {
  const match = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(text.trim());
  if (match === null) {
    throw new UsageError(`"${text}" is not a range: write it as 1..100 or 0..100..5, in whole numbers`);
  }
  const [start, end, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  if (![start, end, step].every(Number.isSafeInteger) || !Number.isSafeInteger(end - start)) {
    throw new UsageError(`the range ${text} goes beyond the whole numbers that are exact, ±${Number.MAX_SAFE_INTEGER}`);
  }
  if (step === 0) throw new UsageError(`the range ${text} has a step of 0 and would never end`);
  const count = Math.floor((end - start) / step) + 1;
  if (count < 1) {
    const down = `${start}..${end}..${-step}`;
    throw new UsageError(`the range ${text} has no numbers in it: to count the other way write ${down}`);
  }
  return { start, step, count };
}
