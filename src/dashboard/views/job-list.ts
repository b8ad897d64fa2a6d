import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { hasEnded } from '../../model/job.ts';
import { PAGE_LIST } from '../../model/page-limits.ts';
import { count, percent } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import { jobPath } from '../places.ts';
import { Bar } from './bar.ts';
import { factsOf, stateOf } from './job-words.ts';
import { StateMark } from './state-mark.ts';

/** Ended jobs that are shown without being asked for. */
const ENDED_SHOWN = 6;

/** Jobs that go on first, newest first; then those that have ended, the latest end first. */
export function JobList(props: { jobs: Iterable<JobRow>; now: number; canRun: boolean }): JSX.Element {
  const { jobs, now, canRun } = props;
  const [showsAll, showAll] = useState(false);
  const all = [...jobs];
  const live = all.filter((job) => !hasEnded(job.progress.state)).sort((a, b) => b.id - a.id);
  const ended = all
    .filter((job) => hasEnded(job.progress.state))
    .sort((a, b) => (b.progress.endedAt ?? 0) - (a.progress.endedAt ?? 0) || b.id - a.id);
  const shownLive = showsAll ? live : live.slice(0, PAGE_LIST);
  const shownEnded = showsAll ? ended : ended.slice(0, ENDED_SHOWN);
  const hidden = all.length - shownLive.length - shownEnded.length;
  return h(
    'section',
    { 'aria-labelledby': 'jobs' },
    h(
      'div',
      { class: 'heading' },
      h('h2', { id: 'jobs' }, 'Jobs'),
      canRun && h('a', { href: '/run' }, 'Run a function'),
    ),
    h(
      'ul',
      { class: 'jobs' },
      shownLive.map((job) => h(JobItem, { key: job.id, job, now })),
      shownEnded.map((job) => h(JobItem, { key: job.id, job, now })),
    ),
    hidden > 0 &&
      h('button', { type: 'button', class: 'quiet', onClick: () => showAll(true) }, `Show ${count(hidden)} more`),
  );
}

function JobItem({ job, now }: { job: JobRow; now: number }): JSX.Element {
  const { progress, spec } = job;
  const isLive = !hasEnded(progress.state);
  const ended = progress.done + progress.failed + progress.cancelled;
  return h(
    'li',
    { class: isLive ? 'live' : 'ended' },
    h(
      'div',
      { class: 'title' },
      h('a', { href: jobPath(job.id) }, h('span', { class: 'number' }, `${job.id}`), ' ', h('bdi', null, spec.name)),
      h(StateMark, stateOf(job)),
      isLive && h('span', { class: 'percent' }, percent(ended, progress.total)),
    ),
    isLive && h(Bar, { job }),
    h(
      'p',
      { class: 'facts' },
      factsOf(job, now).map((fact) => h('span', { key: fact.replace(/\d/g, '') }, fact)),
    ),
  );
}
