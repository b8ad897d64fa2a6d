import type { JobProgress } from '../../model/job.ts';
import { lines, numbers, truths } from './arrays.ts';
import type { Row } from './connection.ts';

/** Of the table of progress, in the order of {@link progressArrays}. */
export const PROGRESS_COLUMNS = `state, open, total, done, failed, cancelled, retried, lost, copied, recalled, segments,
  generation, busy_micros, started_at, ended_at, reason`;

/**
 * The newest progress of the job that `of` names, as `progress`. Read from the newest end: where something keeps old versions from being
 * cleared away (an old snapshot in the same database), they are behind it and cost nothing.
 */
export function newestProgress(of: string): string {
  return `LATERAL (SELECT * FROM progress WHERE progress.job = ${of} ORDER BY version DESC LIMIT 1) AS progress`;
}

export function progressOf(row: Row): JobProgress {
  const optional = (name: string, value: unknown): object => (value === null ? {} : { [name]: value });
  return {
    state: row['state'],
    open: row['open'],
    total: row['total'],
    done: row['done'],
    failed: row['failed'],
    cancelled: row['cancelled'],
    retried: row['retried'],
    lost: row['lost'],
    ...optional('copied', row['copied']),
    ...optional('recalled', row['recalled']),
    segments: row['segments'],
    generation: row['generation'],
    busyMicros: row['busy_micros'],
    ...optional('startedAt', row['started_at']),
    ...optional('endedAt', row['ended_at']),
    ...optional('reason', row['reason'] === null ? null : JSON.parse(row['reason'])),
  };
}

/** A list for each column. */
export function progressArrays(list: readonly JobProgress[]): string[] {
  const of = (pick: (progress: JobProgress) => number | undefined): string => numbers(list.map(pick));
  return [
    lines(list.map(({ state }) => state)),
    truths(list.map(({ open }) => open)),
    of(({ total }) => total),
    of(({ done }) => done),
    of(({ failed }) => failed),
    of(({ cancelled }) => cancelled),
    of(({ retried }) => retried),
    of(({ lost }) => lost),
    of(({ copied }) => copied),
    of(({ recalled }) => recalled),
    of(({ segments }) => segments),
    of(({ generation }) => generation),
    of(({ busyMicros }) => Math.round(busyMicros)),
    of(({ startedAt }) => startedAt),
    of(({ endedAt }) => endedAt),
    lines(list.map(({ reason }) => (reason === undefined ? undefined : JSON.stringify(reason)))),
  ];
}

/** The lists as rows, from the parameter with this number on: named like the columns. */
export function unnestedProgress(from: number): string {
  const types = ['lines', 'boolean', ...Array(11).fill('bigint'), 'double precision', 'double precision', 'lines'];
  return types
    .map((type, at) =>
      type === 'lines' ? `string_to_array($${from + at}::text, E'\\n', '')` : `$${from + at}::${type}[]`,
    )
    .join(', ');
}
