import { h, type JSX } from 'preact';
import type { ServerView } from '../../model/feed.ts';
import { ago, count } from '../figures.ts';
import { StateMark } from './state-mark.ts';
import { Table } from './table.ts';

/** The servers that share this farm's store: each has the workers that are connected to it, and what these run. */
export function ServerList({ servers, now }: { servers: readonly ServerView[]; now: number }): JSX.Element {
  return h(
    'section',
    { 'aria-labelledby': 'servers' },
    h('h2', { id: 'servers' }, 'Servers'),
    h(Table, {
      // Laid out as workers are.
      kind: 'workers servers',
      heads: ['Server', 'State', 'Workers', 'Tasks with workers', 'Began'],
      rows: servers.map((server) => h(ServerLine, { key: server.url, server, now })),
    }),
  );
}

function ServerLine({ server, now }: { server: ServerView; now: number }): JSX.Element {
  const { url, here, workers, running, since } = server;
  return h(
    'tr',
    null,
    h('th', { scope: 'row' }, h('bdi', null, hostOf(url)), here === true && h('small', null, 'this one')),
    h('td', { 'data-head': 'State' }, h(StateMark, stateOf(server, now))),
    h('td', { 'data-head': 'Workers' }, count(workers)),
    h('td', { 'data-head': 'Tasks with workers' }, count(running)),
    h('td', { 'data-head': 'Began' }, ago(now - since)),
  );
}

function stateOf({ leaving, rewoundAt }: ServerView, now: number): { word: string; tone: string } {
  if (rewoundAt !== undefined)
    return { word: `its database may have lost what was written last, ${ago(now - rewoundAt)}`, tone: 'failed' };
  return leaving === true ? { word: 'leaving', tone: 'waiting' } : { word: 'ready', tone: 'done' };
}

/** As much of its address as tells servers apart. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
