import type { JobId } from '../model/ids.ts';
import { PAGE_ROWS_MAX } from '../model/limits.ts';
import { TIMELINE_BYTES, TIMELINE_STEP, TIMELINE_STEP_BYTES } from '../model/past-limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import { countRuns } from '../model/runs.ts';
import type { Timeline, TimelineAttempt, TimelineBar } from '../model/timeline.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { Store } from '../store/store.ts';

/** What of a job's past is wanted: a time of it, or its batches one after the other. */
export type TimelineQuery =
  | { readonly kind: 'between'; readonly from: number; readonly to: number; readonly limit: number }
  | { readonly kind: 'after'; readonly after: number; readonly limit: number };

export interface TimelineSource {
  readonly store: Pick<Store, 'readBatches' | 'readAttempts'>;
  readonly scheduler: Scheduler | undefined;
  /** Batches recorded so far. */
  readonly segments: number;
  /** Wall clock. */
  readonly now: number;
}

/** A job's past as bars. Batches are numbered in the order in which they ended, so that a time of it is found by halving. */
export async function timelineOf(source: TimelineSource, job: JobId, query: TimelineQuery): Promise<Timeline> {
  const common = { job, at: source.now };
  if (query.kind === 'after') {
    const { after, limit } = query;
    const bars = await readBars(source, job, { after, step: 1, limit });
    const last = bars.at(-1)?.seq ?? source.segments;
    const page = { ...common, batches: source.segments, step: 1, bars, running: [] };
    if (last < source.segments) return { ...page, attempts: [], isCut: false, next: last };
    return { ...page, ...(await attemptsOf(source, job, 0)) };
  }
  const { from, to, limit } = query;
  const after = (await firstEndingAt(source, job, from)) - 1;
  const end = Math.min(source.segments, (await firstEndingAt(source, job, to)) - 1 + BEYOND);
  const batches = Math.max(0, end - after);
  const step = await stepFor(source, job, after, batches, limit);
  const bars = await readBars(source, job, { after, step, limit: Math.ceil(batches / step) });
  const { scheduler } = source;
  const running = (scheduler?.inFlight(job, PAGE_ROWS_MAX) ?? []).map(({ lease, worker, since, runs }) => {
    return { lease, worker, from: Math.round(since), first: runs[0]?.start ?? 0, tasks: countRuns(runs) };
  });
  return {
    ...common,
    batches,
    step,
    bars: bars.filter((bar) => bar.from <= to),
    running,
    ...(await attemptsOf(source, job, from)),
  };
}

/** The number of the first batch that ended at or after a time; one more than there are, if none did. */
async function firstEndingAt(source: TimelineSource, job: JobId, time: number): Promise<number> {
  let low = 1;
  let high = source.segments + 1;
  if (time <= 0) return low;
  if (time >= source.now) return high;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [found] = await source.store.readBatches(job, { after: middle - 1, step: 1, limit: 1 }, 1);
    if (found === undefined || barOf(found.segment).to >= time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Every n-th batch is told where there are many, or where their values, which have to be read as well, are large. */
async function stepFor(source: TimelineSource, job: JobId, after: number, batches: number, limit: number) {
  if (batches === 0) return 1;
  const probes = Math.min(batches, PROBES);
  const spread = { after, step: Math.ceil(batches / probes), limit: probes };
  const probed = await source.store.readBatches(job, spread, TIMELINE_STEP_BYTES);
  const mean = probed.reduce((sum, { bytes }) => sum + bytes, 0) / Math.max(1, probed.length);
  return Math.max(1, Math.ceil(batches / Math.max(1, Math.min(limit, TIMELINE_BYTES / Math.max(1, mean)))));
}

/** Batches that are looked at to know how large the values are. */
const PROBES = 16;
/** Pages of attempts that are looked through: a job where everything fails has very many. */
const PAGES = 50;
/** Batches behind the time asked for that are looked at: some of them began in it, and took long. */
export const BEYOND = 100;

async function readBars(
  { store }: TimelineSource,
  job: JobId,
  { after, step, limit }: { after: number; step: number; limit: number },
): Promise<TimelineBar[]> {
  const bars: TimelineBar[] = [];
  let bytes = 0;
  while (bars.length < limit && bytes < TIMELINE_BYTES) {
    const next = { after: after + bars.length * step, step, limit: Math.min(TIMELINE_STEP, limit - bars.length) };
    const found = await store.readBatches(job, next, TIMELINE_STEP_BYTES);
    for (const batch of found) {
      bars.push(barOf(batch.segment));
      bytes += batch.bytes;
    }
    if (found.length === 0) break;
  }
  return bars;
}

/** Its tasks ran one after the other, just before their outcomes arrived. */
function barOf(segment: SegmentRecord): TimelineBar {
  const { seq, worker, lease, runs, failed, startedAt, elapsedMicros: micros } = segment;
  const to = segment.endedAt ?? Math.round(startedAt + micros / 1_000);
  const from = Math.round((to - micros / 1_000) * 1_000) / 1_000;
  return { seq, worker, lease, from, to, micros, first: runs[0]?.start ?? 0, tasks: countRuns(runs), failed };
}

/** Attempts are told from the time on, as many as fit. */
async function attemptsOf({ store }: TimelineSource, job: JobId, from: number) {
  const attempts: TimelineAttempt[] = [];
  for (let after = 0, pages = 0; pages < PAGES; pages++) {
    const page = await store.readAttempts(job, { after, limit: TIMELINE_STEP });
    for (const { cursor, attempt } of page) {
      after = cursor;
      if (attempt.endedAt < from) continue;
      if (attempts.length === PAGE_ROWS_MAX) return { attempts, isCut: true };
      const { job: _job, ...told } = attempt;
      attempts.push(told);
    }
    if (page.length < TIMELINE_STEP) return { attempts, isCut: false };
  }
  return { attempts, isCut: true };
}
