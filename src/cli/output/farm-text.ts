import type { FarmView, JobRow } from '../../dashboard/fold.ts';
import { rateOf, steadyRate } from '../../dashboard/pace.ts';
import { slotsOf } from '../../model/farm-history.ts';
import { hasEnded } from '../../model/job.ts';
import { formatDuration } from '../arguments/duration.ts';
import { type Column, formatCount, table } from './table.ts';

const JOBS: readonly Column[] = [
  { title: 'JOB', align: 'right' },
  { title: 'STATE' },
  { title: 'DONE', align: 'right' },
  { title: 'FAILED', align: 'right' },
  { title: 'TASKS', align: 'right' },
  { title: 'A SECOND', align: 'right' },
  { title: 'LEFT', align: 'right' },
  { title: 'NAME' },
];

const WORKERS: readonly Column[] = [
  { title: 'WORKER' },
  { title: 'STATE' },
  { title: 'BUSY', align: 'right' },
  { title: 'SLOTS', align: 'right' },
  { title: 'DONE', align: 'right' },
  { title: 'A SECOND', align: 'right' },
  { title: 'NAME' },
];

/** The farm in one line. */
export function farmLine({ workers, jobs, tallies }: FarmView): string {
  const { present, slots, busy } = slotsOf(workers.values());
  const open = [...jobs.values()].filter(({ progress }) => !hasEnded(progress.state)).length;
  return (
    `${plural(present, 'worker')}, ${busy} of ${plural(slots, 'slot')} busy; ${plural(open, 'open job')}; ` +
    `${formatCount(tallies.done)} ${tallies.done === 1 ? 'task' : 'tasks'} done, ${formatCount(tallies.failed)} failed since the server started\n`
  );
}

/** The farm on a screen of so many rows: what is open first, then what ended last, then who works. */
export function farmText(view: FarmView, now: number, rows: number): string {
  const jobs = [...view.jobs.values()].sort(
    (a, b) => Number(hasEnded(a.progress.state)) - Number(hasEnded(b.progress.state)) || b.id - a.id,
  );
  const workers = [...view.workers.values()].sort((a, b) => b.busy - a.busy || a.id.localeCompare(b.id));
  // The line above, two headings, two empty lines, and one where the cursor stands.
  const room = Math.max(2, rows - 6);
  const shownWorkers = workers.slice(0, Math.max(1, Math.floor(room / 2)));
  const shownJobs = jobs.slice(0, Math.max(1, room - shownWorkers.length));
  const jobTable = table(
    JOBS,
    shownJobs.map((job) => jobCells(job, now)),
  );
  const workerTable = table(
    WORKERS,
    shownWorkers.map(({ id, state, busy, slots, done, pace, name }) => {
      return [id, state, `${busy}`, `${slots}`, formatCount(done), rateText(rateOf(pace, now)), name];
    }),
  );
  return `${farmLine(view)}\n${jobTable}\n${workerTable}`;
}

function jobCells({ id, spec, progress, pace }: JobRow, now: number): string[] {
  const { state, done, failed, total, open, startedAt } = progress;
  const rate = hasEnded(state) ? undefined : steadyRate(pace, now, startedAt);
  const left = rate === undefined || rate === 0 || open ? undefined : ((total - done - failed) / rate) * 1_000;
  const tasks = `${formatCount(total)}${open && !hasEnded(state) ? '+' : ''}`;
  const times = [
    rateText(rate),
    left === undefined ? '' : formatDuration(Math.max(1_000, Math.round(left / 1_000) * 1_000)),
  ];
  return [`${id}`, state, formatCount(done), formatCount(failed), tasks, ...times, spec.name];
}

function rateText(rate: number | undefined): string {
  if (rate === undefined) return '';
  return rate < 10 ? rate.toFixed(1) : formatCount(Math.round(rate));
}

function plural(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}
