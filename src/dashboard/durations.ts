import type { TimelineBar } from '../model/timeline.ts';

/** Tasks that took about as long as each other. Milliseconds. */
export interface DurationBin {
  readonly from: number;
  readonly to: number;
  readonly tasks: number;
}

export interface Durations {
  /** From the shortest to the longest, without gaps; each bin is as many times longer than the one before. */
  readonly bins: readonly DurationBin[];
  readonly median: number;
  /** What nineteen of twenty tasks do not exceed. */
  readonly late: number;
  readonly longest: number;
  readonly tasks: number;
  /** Some are means of the tasks of a batch, which is what is measured. */
  readonly isMeans: boolean;
}

/** Bins of one octave: short and long tasks fit in one picture. */
const BASE = 2;
/** Bins of a picture at least. */
const BINS = 7;
/** Milliseconds below which a difference says nothing. */
const SHORTEST = 0.001;

/** How long tasks took; undefined: none has ended. */
export function durationsOf(bars: readonly TimelineBar[], step: number): Durations | undefined {
  const times = bars
    .filter(({ worker }) => worker !== '')
    .map(({ micros, tasks }) => ({ time: Math.max(SHORTEST, micros / 1_000 / tasks), tasks: tasks * step }))
    .sort((a, b) => a.time - b.time);
  const tasks = times.reduce((sum, each) => sum + each.tasks, 0);
  const last = times.at(-1);
  const first = times[0];
  if (first === undefined || last === undefined) return undefined;
  const lowest = Math.floor(Math.log(first.time) / Math.log(BASE));
  const highest = Math.floor(Math.log(last.time) / Math.log(BASE));
  // Times that are all alike stand in the middle of a picture, and do not fill it.
  const around = Math.max(0, Math.ceil((BINS - (highest - lowest + 1)) / 2));
  const [low, high] = [lowest - around, highest + around];
  const counts = new Array<number>(high - low + 1).fill(0);
  for (const each of times) {
    const bin = Math.floor(Math.log(each.time) / Math.log(BASE)) - low;
    counts[bin] = (counts[bin] ?? 0) + each.tasks;
  }
  const bins = counts.map((count, i) => ({ from: BASE ** (low + i), to: BASE ** (low + i + 1), tasks: count }));
  const isMeans = bars.some((bar) => bar.tasks > 1);
  return {
    bins,
    median: quantile(times, tasks / 2),
    late: quantile(times, tasks * 0.95),
    longest: last.time,
    tasks,
    isMeans,
  };
}

function quantile(times: readonly { time: number; tasks: number }[], rank: number): number {
  let seen = 0;
  for (const { time, tasks } of times) {
    seen += tasks;
    if (seen >= rank) return time;
  }
  return times.at(-1)?.time ?? 0;
}

/** Tasks that took far longer than the others, the longest first. */
export interface Straggler {
  readonly bar: TimelineBar;
  /** Milliseconds of one task of it. */
  readonly time: number;
  /** How many times the median. */
  readonly times: number;
}

/** Far longer: what the scheduler, too, takes for too long (R25); of what is over in a moment nobody waits for the end. */
const FAR = 2;
const LONG = 100;

export function stragglersOf(bars: readonly TimelineBar[], median: number, most: number): Straggler[] {
  return bars
    .filter(({ worker }) => worker !== '')
    .map((bar) => ({ bar, time: bar.micros / 1_000 / bar.tasks }))
    .filter(({ time }) => time > FAR * median && time >= LONG)
    .sort((a, b) => b.time - a.time)
    .slice(0, most)
    .map(({ bar, time }) => ({ bar, time, times: time / median }));
}
