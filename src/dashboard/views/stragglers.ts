import { h, type JSX } from 'preact';
import type { Timeline, TimelineAttempt } from '../../model/timeline.ts';
import { type Durations, stragglersOf } from '../durations.ts';
import { duration, plural } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import { taskPath, workerPath } from '../places.ts';

const SHOWN = 8;

/** Tasks that took far longer than the others, and what was done about such tasks. */
export function Stragglers(props: {
  job: JobRow;
  timeline: Timeline;
  durations: Durations;
  nameOf: (worker: string) => string;
}): JSX.Element | null {
  const { job, timeline, durations, nameOf } = props;
  const slow = stragglersOf(timeline.bars, durations.median, SHOWN);
  const outrun = timeline.attempts.filter(({ outcome }) => outcome === 'superseded');
  const done = doneAbout(job);
  if (slow.length + done.length === 0) return null;
  return h(
    'section',
    { 'aria-labelledby': 'stragglers' },
    h('h2', { id: 'stragglers' }, 'Stragglers'),
    done.map((sentence) => h('p', { key: sentence.replace(/\d/g, '') }, sentence)),
    outrun.length > 0 &&
      h(
        'ul',
        { class: 'stragglers', 'aria-label': 'Attempts that another copy was faster than' },
        outrun.slice(0, SHOWN).map((attempt) => h(Outrun, { key: attempt.lease, job: job.id, attempt, nameOf })),
      ),
    slow.length > 0 && h('h3', null, timeline.step === 1 ? 'The slowest' : 'The slowest of those that were looked at'),
    slow.length > 0 &&
      h(
        'ul',
        { class: 'stragglers' },
        slow.map(({ bar, time, times }) =>
          h(
            'li',
            { key: bar.seq },
            h('b', null, duration(time)),
            h(
              'span',
              null,
              h('a', { href: taskPath(job.id, bar.first) }, `task ${bar.first}`),
              bar.tasks > 1 && ` and ${plural(bar.tasks - 1, 'more', 'more')}`,
              ' on ',
              h('a', { href: workerPath(bar.worker) }, h('bdi', null, nameOf(bar.worker))),
              `, ${times < 100 ? times.toFixed(times < 10 ? 1 : 0) : 'more than 100'} times the median`,
            ),
          ),
        ),
      ),
  );
}

function Outrun(props: { job: number; attempt: TimelineAttempt; nameOf: (worker: string) => string }): JSX.Element {
  const { job, attempt, nameOf } = props;
  const { index, worker, startedAt, endedAt, message } = attempt;
  return h(
    'li',
    null,
    h('b', null, startedAt === undefined ? '' : duration(endedAt - startedAt)),
    h(
      'span',
      null,
      h('a', { href: taskPath(job, index) }, `task ${index}`),
      ' on ',
      h('a', { href: workerPath(worker) }, h('bdi', null, nameOf(worker))),
      ': ',
      message,
    ),
  );
}

/** What the server did so that nothing waits for one slow device. */
function doneAbout({ progress }: JobRow): string[] {
  const { copied = 0, recalled = 0, lost } = progress;
  const sentences: string[] = [];
  if (copied > 0)
    sentences.push(
      `${plural(copied, 'task')} ran far longer than the others and got a second copy on another worker; the first outcome counted.`,
    );
  if (recalled > 0)
    sentences.push(
      `${plural(recalled, 'task was', 'tasks were')} taken back from the queue of one worker and given to others that had nothing to do.`,
    );
  if (lost > 0)
    sentences.push(
      `${plural(lost, 'attempt was', 'attempts were')} lost with their workers and begun again elsewhere.`,
    );
  return sentences;
}
