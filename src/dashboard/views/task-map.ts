import { h, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { BLOCK_TASKS } from '../../model/limits.ts';
import type { TaskMap } from '../../model/task-map.ts';
import { cellsFor, type Grid, gridOf, moved, nextFailure, summaryOf, tasksIn, unread, wordsOf } from '../cells.ts';
import { count, percent } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';
import { colorOf, useCanvas } from './use-canvas.ts';

/** Tasks that are looked at more closely. */
interface Part {
  readonly from: number;
  readonly count: number;
}

/** All tasks of a job as one picture: coloured by how they stand; a click leads closer, and at last to the task's page. */
export function TaskMapSection({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element | null {
  const { id, progress, running } = job;
  const { total } = progress;
  const [parts, setParts] = useState<readonly Part[]>([]);
  const [width, setWidth] = useState(0);
  const part = parts.at(-1) ?? { from: 0, count: total };
  const isAll = parts.length === 0;
  const key = width === 0 || total === 0 ? '' : `map ${id} ${isAll ? 'all' : part.from} ${width}`;
  const { value, error, again } = useLoaded(key, `${version}/${total}/${running}`, (signal) => {
    const query = `from=${part.from}${isAll ? '' : `&count=${part.count}`}&cells=${cellsFor(width, BLOCK_TASKS)}`;
    return api.json<TaskMap>(`/v1/jobs/${id}/map?${query}`, signal);
  });
  const known = useRef(new Map<string, TaskMap>());
  if (value !== undefined) known.current.set(key, value);
  // Whoever goes closer or back sees where he is at once; what is not read yet says so.
  const map =
    value ?? known.current.get(key) ?? (isAll ? undefined : unread(id, part, total, cellsFor(width, BLOCK_TASKS)));
  const isBehind = value !== undefined && value.read < value.batches;
  useEffect(() => {
    if (isBehind) again();
  }, [value]);
  if (total === 0) return null;
  return h(
    'section',
    { class: 'task-map', 'aria-labelledby': 'map' },
    h('h2', { id: 'map' }, 'Map'),
    error !== undefined && h('p', { class: 'fault' }, `The map cannot be read: ${error}.`),
    h(Picture, {
      map,
      job: id,
      onWidth: setWidth,
      enter: (next) => setParts([...parts, next]),
      leave: isAll ? undefined : () => setParts(parts.slice(0, -1)),
    }),
    isBehind && h('p', { class: 'aside' }, `Read so far: ${percent(value.read, value.batches)} of what is recorded.`),
  );
}

interface PictureProps {
  readonly map: TaskMap | undefined;
  readonly job: number;
  readonly onWidth: (width: number) => void;
  readonly enter: (part: Part) => void;
  readonly leave: (() => void) | undefined;
}

function Picture({ map, job, onWidth, enter, leave }: PictureProps): JSX.Element {
  const { at, choose } = useChoice(map);
  const link = useRef<HTMLAnchorElement>(null);
  const cells = map?.states.length ?? 0;
  const drawn = useRef(0);
  const { canvas, width } = useCanvas(drawn.current, (context, size) => {
    if (map !== undefined) drawMap(context, map, gridOf(cells, size.width), at);
  });
  const grid = gridOf(cells, Math.max(1, width));
  const [, redraw] = useState(0);
  // The height follows from the width, which is known only once the place is there.
  useEffect(() => {
    drawn.current = grid.rows * grid.size;
    redraw((round) => round + 1);
    if (width > 0) onWidth(width);
  }, [width, cells]);
  const open = (cell: number) => {
    if (map === undefined) return;
    const { first, count: tasks } = tasksIn(map, cell);
    if (tasks > 1) enter({ from: first, count: tasks });
    else link.current?.click();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event.key, at ?? 0, cells, grid);
    // Whoever comes to the map is at its first cell.
    if (next !== undefined) choose(at === undefined && event.key.startsWith('Arrow') ? 0 : next);
    else if (event.key === 'Enter' && at !== undefined) open(at);
    else if (event.key === 'Escape' && leave !== undefined) leave();
    else return;
    event.preventDefault();
  };
  const chosen = map === undefined || at === undefined ? undefined : tasksIn(map, at);
  const label = 'Map of tasks: arrow keys move, Enter opens';
  return h(
    'div',
    null,
    h(Around, { map, leave, failure: map === undefined ? undefined : nextFailure(map, at ?? -1), choose }),
    h(
      'div',
      { class: 'canvas', tabIndex: 0, role: 'group', 'aria-label': label, onKeyDown },
      h('canvas', {
        ref: canvas,
        role: 'img',
        'aria-label': map === undefined ? 'Not read yet' : summaryOf(map),
        onPointerMove: (event: PointerEvent) => {
          const cell = event.pointerType === 'mouse' ? cellUnder(event, grid, cells) : undefined;
          if (cell !== undefined) choose(cell);
        },
        onClick: (event: MouseEvent) => {
          const cell = cellUnder(event, grid, cells);
          if (cell === undefined) return;
          choose(cell);
          // The link to the task is there once the choice is drawn.
          requestAnimationFrame(() => open(cell));
        },
      }),
    ),
    h(
      'p',
      { class: 'chosen' },
      h('span', { role: 'status' }, map === undefined || at === undefined ? ' ' : wordsOf(map, at)),
      ' ',
      chosen?.count === 1 && h('a', { ref: link, href: taskPath(job, chosen.first) }, `Open task ${chosen.first}`),
    ),
  );
}

/** The cell that was chosen; what was chosen in another part means nothing here. */
function useChoice(map: TaskMap | undefined): { at: number | undefined; choose: (cell: number) => void } {
  const [chosen, setChosen] = useState<{ from: number; cell: number; at: number }>();
  const isHere = chosen !== undefined && chosen.from === map?.from && chosen.cell === map.cell;
  const choose = (cell: number) => {
    if (map === undefined) return;
    setChosen({ from: map.from, cell: map.cell, at: Math.min(map.states.length - 1, Math.max(0, cell)) });
  };
  return { at: isHere && chosen.at < map.states.length ? chosen.at : undefined, choose };
}

function cellUnder(event: MouseEvent, { columns, size }: Grid, cells: number): number | undefined {
  const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const column = Math.floor((event.clientX - left) / size);
  const cell = Math.floor((event.clientY - top) / size) * columns + column;
  return column < columns && cell >= 0 && cell < cells ? cell : undefined;
}

/** What is shown, and how to get away from it. */
function Around(props: {
  map: TaskMap | undefined;
  leave: (() => void) | undefined;
  failure: number | undefined;
  choose: (cell: number) => void;
}): JSX.Element {
  const { map, leave, failure, choose } = props;
  const shown = map === undefined ? '' : shownOf(map);
  return h(
    'div',
    { class: 'pages' },
    h('span', { class: 'aside' }, shown),
    leave !== undefined && h('button', { type: 'button', class: 'quiet', onClick: leave }, 'Back to all'),
    failure !== undefined &&
      h('button', { type: 'button', class: 'quiet', onClick: () => choose(failure) }, 'Next failure'),
  );
}

function shownOf({ total, from, cell, states }: TaskMap): string {
  const until = Math.min(total, from + cell * states.length);
  if (total === 1) return 'The only task';
  const each = cell === 1 ? 'each cell is a task' : `each cell is ${count(cell)} tasks`;
  return from === 0 && until === total
    ? `All ${count(total)}; ${each}`
    : `${count(from)} to ${count(until - 1)}; ${each}`;
}

const NAMES = ['accent', 'accent-soft', 'bad', 'line', 'soft', 'ink', 'paper'];

function drawMap(context: CanvasRenderingContext2D, map: TaskMap, grid: Grid, at: number | undefined): void {
  const { canvas } = context;
  const [accent, soft, bad, line, grey, ink, paper] = NAMES.map((name) => colorOf(canvas, name)) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const colors: Readonly<Record<string, string>> = { d: accent, f: bad, r: soft, c: grey, w: line };
  const { columns, size } = grid;
  const side = size - 1;
  context.clearRect(0, 0, columns * size, grid.rows * size);
  for (let i = 0; i < map.states.length; i++) {
    const state = map.states[i] as string;
    const x = (i % columns) * size;
    const y = Math.floor(i / columns) * size;
    const color = state === '?' ? paper : colors[state];
    context.fillStyle = color ?? line;
    context.fillRect(x, y, side, side);
    if (color === undefined) {
      // As much of the cell as has ended.
      const height = Math.round((side * Number(state)) / 10);
      context.fillStyle = accent;
      context.fillRect(x, y + side - height, side, height);
    } else if (state === 'f') {
      // Its form, too, tells a failure apart.
      context.fillStyle = paper;
      context.fillRect(x + Math.floor(side / 2) - 1, y + Math.floor(side / 2) - 1, 3, 3);
    }
  }
  if (at === undefined || at >= map.states.length) return;
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.strokeRect((at % columns) * size, Math.floor(at / columns) * size, side, side);
}
