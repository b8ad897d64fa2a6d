import { h, type JSX } from 'preact';
import { PAGE_FAILURE_BYTES } from '../../model/limits.ts';
import { type FailureGroup, FailureGroups } from '../failures.ts';
import { count, plural } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import { outcomeIn } from '../outcomes.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';

/** Failures by what they say. They are looked for in the results, up to a bound; how far that went is said. */
export function Failures({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element {
  const { id, progress } = job;
  const { value, error } = useLoaded(`failures ${id}`, version, async (signal) => {
    const groups = new FailureGroups();
    let seen = 0;
    const take = (line: string): boolean => {
      const outcome = outcomeIn(line);
      if (outcome === undefined) return true;
      seen++;
      groups.add(outcome);
      return groups.grouped + groups.others < progress.failed;
    };
    const path = `/v1/jobs/${id}/results?order=completion`;
    const isAll = await api.lines(path, PAGE_FAILURE_BYTES, take, signal);
    return { groups, seen, isAll: isAll || groups.grouped + groups.others >= progress.failed };
  });
  return h(
    'section',
    { class: 'failures', 'aria-labelledby': 'failures' },
    h('h2', { id: 'failures' }, 'Failures'),
    value === undefined
      ? h('p', { class: 'aside' }, error ?? 'Looking for what they say…')
      : h(
          'ul',
          null,
          value.groups.all.map((group) => h(Group, { key: `${group.name} ${group.message}`, job: id, group })),
        ),
    value !== undefined &&
      value.groups.others > 0 &&
      h('p', { class: 'aside' }, `${plural(value.groups.others, 'failure')} more say something else each.`),
    value !== undefined &&
      !value.isAll &&
      h(
        'p',
        { class: 'aside' },
        `Looked at the first ${plural(value.seen, 'outcome')} only, which hold ${count(value.groups.grouped)} of ${count(progress.failed)} failures. The download holds them all.`,
      ),
  );
}

function Group({ job, group }: { job: number; group: FailureGroup }): JSX.Element {
  const { name, message, stack, tasks, examples } = group;
  const more = tasks > examples.length ? ' …' : '';
  return h(
    'li',
    null,
    h(
      'p',
      { class: 'message' },
      h('b', { class: 'tasks-alike' }, `${count(tasks)} ×`),
      ' ',
      h('bdi', null, message === '' ? name : `${name}: ${message}`),
    ),
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
