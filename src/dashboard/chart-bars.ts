import { endedAt, type FarmHistory } from '../model/farm-history.ts';
import { FEED_HISTORY, FEED_INTERVAL } from '../model/limits.ts';

/** One bar of a chart; undefined where the page was not there to see. */
export interface ChartBar {
  readonly from: number;
  /** Outcomes a second. */
  readonly rate: number | undefined;
  readonly busy: number | undefined;
}

/** Milliseconds that are worth drawing: a page that was opened a moment ago has little to show, and shows it large. */
export function spanOf(history: FarmHistory, now: number): number {
  const known = now - (history[0]?.at ?? now);
  return SPANS.find((span) => known <= span) ?? FEED_HISTORY;
}

const SPANS = [60_000, 120_000, FEED_HISTORY];

/** The last while in bars of equal length, oldest first. Bars stand at fixed times, so that a chart moves and does not flicker. */
export function barsOf(history: FarmHistory, now: number, span: number, count: number): ChartBar[] {
  const width = span / count;
  const end = Math.ceil(now / width) * width;
  return Array.from({ length: count }, (_, i) => {
    const from = end - (count - i) * width;
    return { from, ...barBetween(history, from, Math.min(now, from + width)) };
  });
}

function barBetween(history: FarmHistory, from: number, to: number): Omit<ChartBar, 'from'> {
  const first = history[0];
  if (first === undefined || to <= first.at) return { rate: undefined, busy: undefined };
  const start = Math.max(from, first.at);
  // The first moments of a bar say nothing of it yet.
  if (to - start < FEED_INTERVAL) return { rate: undefined, busy: busyAt(history, to) };
  const rate = ((endedAt(history, to) - endedAt(history, start)) / (to - start)) * 1_000;
  return { rate, busy: busyAt(history, to) };
}

function busyAt(history: FarmHistory, at: number): number | undefined {
  return history.findLast((sample) => sample.at <= at)?.busy;
}
