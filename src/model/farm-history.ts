import type { WorkerView } from './feed.ts';
import { FEED_HISTORY, FEED_HISTORY_STEP, FEED_INTERVAL } from './limits.ts';

/** The whole farm at a moment of the server's wall clock. */
export interface Sample {
  readonly at: number;
  /** Outcomes so far; never falls, also when a server that was started again counts from zero. */
  readonly ended: number;
  readonly busy: number;
  readonly slots: number;
}

/** The last minutes, oldest first. */
export type FarmHistory = readonly Sample[];

/** What tallies and workers say now: `gained` outcomes since the last sample. */
export interface Moment {
  readonly at: number;
  readonly gained: number;
  readonly busy: number;
  readonly slots: number;
}

/** `heardAll`: nothing was missed since the last sample, so what was not told did not happen. */
export function extendHistory(history: FarmHistory, moment: Moment, heardAll: boolean): FarmHistory {
  const { at, gained, busy, slots } = moment;
  const last = history.at(-1);
  const sample = { at, ended: (last?.ended ?? 0) + gained, busy, slots };
  if (last === undefined) return [sample];
  if (at <= last.at) return [...history.slice(0, -1), { ...sample, at: last.at }];
  const samples = [...history];
  if (heardAll && at - last.at > 2 * FEED_INTERVAL) samples.push({ ...last, at: at - FEED_INTERVAL });
  const previous = samples.at(-2);
  if (previous !== undefined && at - previous.at < FEED_HISTORY_STEP) samples.pop();
  samples.push(sample);
  const from = samples.findLastIndex((each) => each.at <= at - FEED_HISTORY - 2 * FEED_HISTORY_STEP);
  return from > 0 ? samples.slice(from) : samples;
}

/** What a reader has seen before, followed by what a server tells of the last minutes, which counts from its own start. */
export function joinHistory(seen: FarmHistory, told: FarmHistory): FarmHistory {
  const first = told[0];
  if (first === undefined) return seen;
  const earlier = seen.filter(({ at }) => at < first.at);
  if (earlier.length === 0) return told;
  const ahead = endedAt(seen, first.at) - first.ended;
  return [...earlier, ...told.map((sample) => ({ ...sample, ended: sample.ended + ahead }))];
}

/** Outcomes at a moment; between two samples they are taken to have come evenly. */
export function endedAt(history: FarmHistory, at: number): number {
  const next = history.findIndex((sample) => sample.at >= at);
  const b = history[next];
  if (b === undefined) return history.at(-1)?.ended ?? 0;
  const a = history[next - 1];
  if (a === undefined) return b.ended;
  return a.ended + ((b.ended - a.ended) * (at - a.at)) / (b.at - a.at);
}

/** Slots of the workers that are there, and how many of them run something. */
export function slotsOf(workers: Iterable<Pick<WorkerView, 'state' | 'busy' | 'slots'>>): {
  busy: number;
  slots: number;
  present: number;
} {
  let [busy, slots, present] = [0, 0, 0];
  for (const worker of workers) {
    if (worker.state === 'lost') continue;
    present++;
    busy += Math.min(worker.busy, worker.slots);
    slots += worker.slots;
  }
  return { busy, slots, present };
}
