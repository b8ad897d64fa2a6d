import { h, type JSX } from 'preact';
import { count, duration, plural } from '../figures.ts';
import type { Moment, Stretch } from '../past.ts';
import { taskPath } from '../places.ts';
import type { Span } from '../window.ts';

/** Batches that are named. */
const SHOWN = 6;

/** What went on at a moment, in words. */
export function MomentWords(props: {
  job: number;
  at: number;
  whole: Span;
  moment: Moment;
  total: number;
  /** Another moment comes at once: none is read out before the last. */
  isPassing: boolean;
  nameOf: (worker: string) => string;
}): JSX.Element {
  const { job, at, whole, moment, total, isPassing, nameOf } = props;
  const { busy, ended, failed, isRough, stretches } = moment;
  const about = isRough ? 'about ' : '';
  const facts = [
    `${duration(at - whole.from)} after the start, at ${new Date(at).toLocaleTimeString()}`,
    `${about}${plural(busy, 'slot')} busy`,
    `${about}${count(Math.min(total, ended))} of ${plural(total, 'task')} ended${failed > 0 ? `, ${about}${count(failed)} failed` : ''}`,
  ];
  return h(
    'div',
    { class: 'moment' },
    h('p', { role: 'status', 'aria-live': isPassing ? 'off' : 'polite' }, `${facts.join('; ')}.`),
    h(
      'ul',
      { 'aria-label': 'What ran' },
      stretches
        .slice(0, SHOWN)
        .map((each) => h('li', { key: `${each.worker}/${each.first}/${each.from}` }, ...wordsOf(job, each, nameOf))),
    ),
    stretches.length > SHOWN && h('p', { class: 'aside' }, `and ${count(stretches.length - SHOWN)} more`),
  );
}

function wordsOf(job: number, stretch: Stretch, nameOf: (worker: string) => string) {
  const { first, tasks, worker, from, to, tone, failed, message } = stretch;
  const others = tasks > 1 ? ` and ${count(tasks - 1)} more` : '';
  const took = tone === 'running' ? 'runs' : duration(to - from);
  const how = tone === 'failed' ? `, ${count(failed)} failed` : message === undefined ? '' : `: ${message}`;
  return [
    h('a', { key: 'task', href: taskPath(job, first) }, `task ${first}`),
    `${others} on `,
    h('bdi', { key: 'worker' }, nameOf(worker)),
    `, ${took}${how}`,
  ];
}
