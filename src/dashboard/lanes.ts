/**
 * Puts what ran on one device side by side: a lane is a slot, as far as it can be told from what ran at the same time.
 * Bars come in the order of their ends; each goes where the latest one ended before it began, which needs the fewest lanes.
 */
export class Lanes {
  readonly #most: number;
  /** When the last bar of each lane ended. */
  readonly #ends: number[] = [];

  /** `most`: how many there can be, where that is known. */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  get count(): number {
    return this.#ends.length;
  }

  /**
   * The lane of a bar, and where in it the bar begins. What one hears of outcomes is a little late, and not equally so: bars
   * of one slot seem to overlap by that much, which is taken from the later one.
   */
  place(from: number, to: number): { lane: number; from: number } {
    const latest = from + Math.min(LATE, (to - from) / 2);
    let lane = -1;
    for (const [i, end] of this.#ends.entries()) {
      if (end <= latest && (lane === -1 || end > (this.#ends[lane] as number))) lane = i;
    }
    if (lane === -1) lane = this.#ends.length < this.#most ? this.#ends.length : this.#soonest();
    const before = this.#ends[lane] ?? from;
    this.#ends[lane] = Math.max(to, before);
    return { lane, from: Math.min(to, Math.max(from, before)) };
  }

  #soonest(): number {
    return this.#ends.indexOf(Math.min(...this.#ends));
  }
}

/** Milliseconds by which one outcome may have waited longer than another for its message. */
const LATE = 25;
