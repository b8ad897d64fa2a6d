import type { JobId, TaskIndex } from '../model/ids.ts';
import type { TaskMap } from '../model/task-map.ts';
import { count, plural } from './figures.ts';

/** How cells lie on the screen. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a cell with the gap behind it. */
  readonly size: number;
}

/** Rows that fit on a screen, beside what stands around them. */
const ROWS = 32;
const SMALLEST = 9;
const LARGEST = 22;

/** As large as the place allows: few tasks get large cells. */
export function gridOf(cells: number, width: number): Grid {
  for (let size = LARGEST; size > SMALLEST; size--) {
    const columns = Math.max(1, Math.floor(width / size));
    const rows = Math.ceil(cells / columns);
    if (rows * size <= 10 * LARGEST) return { columns, rows, size };
  }
  const columns = Math.max(1, Math.floor(width / SMALLEST));
  return { columns, rows: Math.ceil(cells / columns), size: SMALLEST };
}

/** Cells that a place of this width can show. */
export function cellsFor(width: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(width / SMALLEST) * ROWS));
}

/** The tasks of a cell. */
export function tasksIn({ total, from, cell }: TaskMap, at: number): { first: TaskIndex; count: number } {
  const first = from + at * cell;
  return { first, count: Math.min(cell, total - first) };
}

const WORDS: Readonly<Record<string, [one: string, many: string]>> = {
  d: ['done', 'all done'],
  f: ['failed', 'some failed'],
  r: ['with a worker', 'some are with workers'],
  c: ['cancelled', 'cancelled'],
  w: ['waiting', 'waiting'],
  '?': ['not read yet', 'not read yet'],
};

/** A part of the map of which nothing is read yet. */
export function unread(
  job: JobId,
  { from, count: tasks }: { from: TaskIndex; count: number },
  total: number,
  most: number,
): TaskMap {
  const cell = Math.max(1, Math.ceil(tasks / most));
  return { job, total, from, cell, states: '?'.repeat(Math.ceil(tasks / cell)), read: 0, batches: 0 };
}

/** A cell in words. */
export function wordsOf(map: TaskMap, at: number): string {
  const { first, count: tasks } = tasksIn(map, at);
  const state = map.states[at] ?? 'w';
  const [one, many] = WORDS[state] ?? ['partly done', `about ${state}0 in 100 ended`];
  if (tasks === 1) return `Task ${count(first)}: ${one}`;
  return `Tasks ${count(first)} to ${count(first + tasks - 1)}: ${many}`;
}

/** The map as a whole in words: how many cells of which state. */
export function summaryOf({ states, cell }: TaskMap): string {
  const counts = new Map<string, number>();
  for (const state of states) {
    const [one, many] = WORDS[state] ?? ['partly ended', 'partly ended'];
    const words = cell === 1 ? one : many;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  const parts = [...counts].map(([words, cells]) => `${count(cells)} ${words}`);
  return `${plural(states.length, cell === 1 ? 'task' : `cell of ${count(cell)} tasks`, cell === 1 ? 'tasks' : `cells of ${count(cell)} tasks`)}: ${parts.join(', ')}`;
}

/** The next cell with a failure behind this one, from the beginning where there is none; undefined: there is none at all. */
export function nextFailure({ states }: TaskMap, at: number): number | undefined {
  const next = states.indexOf('f', at + 1);
  const found = next === -1 ? states.indexOf('f') : next;
  return found === -1 ? undefined : found;
}

/** Where a key leads from a cell. */
export function moved(key: string, at: number, cells: number, { columns, rows }: Grid): number | undefined {
  const page = columns * Math.max(1, Math.floor(rows / 2));
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns,
    ArrowDown: at + columns,
    PageUp: at - page,
    PageDown: at + page,
    Home: 0,
    End: cells - 1,
  };
  const to = steps[key];
  return to === undefined ? undefined : Math.min(cells - 1, Math.max(0, to));
}
