import type { RangeInputs } from '../model/job.ts';

/** Numbers that exist only as three of them: a billion inputs cost as little as one. Made by {@link range}. */
export class Range implements Iterable<number> {
  readonly start: number;
  readonly step: number;
  readonly count: number;

  constructor(start: number, step: number, count: number) {
    this.start = start;
    this.step = step;
    this.count = count;
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.count; i++) yield this.start + i * this.step;
  }

  /** As a job stores it. */
  toJSON(): RangeInputs {
    return { start: this.start, step: this.step, count: this.count };
  }
}

/**
 * The numbers from `start` up to and without `stop`, `step` apart (1; may be negative or a fraction). Throws a
 * RangeError if the step leads away from `stop`, or if there would be more than 2^53 of them.
 */
export function range(start: number, stop: number, step = 1): Range {
  for (const [name, value] of Object.entries({ start, stop, step })) {
    if (!Number.isFinite(value))
      throw new RangeError(`range: ${name} must be a finite number, but is ${String(value)}`);
  }
  if (step === 0) throw new RangeError('range: step must not be 0');
  const count = Math.ceil((stop - start) / step);
  if (count < 0) {
    throw new RangeError(
      `range(${start}, ${stop}${step === 1 ? '' : `, ${step}`}) leads away from its end: swap the first two, or change the sign of the step`,
    );
  }
  if (count > Number.MAX_SAFE_INTEGER) throw new RangeError("range: more than 2^53 numbers can't be told apart");
  return new Range(start, step, count === 0 ? 0 : count);
}
