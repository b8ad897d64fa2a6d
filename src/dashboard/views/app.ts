import { h, type JSX } from 'preact';
import { useEffect, useErrorBoundary, useRef } from 'preact/hooks';
import { hasEnded } from '../../model/job.ts';
import { percent } from '../figures.ts';
import type { Link } from '../page/feed-reader.ts';
import type { Page, PageState } from '../page/page.ts';
import { jobPath } from '../places.ts';
import { BootPage } from './boot.ts';
import { JobPage } from './job.ts';
import { Join } from './join.ts';
import { Overview } from './overview.ts';
import { RunPage } from './run.ts';
import { SignIn } from './sign-in.ts';
import { StateMark } from './state-mark.ts';
import { TaskPage } from './task.ts';
import { WorkerPage } from './worker.ts';

export function App({ page }: { page: Page }): JSX.Element {
  const { state } = page;
  const main = useRef<HTMLElement>(null);
  const address = location.pathname;
  const first = useRef(true);
  useEffect(() => {
    document.title = titleOf(state);
  });
  useEffect(() => {
    // Whoever cannot see that the page has changed is told by where the focus is.
    if (!first.current) main.current?.querySelector<HTMLElement>('h1')?.focus();
    first.current = false;
  }, [address]);
  return h(
    'div',
    { class: 'frame' },
    h(Top, { state }),
    h('main', { ref: main }, h(Body, { key: address, page, state })),
  );
}

function Top({ state }: { state: PageState }): JSX.Element {
  const { place, view, api } = state;
  const job = place.page === 'job' || place.page === 'task' ? place.job : undefined;
  return h(
    'header',
    { class: 'top' },
    h(
      'nav',
      { 'aria-label': 'Where you are' },
      h('a', { class: 'brand', href: '/' }, 'manyhands'),
      job !== undefined &&
        h('a', { href: jobPath(job), 'aria-current': place.page === 'job' ? 'page' : undefined }, `job ${job}`),
      place.page === 'task' && h('span', { 'aria-current': 'page' }, `task ${place.index}`),
      place.page === 'run' && h('span', { 'aria-current': 'page' }, 'run'),
      place.page === 'boot' && h('span', { 'aria-current': 'page' }, 'boot image'),
      place.page === 'worker' &&
        h('span', { 'aria-current': 'page' }, h('bdi', null, view.workers.get(place.worker)?.name ?? place.worker)),
    ),
    api !== undefined && place.page !== 'join' && h('div', { role: 'status' }, h(StateMark, linkWords(state.link))),
  );
}

function linkWords(link: Link): { word: string; tone: string } {
  switch (link.state) {
    case 'live':
      return { word: 'live', tone: 'running' };
    case 'away':
      return { word: 'no answer from the server, trying again; this is what it said last', tone: 'failed' };
    case 'refused':
      return { word: 'refused', tone: 'failed' };
    default:
      return { word: 'connecting', tone: 'waiting' };
  }
}

/** What cannot be shown takes only itself away: the way back to the other pages stays. */
function Body({ page, state }: { page: Page; state: PageState }): JSX.Element {
  const [fault, tryAgain] = useErrorBoundary();
  if (fault === undefined) return h(Content, { page, state });
  return h(
    'section',
    null,
    h('h1', { tabIndex: -1 }, 'This cannot be shown.'),
    h('p', { class: 'fault' }, `${fault}`),
    h('p', null, h('button', { type: 'button', onClick: tryAgain }, 'Try again')),
  );
}

function Content({ page, state }: { page: Page; state: PageState }): JSX.Element {
  const { place, api, link, view } = state;
  if (place.page === 'join') return h(Join, { api });
  if (link.state === 'unknown' || link.state === 'refused') {
    return h(SignIn, { refusal: link.state === 'refused' ? link : undefined, use: (token) => page.use(token) });
  }
  if (api === undefined || (!view.isComplete && view.at === 0))
    return h('p', { class: 'aside' }, 'Asking the server what there is…');
  switch (place.page) {
    case 'index':
      return h(Overview, { state, api });
    case 'job':
      return h(JobPage, { key: place.job, id: place.job, state, api });
    case 'task':
      return h(TaskPage, { key: `${place.job}/${place.index}`, job: place.job, index: place.index, state, api });
    case 'worker':
      return h(WorkerPage, { key: place.worker, id: place.worker, state, api, leave: () => page.go('/') });
    case 'boot':
      return h(BootPage, { api });
    case 'run':
      return h(RunPage, { state, api, go: (path) => page.go(path) });
    case 'nowhere':
      return h('p', null, 'There is nothing at this address. ', h('a', { href: '/' }, 'To the start'));
  }
}

/** What a tab says while another is looked at. */
function titleOf({ place, view }: PageState): string {
  if (place.page === 'join') return 'Join · manyhands';
  if (place.page === 'run') return 'Run a function · manyhands';
  if (place.page === 'boot') return 'Boot image · manyhands';
  if (place.page === 'worker') return `${view.workers.get(place.worker)?.name ?? place.worker} · manyhands`;
  if (place.page === 'task') return `Task ${place.index} of job ${place.job} · manyhands`;
  if (place.page === 'job') {
    const row = view.jobs.get(place.job);
    if (row === undefined) return `Job ${place.job} · manyhands`;
    const { state, total, done, failed, cancelled } = row.progress;
    const how = hasEnded(state) ? state : percent(done + failed + cancelled, total);
    return `${how} · ${row.spec.name} · manyhands`;
  }
  return 'manyhands';
}
