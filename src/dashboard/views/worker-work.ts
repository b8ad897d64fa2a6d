import { h, type JSX } from 'preact';
import { ago, count, duration, plural } from '../figures.ts';
import type { WorkerRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import type { PageState } from '../page/page.ts';
import { jobPath, taskPath } from '../places.ts';
import { StateMark } from './state-mark.ts';
import { Table } from './table.ts';

/** What `/v1/workers/ID/work` answers. */
interface Work {
  readonly given: readonly {
    readonly job: number;
    readonly first: number;
    readonly tasks: number;
    readonly since: number;
    readonly runs: boolean;
    readonly variant?: string;
  }[];
  readonly jobs: readonly {
    readonly job: number;
    readonly done: number;
    readonly failed: number;
    readonly from: number;
    readonly until: number;
    readonly busyMicros: number;
  }[];
  /** When the server began to count. */
  readonly since: number;
}

/** Batches that are listed; of the others the number. */
const LISTED = 16;

/** What a worker runs now, and what it has done of which jobs. */
export function WorkerWork(props: { worker: WorkerRow; state: PageState; api: Api }): JSX.Element {
  const { worker, state, api } = props;
  const { id, busy, queued, done, failed } = worker;
  const { value, error } = useLoaded(`work ${id}`, `${busy}/${queued}/${done}/${failed}`, (signal) =>
    api.json<Work>(`/v1/workers/${id}/work`, signal),
  );
  const nameOf = (job: number) => state.view.jobs.get(job)?.spec.name ?? `job ${job}`;
  return h(
    'div',
    null,
    error !== undefined && h('p', { class: 'fault' }, `What it does cannot be read: ${error}.`),
    value !== undefined && h(Given, { given: value.given, nameOf }),
    value !== undefined && h(History, { work: value, nameOf, now: state.now }),
  );
}

type NameOf = (job: number) => string;

function Given({ given, nameOf }: { given: Work['given']; nameOf: NameOf }): JSX.Element {
  return h(
    'section',
    { 'aria-labelledby': 'given' },
    h('h2', { id: 'given' }, 'What it runs'),
    given.length === 0 && h('p', { class: 'aside' }, 'Nothing now.'),
    h(
      'ul',
      { class: 'attempts' },
      given
        .slice(0, LISTED)
        .map(({ job, first, tasks, since, runs, variant }) =>
          h(
            'li',
            { key: `${job}/${first}` },
            h(StateMark, runs ? { word: 'running', tone: 'running' } : { word: 'in its queue', tone: 'waiting' }),
            h(
              'span',
              null,
              h('a', { href: taskPath(job, first) }, `task ${first}`),
              tasks > 1 ? ` and ${plural(tasks - 1, 'other')}` : '',
              ' of ',
              h('a', { href: jobPath(job) }, h('bdi', null, nameOf(job))),
            ),
            h('span', { class: 'aside' }, `given ${ago(since)}${variant === undefined ? '' : `, as ${variant}`}`),
          ),
        ),
    ),
    given.length > LISTED &&
      h('p', { class: 'aside' }, `and ${plural(given.length - LISTED, 'more batch', 'more batches')}`),
  );
}

function History({ work, nameOf, now }: { work: Work; nameOf: NameOf; now: number }): JSX.Element {
  const { jobs, since } = work;
  const counts = `since the server started, ${ago(now - since)}`;
  return h(
    'section',
    { 'aria-labelledby': 'history' },
    h('h2', { id: 'history' }, 'What it has done'),
    h(
      'p',
      { class: 'aside' },
      jobs.length === 0 ? `Nothing ${counts}.` : `Of the jobs that it worked on last, ${counts}.`,
    ),
    jobs.length > 0 && h(HistoryTable, { jobs, nameOf, now }),
  );
}

function HistoryTable({ jobs, nameOf, now }: { jobs: Work['jobs']; nameOf: NameOf; now: number }): JSX.Element {
  return h(Table, {
    kind: 'workers history',
    heads: ['Job', 'Done', 'Failed', 'Worked', 'Last'],
    rows: jobs.map(({ job, done, failed, until, busyMicros }) =>
      h(
        'tr',
        { key: job },
        h('th', { scope: 'row' }, h('a', { href: jobPath(job) }, h('bdi', null, nameOf(job)))),
        h('td', { 'data-head': 'Done' }, count(done)),
        h('td', { 'data-head': 'Failed', class: failed > 0 ? 'bad' : '' }, count(failed)),
        h('td', { 'data-head': 'Worked' }, duration(busyMicros / 1_000)),
        h('td', { 'data-head': 'Last' }, ago(now - until)),
      ),
    ),
  });
}
