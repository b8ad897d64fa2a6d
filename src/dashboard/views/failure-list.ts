import { h, type JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { PAGE_FAILURE_BYTES } from '../../model/page-limits.ts';
import { titleOf } from '../causes.ts';
import { type FailureGroup, FailureSearch } from '../failures.ts';
import { count, plural } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';
import { Causes } from './causes.ts';

/** Failures by what they say. They are looked for in the results, piece by piece; how far that went is said. */
export function Failures({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element {
  const { id, progress } = job;
  const [rounds, setRounds] = useState(0);
  const search = useMemo(() => new FailureSearch(), [id]);
  const { error } = useLoaded(`failures ${id}`, `${version}/${rounds}`, async (signal) => {
    search.begin();
    const path = `/v1/jobs/${id}/results?order=completion&cursors&brief${search.after}`;
    const take = (line: string) => {
      search.take(line);
      return true;
    };
    const isAll = await api.lines(path, PAGE_FAILURE_BYTES, take, signal);
    setRounds((round) => round + (isAll ? 0 : 1));
    return search.looked;
  });
  const { groups, looked } = search;
  const ended = progress.done + progress.failed;
  return h(
    'section',
    { class: 'failures', 'aria-labelledby': 'failures' },
    h('h2', { id: 'failures' }, 'Failures'),
    error !== undefined && h('p', { class: 'fault' }, `They cannot be read: ${error}.`),
    h(
      'ul',
      null,
      groups.all.map((group) => h(Group, { key: `${group.name} ${group.message}`, job: id, group })),
    ),
    groups.others > 0 && h('p', { class: 'aside' }, `${plural(groups.others, 'more failure')} are in the download.`),
    looked < ended &&
      groups.grouped + groups.others < progress.failed &&
      h('p', { class: 'aside' }, `Looked at ${count(looked)} of ${count(ended)} outcomes so far.`),
  );
}

function Group({ job, group }: { job: number; group: FailureGroup }): JSX.Element {
  const { name, message, stack, causes, tasks, examples } = group;
  const more = tasks > examples.length ? ' …' : '';
  return h(
    'li',
    null,
    h(
      'p',
      { class: 'message' },
      h('b', { class: 'tasks-alike' }, `${count(tasks)} ×`),
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
