import { FEED_INTERVAL, PACE_OUTCOMES, PACE_STEP, PACE_TIME } from '../model/limits.ts';

/** How many outcomes there had been at a moment of the server's clock. */
export interface Point {
  readonly at: number;
  readonly count: number;
}

/** Counts of the last moments, oldest first: enough to say how fast something is. */
export type Pace = readonly Point[];

/**
 * Adds what is known now. The feed is silent while nothing happens, so after a silence the count is known to have stood
 * still until just before, unless the reader was away (`heardAll` is false).
 */
export function extendPace(pace: Pace, at: number, count: number, heardAll = true): Pace {
  const last = pace.at(-1);
  if (last === undefined || count < last.count) return [{ at, count }];
  if (at <= last.at) return count === last.count ? pace : [...pace.slice(0, -1), { at: last.at, count }];
  const points = [...pace];
  if (heardAll && at - last.at > 2 * FEED_INTERVAL) points.push({ at: at - FEED_INTERVAL, count: last.count });
  const before = points.at(-2);
  // Many small steps are one: the last point moves on until it is far enough from the one before.
  if (before !== undefined && at - before.at < PACE_STEP) points.pop();
  points.push({ at, count });
  const from = points.findLastIndex((point) => point.at <= at - PACE_TIME);
  return from > 0 ? points.slice(from) : points;
}

/** Outcomes a second in the last moments; undefined: too little is known, or it was read just now. */
export function rateOf(pace: Pace, now: number): number | undefined {
  const last = pace.at(-1);
  const first = pace[0];
  if (last === undefined || first === undefined) return undefined;
  const end = Math.max(now, last.at);
  const start = Math.max(first.at, end - PACE_TIME);
  if (end - start < PACE_STEP) return undefined;
  return ((last.count - countAt(pace, start)) / (end - start)) * 1_000;
}

function countAt(pace: Pace, at: number): number {
  const next = pace.findIndex((point) => point.at >= at);
  const b = pace[next];
  if (b === undefined) return pace.at(-1)?.count ?? 0;
  const a = pace[next - 1];
  if (a === undefined) return b.count;
  return a.count + ((b.count - a.count) * (at - a.at)) / (b.at - a.at);
}

/** The rate of something that has run since `startedAt`: of the last moments where they tell enough, else on the whole. */
export function steadyRate(pace: Pace, now: number, startedAt: number | undefined): number | undefined {
  const last = pace.at(-1);
  const recent = rateOf(pace, now);
  const seconds = PACE_TIME / 1_000;
  if (last === undefined || startedAt === undefined) return recent;
  if (recent !== undefined && recent * seconds >= PACE_OUTCOMES) return recent;
  const elapsed = Math.max(now, last.at) - startedAt;
  return elapsed > 0 && last.count > 0 ? (last.count / elapsed) * 1_000 : recent;
}
