import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { PAGE_LIST } from '../../model/page-limits.ts';
import type { WorkerState } from '../../model/worker.ts';
import { ago, count, rate } from '../figures.ts';
import type { WorkerRow } from '../fold.ts';
import { rateOf } from '../pace.ts';
import { workerPath } from '../places.ts';
import { StateMark } from './state-mark.ts';
import { Table } from './table.ts';

/** Slots that are drawn one by one. */
const DRAWN_SLOTS = 16;

export function workerState(worker: { state: WorkerState; busy: number }): { word: string; tone: string } {
  switch (worker.state) {
    case 'ready':
      return worker.busy > 0 ? { word: 'busy', tone: 'running' } : { word: 'idle', tone: 'idle' };
    case 'draining':
      return { word: 'draining', tone: 'waiting' };
    case 'suspended':
      return { word: 'set aside', tone: 'failed' };
    case 'lost':
      return { word: 'lost', tone: 'failed' };
  }
}

/** The feed does not tell every beat of every worker, but it does tell when one has missed them. */
export function lastSeen({ state, lastHeardAt }: WorkerRow, now: number): string {
  return state === 'lost' ? ago(now - lastHeardAt) : 'now';
}

export function WorkerList({ workers, now }: { workers: Iterable<WorkerRow>; now: number }): JSX.Element {
  const [showsAll, showAll] = useState(false);
  const all = [...workers].sort((a, b) => b.slots - a.slots || compare(a.name, b.name) || compare(a.id, b.id));
  const shown = showsAll ? all : all.slice(0, PAGE_LIST);
  const names = all.map(({ name }) => name);
  const isNamesake = ({ name }: WorkerRow) => names.indexOf(name) !== names.lastIndexOf(name);
  return h(
    'section',
    { 'aria-labelledby': 'workers' },
    h('h2', { id: 'workers' }, 'Workers'),
    h(Table, {
      kind: 'workers',
      heads: ['Worker', 'State', 'Slots', 'Speed', 'Done', 'Failed', 'Last seen'],
      rows: shown.map((worker) => h(WorkerLine, { key: worker.id, worker, now, isNamesake: isNamesake(worker) })),
    }),
    all.length > shown.length &&
      h(
        'button',
        { type: 'button', class: 'quiet', onClick: () => showAll(true) },
        `Show ${count(all.length - shown.length)} more`,
      ),
  );
}

/** Workers of one machine have its name; then a part of what tells them apart stands beside it. */
function WorkerLine(props: { worker: WorkerRow; now: number; isNamesake: boolean }): JSX.Element {
  const { worker, now, isNamesake } = props;
  const speed = rateOf(worker.pace, now);
  return h(
    'tr',
    null,
    h(
      'th',
      { scope: 'row' },
      h('a', { href: workerPath(worker.id) }, h('bdi', null, worker.name)),
      h('small', null, isNamesake ? `${worker.kind} ${worker.id.slice(0, 4)}` : worker.kind),
    ),
    h('td', { 'data-head': 'State' }, h(StateMark, workerState(worker))),
    h('td', { 'data-head': 'Slots' }, h(Slots, worker)),
    h('td', { 'data-head': 'Speed' }, speed === undefined ? '–' : `${rate(speed)}/s`),
    h('td', { 'data-head': 'Done' }, count(worker.done)),
    h('td', { 'data-head': 'Failed', class: worker.failed > 0 ? 'bad' : '' }, count(worker.failed)),
    h('td', { 'data-head': 'Last seen' }, lastSeen(worker, now)),
  );
}

/** A square for each slot, filled where it works. */
export function Slots({ busy, slots }: { busy: number; slots: number }): JSX.Element {
  const works = Math.min(busy, slots);
  const words = `${count(works)} of ${count(slots)} busy`;
  if (slots > DRAWN_SLOTS) return h('span', null, words);
  const squares = Array.from({ length: slots }, (_, i) =>
    h('rect', { key: i, class: i < works ? 'on' : 'off', x: i * 12 + 0.5, y: 0.5, width: 9, height: 9, rx: 2 }),
  );
  return h(
    'svg',
    {
      class: 'slots',
      role: 'img',
      'aria-label': words,
      width: slots * 12 - 2,
      height: 10,
      viewBox: `0 0 ${slots * 12 - 2} 10`,
    },
    squares,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
