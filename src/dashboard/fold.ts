import { extendHistory, type FarmHistory, joinHistory, slotsOf } from '../model/farm-history.ts';
import type { FeedMessage, JobDelta, JobView, ServerView, Tallies, WorkerView } from '../model/feed.ts';
import type { JobId, WorkerId } from '../model/ids.ts';
import { extendPace, type Pace } from './pace.ts';

/** A job as the feed tells it, and how fast it went lately. */
export interface JobRow extends JobView {
  readonly pace: Pace;
}

export interface WorkerRow extends WorkerView {
  readonly pace: Pace;
}

/** All that can be seen of a farm from outside. Never changed, only replaced: what is the same object is the same. */
export interface FarmView {
  /** A snapshot has been read to its end. */
  readonly isComplete: boolean;
  readonly farm: string;
  /** Where a reader that was cut off goes on. */
  readonly cursor: string | undefined;
  /** The server's wall clock when it last said something. */
  readonly at: number;
  readonly jobs: ReadonlyMap<JobId, JobRow>;
  readonly workers: ReadonlyMap<WorkerId, WorkerRow>;
  /** Of several; empty: there is one. */
  readonly servers: readonly ServerView[];
  readonly tallies: Tallies;
  readonly history: FarmHistory;
}

export const nothingSeen: FarmView = {
  isComplete: false,
  farm: '',
  cursor: undefined,
  at: 0,
  jobs: new Map(),
  workers: new Map(),
  servers: [],
  tallies: { done: 0, failed: 0, lost: 0, retried: 0 },
  history: [],
};

/** What a reader sees after one more message of the feed: the dashboard, `watch` and whoever replays a recording. */
export function fold(view: FarmView, message: FeedMessage): FarmView {
  switch (message.kind) {
    case 'snapshot':
      return foldSnapshot(view, message);
    case 'boundary':
      return { ...view, cursor: message.cursor, isComplete: true };
    case 'delta':
      return foldDelta(view, message);
    default:
      // A newer server may say more than this page knows.
      return view;
  }
}

type Message<Kind extends FeedMessage['kind']> = Extract<FeedMessage, { kind: Kind }>;

/** Replaces everything; what is known of the past of the same farm is kept. */
function foldSnapshot(view: FarmView, message: Message<'snapshot'>): FarmView {
  const { farm, at, jobs, workers, servers = [], tallies, history } = message;
  const past = view.farm === farm ? view : nothingSeen;
  return {
    isComplete: false,
    farm,
    cursor: undefined,
    at,
    jobs: new Map(jobs.map((job) => [job.id, jobRow(past.jobs.get(job.id), job, at, false)])),
    workers: new Map(workers.map((worker) => [worker.id, workerRow(past.workers.get(worker.id), worker, at, false)])),
    servers,
    tallies,
    history: joinHistory(past.history, history),
  };
}

function foldDelta(view: FarmView, message: Message<'delta'>): FarmView {
  const { cursor, at, tallies } = message;
  const next = {
    ...view,
    cursor,
    at,
    tallies,
    jobs: jobsAfter(view, message),
    workers: workersAfter(view, message),
    servers: message.servers ?? view.servers,
  };
  return { ...next, history: historyAfter(view, next) };
}

function jobsAfter({ jobs }: FarmView, { jobs: changed = [], goneJobs = [], at }: Message<'delta'>) {
  if (changed.length + goneJobs.length === 0) return jobs;
  const next = new Map(jobs);
  for (const id of goneJobs) next.delete(id);
  for (const delta of changed) {
    const known = next.get(delta.id);
    const spec = delta.spec ?? known?.spec;
    // Without its spec a job cannot be shown; the server tells it to whoever cannot know it.
    if (spec !== undefined) next.set(delta.id, jobRow(known, { ...delta, spec }, at, true));
  }
  return next;
}

function workersAfter({ workers }: FarmView, { workers: changed = [], goneWorkers = [], at }: Message<'delta'>) {
  if (changed.length + goneWorkers.length === 0) return workers;
  const next = new Map(workers);
  for (const id of goneWorkers) next.delete(id);
  for (const worker of changed) next.set(worker.id, workerRow(next.get(worker.id), worker, at, true));
  return next;
}

function jobRow(known: JobRow | undefined, job: JobDelta & JobView, at: number, heardAll: boolean): JobRow {
  return { ...job, pace: extendPace(known?.pace ?? [], at, job.progress.done + job.progress.failed, heardAll) };
}

function workerRow(known: WorkerRow | undefined, worker: WorkerView, at: number, heardAll: boolean): WorkerRow {
  return { ...worker, pace: extendPace(known?.pace ?? [], at, worker.done + worker.failed, heardAll) };
}

/** Of one server's life: another one begins with a snapshot. */
function historyAfter({ history, tallies }: FarmView, next: FarmView): FarmHistory {
  const gained = next.tallies.done + next.tallies.failed - tallies.done - tallies.failed;
  const { busy, slots } = slotsOf(next.workers.values());
  return extendHistory(history, { at: next.at, gained, busy, slots }, true);
}
