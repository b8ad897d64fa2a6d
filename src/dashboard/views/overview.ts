import { h, type JSX } from 'preact';
import { slotsOf } from '../../model/farm-history.ts';
import { hasEnded } from '../../model/job.ts';
import { barsOf, type ChartBar, spanOf } from '../chart-bars.ts';
import { briefCount, count, plural, rate } from '../figures.ts';
import type { FarmView } from '../fold.ts';
import type { Api } from '../page/api.ts';
import type { PageState } from '../page/page.ts';
import { AddDevice } from './add-device.ts';
import { Chart } from './chart.ts';
import { FirstJob } from './first-job.ts';
import { Health } from './health.ts';
import { JobList } from './job-list.ts';
import { ServerList } from './server-list.ts';
import { WorkerList } from './worker-list.ts';

const BARS = 60;
/** Bars that say what happens now: the last whole one, and the one that grows. */
const LATEST = 2;

/** What the farm does now. */
export function Overview({ state, api }: { state: PageState; api: Api }): JSX.Element {
  const { view, now, me } = state;
  const { lost, retried } = view.tallies;
  return h(
    'div',
    { class: 'overview' },
    h(Now, { view, now }),
    view.jobs.size === 0
      ? h(FirstJob, {})
      : h(JobList, { jobs: view.jobs.values(), now, canRun: me?.role === 'admin' || me?.role === 'submit' }),
    view.workers.size > 0 && h(WorkerList, { workers: view.workers.values(), now }),
    view.servers.length > 1 && h(ServerList, { servers: view.servers, now }),
    h(
      'div',
      { class: 'panels' },
      h(AddDevice, { api, isAdmin: me?.role === 'admin' }),
      h(Health, { api, now, lost, retried }),
    ),
  );
}

function Now({ view, now }: { view: FarmView; now: number }): JSX.Element {
  const span = spanOf(view.history, now);
  const bars = barsOf(view.history, now, span, BARS);
  const { busy, slots, present } = slotsOf(view.workers.values());
  const rates = bars.map((bar) => bar.rate);
  const most = Math.max(0, ...rates.map((value) => value ?? 0));
  const current = currentRate(bars);
  let waiting = 0;
  for (const job of view.jobs.values()) if (!hasEnded(job.progress.state)) waiting += job.waiting;
  return h(
    'section',
    { class: 'now', 'aria-labelledby': 'now' },
    h('h1', { id: 'now', tabIndex: -1 }, headline(current, busy, slots, present)),
    h(
      'div',
      { class: 'charts' },
      h(Chart, { kind: 'rate', title: 'Tasks a second', span, values: rates, latest: rate(current), most: rate(most) }),
      h(Chart, {
        kind: 'busy',
        title: 'Busy slots',
        span,
        values: bars.map((bar) => bar.busy),
        full: slots,
        latest: `${count(busy)} of ${count(slots)}`,
        most: count(Math.max(0, ...bars.map((bar) => bar.busy ?? 0))),
      }),
    ),
    h(Figures, { waiting, running: busyTasks(view), done: view.tallies.done, failed: view.tallies.failed }),
  );
}

function currentRate(bars: readonly ChartBar[]): number {
  const known = bars.slice(-LATEST).filter((bar) => bar.rate !== undefined);
  return known.at(-1)?.rate ?? 0;
}

function busyTasks({ workers }: FarmView): number {
  let running = 0;
  for (const worker of workers.values()) running += worker.state === 'lost' ? 0 : worker.busy;
  return running;
}

/** One sentence that a person would say. */
function headline(current: number, busy: number, slots: number, workers: number): string {
  if (workers === 0) return 'No worker is here yet.';
  const where = `${plural(slots, 'slot')} of ${plural(workers, 'worker')}`;
  if (busy === 0 && current === 0) return `Idle: ${where} ${slots === 1 ? 'is' : 'are'} free.`;
  // Long tasks end rarely: what is told is that they run.
  if (current === 0) return `${count(busy)} of ${where} ${busy === 1 ? 'is' : 'are'} busy.`;
  return `${rate(current)} tasks a second on ${where}.`;
}

function Figures({
  waiting,
  running,
  done,
  failed,
}: Record<'waiting' | 'running' | 'done' | 'failed', number>): JSX.Element {
  const figures: [string, number, string][] = [
    ['waiting', waiting, 'Tasks that wait'],
    ['running', running, 'Tasks that run now'],
    ['done', done, 'Tasks done since the server started'],
    ['failed', failed, 'Tasks failed since the server started'],
  ];
  return h(
    'dl',
    { class: 'figures' },
    figures.map(([name, value, title]) =>
      h(
        'div',
        { key: name, class: name === 'failed' && value > 0 ? 'bad' : '' },
        h('dt', { title }, name),
        h('dd', { title: count(value) }, briefCount(value)),
      ),
    ),
  );
}
