import { h, type JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { titleOf } from '../causes.ts';
import { estimated, type FailureGroup } from '../failures.ts';
import { count, plural } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { FailureReader } from '../page/failure-reader.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';
import { Causes } from './causes.ts';

/** Failures by what they say. They are looked for in the results; how far that went, and what is estimated, is said. */
export function Failures({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element {
  const { id, progress } = job;
  const [rounds, setRounds] = useState(0);
  const reader = useMemo(() => new FailureReader(api, id), [id]);
  const { error } = useLoaded(`failures ${id}`, `${version}/${rounds}`, async (signal) => {
    const isMore = await reader.round(progress, signal);
    setRounds((round) => round + (isMore ? 1 : 0));
    return reader.groups.looked;
  });
  const { groups, sampledOf } = reader;
  const { looked, others } = groups;
  const many = (tasks: number) =>
    sampledOf === undefined ? count(tasks) : `about ${count(estimated(tasks, looked, progress.failed))}`;
  return h(
    'section',
    { class: 'failures', 'aria-labelledby': 'failures' },
    h('h2', { id: 'failures' }, 'Failures'),
    error !== undefined && h('p', { class: 'fault' }, `They cannot be read: ${error}.`),
    h(
      'ul',
      null,
      groups.all.map((group) =>
        h(Group, {
          key: [group.name, group.message, ...group.causes].join(' '),
          job: id,
          group,
          many: many(group.tasks),
        }),
      ),
    ),
    others > 0 && h('p', { class: 'aside' }, `and ${many(others)} of more kinds than are listed here`),
    error === undefined && h('p', { class: 'aside' }, howFar(looked, progress.failed, sampledOf)),
  );
}

function howFar(looked: number, failed: number, sampledOf: number | undefined): string {
  if (sampledOf !== undefined)
    return `Of ${count(failed)} failures ${count(looked)} from all over the job were looked at: the numbers are estimates.`;
  return looked < failed ? `Looked at ${count(looked)} of ${plural(failed, 'failure')} so far.` : '';
}

function Group({ job, group, many }: { job: number; group: FailureGroup; many: string }): JSX.Element {
  const { name, message, stack, causes, tasks, examples } = group;
  const more = tasks > examples.length ? ' …' : '';
  return h(
    'li',
    null,
    h(
      'p',
      { class: 'message' },
      h('b', { class: 'tasks-alike' }, `${many} ×`),
      ' ',
      h('bdi', null, titleOf({ name, message })),
    ),
    h(Causes, { causes }),
    h(
      'p',
      { class: 'aside' },
      tasks === 1 ? 'task' : 'tasks',
      examples.map((index) => [' ', h('a', { key: index, href: taskPath(job, index) }, `${index}`)]),
      more,
    ),
    stack !== undefined &&
      stack !== '' &&
      h('details', null, h('summary', null, 'Where'), h('pre', { tabIndex: 0 }, stack)),
  );
}
