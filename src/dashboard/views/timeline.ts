import { h, type JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { hasEnded } from '../../model/job.ts';
import type { Timeline } from '../../model/timeline.ts';
import { count, duration, plural } from '../figures.ts';
import type { FarmView, JobRow } from '../fold.ts';
import { nameOfWorker } from '../names.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { layOut, momentOf, sharesOf } from '../past.ts';
import { workerPath } from '../places.ts';
import { panned, type Span, showing, zoomed } from '../window.ts';
import { MomentWords } from './moment.ts';
import { Scrubber, usePlay } from './scrubber.ts';
import { Table } from './table.ts';
import { TimelineCanvas } from './timeline-canvas.ts';

export interface TimelineProps {
  readonly job: JobRow;
  readonly api: Api;
  /** Of the whole time. */
  readonly timeline: Timeline;
  readonly workers: FarmView['workers'];
}

/** When what ran where: a lane a slot, a bar a batch. */
export function TimelineSection({ job, api, timeline, workers }: TimelineProps): JSX.Element {
  const [chosen, setChosen] = useState<Span>();
  const [moment, setMoment] = useState<number>();
  const whole = wholeOf(job, timeline);
  const shown = chosen ?? whole;
  const close = useClose(api, job, timeline, chosen);
  const slotsOf = (worker: string) => workers.get(worker)?.slots;
  const nameOf = (worker: string) => nameOfWorker(workers, worker);
  const past = useMemo(() => layOut(close, slotsOf), [close, workers.size]);
  const told = useMemo(() => layOut(timeline, slotsOf), [timeline, workers.size]);
  const show = (span: Span) => setChosen(span.from <= whole.from && span.to >= whole.to ? undefined : span);
  const look = (at: number) => {
    setMoment(at);
    show(showing(shown, whole, at));
  };
  const play = usePlay({ whole, moment, look });
  const choose = (at: number) => {
    play.stop();
    look(at);
  };
  return h(
    'section',
    { class: 'timeline', 'aria-labelledby': 'timeline' },
    h('h2', { id: 'timeline' }, 'Timeline'),
    h(Controls, { shown, whole, moment, show }),
    h(TimelineCanvas, {
      past,
      shown,
      whole,
      moment,
      nameOf,
      show,
      look: choose,
      label: labelOf(timeline, told.length, whole),
    }),
    h(Legend, null),
    h(Scrubber, { whole, moment, look: choose, play: hasEnded(job.progress.state) ? play : undefined }),
    moment !== undefined &&
      h(MomentWords, {
        job: job.id,
        at: moment,
        whole,
        moment: momentOf(timeline, told, moment),
        total: job.progress.total,
        isPassing: play.isPlaying,
        nameOf,
      }),
    timeline.step > 1 &&
      h(
        'p',
        { class: 'aside' },
        close.step > 1
          ? `Of ${count(close.batches)} batches one in ${close.step} is drawn; zoom in to see them all.`
          : `All ${count(close.batches)} batches of this time are drawn.`,
      ),
    timeline.isCut && h('p', { class: 'aside' }, 'Of what came to nothing only the first part is drawn.'),
    h(Shares, { timeline, nameOf }),
  );
}

/** From the first grant to the end, or to now. */
function wholeOf({ progress }: JobRow, { bars, at }: Timeline): Span {
  const { startedAt = at, endedAt, state } = progress;
  const first = bars.reduce((least, { from }) => Math.min(least, from), startedAt);
  const last = bars.reduce((most, { to }) => Math.max(most, to), first);
  const to = hasEnded(state) ? Math.max(endedAt ?? last, last) : Math.max(at, last);
  return { from: first, to: Math.max(to, first + 1) };
}

/** Of a long past only a part is told at once: of the time that is looked at all of it, once the view rests. */
function useClose(api: Api, job: JobRow, timeline: Timeline, chosen: Span | undefined): Timeline {
  const isNeeded = timeline.step > 1 && chosen !== undefined;
  const key = isNeeded ? `timeline ${job.id}` : '';
  const version = isNeeded ? `${chosen.from}/${chosen.to}/${job.progress.segments}` : '';
  const { value } = useLoaded(key, version, (signal) => {
    const { from, to } = chosen ?? { from: 0, to: 0 };
    const query = `from=${Math.max(0, Math.floor(from))}&to=${Math.ceil(to)}&limit=2000`;
    return api.json<Timeline>(`/v1/jobs/${job.id}/timeline?${query}`, signal);
  });
  return isNeeded && value !== undefined ? value : timeline;
}

function labelOf({ batches, bars }: Timeline, workers: number, whole: Span): string {
  const failed = bars.some((bar) => bar.failed > 0) ? ', some with failures' : '';
  return `${plural(batches, 'batch', 'batches')} on ${plural(workers, 'worker')} in ${duration(whole.to - whole.from)}${failed}`;
}

/** All that the mouse can do, for keys and fingers. */
function Controls(props: {
  shown: Span;
  whole: Span;
  moment: number | undefined;
  show: (span: Span) => void;
}): JSX.Element {
  const { shown, whole, moment, show } = props;
  const middle =
    moment !== undefined && moment >= shown.from && moment <= shown.to ? moment : (shown.from + shown.to) / 2;
  const isWhole = shown.from <= whole.from && shown.to >= whole.to;
  const step = (shown.to - shown.from) / 4;
  const button = (label: string, run: () => void, isOff = false) =>
    h('button', { key: label, type: 'button', class: 'quiet', disabled: isOff, onClick: run }, label);
  return h(
    'div',
    { class: 'pages', role: 'group', 'aria-label': 'What is shown of the timeline' },
    h(
      'span',
      { class: 'aside' },
      isWhole
        ? `All of ${duration(whole.to - whole.from)}`
        : `${duration(shown.to - shown.from)} of ${duration(whole.to - whole.from)}`,
    ),
    button('Zoom in', () => show(zoomed(shown, whole, 1 / 2, middle))),
    button('Zoom out', () => show(zoomed(shown, whole, 2, middle)), isWhole),
    button('Back', () => show(panned(shown, whole, -step)), shown.from <= whole.from),
    button('On', () => show(panned(shown, whole, step)), shown.to >= whole.to),
    button('Whole', () => show(whole), isWhole),
  );
}

function Legend(): JSX.Element {
  const tones = [
    ['done', 'done'],
    ['failed', 'with failures'],
    ['running', 'running'],
    ['lost', 'came to nothing'],
  ] as const;
  return h(
    'ul',
    { class: 'legend', 'aria-label': 'Colours' },
    tones.map(([tone, words]) => h('li', { key: tone, class: tone }, h('i', { 'aria-hidden': 'true' }), words)),
  );
}

/** The same in figures, for those who do not see the picture. */
function Shares({ timeline, nameOf }: { timeline: Timeline; nameOf: (worker: string) => string }): JSX.Element | null {
  const shares = sharesOf(timeline);
  if (shares.length === 0) return null;
  const about = timeline.step > 1 ? 'about ' : '';
  return h(
    'details',
    { class: 'shares' },
    h('summary', null, 'By worker'),
    h(Table, {
      heads: ['Worker', 'Batches', 'Tasks', 'Failed', 'Busy for'],
      rows: shares.slice(0, MOST_SHARES).map(({ worker, batches, tasks, failed, busy }) =>
        h(
          'tr',
          { key: worker },
          h('th', { scope: 'row' }, h('a', { href: workerPath(worker) }, h('bdi', null, nameOf(worker)))),
          [batches, tasks, failed].map((each, i) => h('td', { key: i }, `${about}${count(each)}`)),
          h('td', null, `${about}${duration(busy)}`),
        ),
      ),
    }),
    shares.length > MOST_SHARES &&
      h('p', { class: 'aside' }, `and ${plural(shares.length - MOST_SHARES, 'other worker')}, which did less`),
  );
}

const MOST_SHARES = 50;
