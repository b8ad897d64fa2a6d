import { h, type JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { bytes, count, duration, rate } from '../figures.ts';
import { type Metrics, readMetrics } from '../metrics.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { Facts } from './facts.ts';

/** Seconds between two looks. */
const EVERY = 5;

interface Look {
  readonly at: number;
  readonly metrics: Metrics;
}

/** How the server itself is, from the figures that it gives to any monitoring. */
export function Health({
  api,
  now,
  lost,
  retried,
}: {
  api: Api;
  now: number;
  lost: number;
  retried: number;
}): JSX.Element {
  const before = useRef<Look | undefined>(undefined);
  const { value, error } = useLoaded('metrics', Math.floor(now / (EVERY * 1_000)), async (signal) => {
    const look: Look = { at: performance.now(), metrics: readMetrics(await api.text('/metrics', signal)) };
    const last = before.current;
    before.current = look;
    return { look, last };
  });
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'server' },
    h('h2', { id: 'server' }, 'Server'),
    value === undefined
      ? h('p', { class: 'aside' }, error ?? 'Asking how it is…')
      : h(Facts, { facts: factsOf(value.look, value.last, now, lost, retried) }),
  );
}

function factsOf({ at, metrics }: Look, last: Look | undefined, now: number, lost: number, retried: number) {
  const figure = (name: string) => metrics.get(`manyhands_${name}`) ?? 0;
  const gained = (name: string) => figure(name) - (last?.metrics.get(`manyhands_${name}`) ?? 0);
  const seconds = last === undefined ? now / 1_000 - figure('process_start_time_seconds') : (at - last.at) / 1_000;
  const commits = gained('commits_total');
  const perCommit = commits > 0 ? (gained('commit_seconds_total') / commits) * 1_000 : undefined;
  const failures = figure('commit_failures_total');
  const facts: [string, string][] = [
    ['Up', duration(now - figure('process_start_time_seconds') * 1_000)],
    ['Memory', bytes(figure('process_resident_memory_bytes'))],
    ['CPU', `${rate((gained('process_cpu_seconds_total') / seconds) * 100)} % of a core`],
    ['Commits', `${rate(commits / seconds)}/s`],
    ['A commit takes', perCommit === undefined ? '–' : duration(perCommit)],
    ['Connections', count(figure('connections'))],
    ['Attempts lost', count(lost)],
    ['Attempts retried', count(retried)],
  ];
  if (failures > 0) facts.push(['Commits refused', count(failures)]);
  return facts;
}
