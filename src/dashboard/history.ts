import { FEED_INTERVAL, PAGE_HISTORY, PAGE_HISTORY_STEP } from '../model/limits.ts';

/** The whole farm at a moment of the server's clock. */
export interface Sample {
  readonly at: number;
  /** Outcomes so far; never falls, also when a server that was started again counts from zero. */
  readonly ended: number;
  readonly busy: number;
  readonly slots: number;
}

/** The last minutes, oldest first. */
export type History = readonly Sample[];

/** What the farm's tallies and workers say at one moment. */
export interface Moment {
  readonly at: number;
  /** Outcomes since the server started. */
  readonly counted: number;
  readonly before: number;
  readonly busy: number;
  readonly slots: number;
}

/** `heardAll`: nothing was missed since the last moment, so what was not told did not happen. */
export function extendHistory(history: History, moment: Moment, heardAll: boolean): History {
  const { at, counted, before, busy, slots } = moment;
  const last = history.at(-1);
  // A count that has fallen is that of a new server: what it has counted came on top.
  const gained = counted >= before ? counted - before : counted;
  const sample = { at, ended: last === undefined ? 0 : last.ended + gained, busy, slots };
  if (last === undefined) return [sample];
  if (at <= last.at) return [...history.slice(0, -1), { ...sample, at: last.at }];
  const samples = [...history];
  if (heardAll && at - last.at > 2 * FEED_INTERVAL) samples.push({ ...last, at: at - FEED_INTERVAL });
  const previous = samples.at(-2);
  if (previous !== undefined && at - previous.at < PAGE_HISTORY_STEP) samples.pop();
  samples.push(sample);
  const from = samples.findLastIndex((each) => each.at <= at - PAGE_HISTORY - 2 * PAGE_HISTORY_STEP);
  return from > 0 ? samples.slice(from) : samples;
}

/** One bar of a chart; undefined where the page was not there to see. */
export interface Bar {
  readonly from: number;
  /** Outcomes a second. */
  readonly rate: number | undefined;
  readonly busy: number | undefined;
}

/** Milliseconds that are worth drawing: a page that was opened a moment ago has little to show, and shows it large. */
export function spanOf(history: History, now: number): number {
  const known = now - (history[0]?.at ?? now);
  return SPANS.find((span) => known <= span) ?? PAGE_HISTORY;
}

const SPANS = [60_000, 120_000, PAGE_HISTORY];

/** The last while in bars of equal length, oldest first. Bars stand at fixed times, so that a chart moves and does not flicker. */
export function barsOf(history: History, now: number, span: number, count: number): Bar[] {
  const width = span / count;
  const end = Math.ceil(now / width) * width;
  return Array.from({ length: count }, (_, i) => {
    const from = end - (count - i) * width;
    return { from, ...barBetween(history, from, Math.min(now, from + width)) };
  });
}

function barBetween(history: History, from: number, to: number): Omit<Bar, 'from'> {
  const first = history[0];
  if (first === undefined || to <= first.at) return { rate: undefined, busy: undefined };
  const start = Math.max(from, first.at);
  // The first moments of a bar say nothing of it yet.
  if (to - start < FEED_INTERVAL) return { rate: undefined, busy: busyAt(history, to) };
  const rate = ((endedAt(history, to) - endedAt(history, start)) / (to - start)) * 1_000;
  return { rate, busy: busyAt(history, to) };
}

function endedAt(history: History, at: number): number {
  const next = history.findIndex((sample) => sample.at >= at);
  const b = history[next];
  if (b === undefined) return history.at(-1)?.ended ?? 0;
  const a = history[next - 1];
  if (a === undefined) return b.ended;
  return a.ended + ((b.ended - a.ended) * (at - a.at)) / (b.at - a.at);
}

function busyAt(history: History, at: number): number | undefined {
  return history.findLast((sample) => sample.at <= at)?.busy;
}
