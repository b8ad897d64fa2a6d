/** The part of a job's time that is shown. Milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The shortest time that can be shown: outcomes are told in milliseconds. */
const SHORTEST = 5;

/** Shows less of the whole (`factor` below 1) or more, around a moment that stays where it is. */
export function zoomed(shown: Span, whole: Span, factor: number, around: number): Span {
  const length = Math.max(SHORTEST, (shown.to - shown.from) * factor);
  if (length >= whole.to - whole.from) return whole;
  const part = shown.to === shown.from ? 0.5 : (around - shown.from) / (shown.to - shown.from);
  const from = around - length * Math.min(1, Math.max(0, part));
  return inside({ from, to: from + length }, whole);
}

/** Shows as much as before, earlier or later. */
export function panned(shown: Span, whole: Span, by: number): Span {
  return inside({ from: shown.from + by, to: shown.to + by }, whole);
}

/** The same, moved only if the moment is not in it. */
export function showing(shown: Span, whole: Span, at: number): Span {
  if (at >= shown.from && at <= shown.to) return shown;
  return panned(shown, whole, at - (shown.from + shown.to) / 2);
}

function inside({ from, to }: Span, whole: Span): Span {
  const length = to - from;
  if (length >= whole.to - whole.from) return whole;
  const start = Math.min(Math.max(from, whole.from), whole.to - length);
  return { from: start, to: start + length };
}

/** Moments that are written below a time: round ones, at most so many. Milliseconds since the beginning of the whole. */
export function ticksOf({ from, to }: Span, start: number, most: number): number[] {
  const length = to - from;
  const step = STEPS.find((each) => length / each <= most) ?? Math.ceil(length / most / DAY) * DAY;
  const ticks: number[] = [];
  for (let at = Math.ceil((from - start) / step) * step; at <= to - start; at += step) ticks.push(at);
  return ticks;
}

const DAY = 86_400_000;
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1_000,
  2_000,
  5_000,
  10_000,
  15_000,
  30_000,
  60_000,
  120_000,
  300_000,
  600_000,
  1_800_000,
  3_600_000,
  7_200_000,
  21_600_000,
  43_200_000,
  DAY,
];
