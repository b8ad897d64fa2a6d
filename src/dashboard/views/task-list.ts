import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { PAGE_TASKS } from '../../model/page-limits.ts';
import { bytes, count } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import { type Outcome, outcomeIn } from '../outcomes.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';
import { shownOnOneLine } from '../shown-value.ts';
import { StateMark } from './state-mark.ts';
import { Table } from './table.ts';
import type { TaskStatus } from './task.ts';

const BYTES = 1_024 * 1_024;
const CHARACTERS = 120;

interface Line {
  readonly index: number;
  readonly status: TaskStatus;
  readonly outcome: Outcome | undefined;
}

/** The tasks of a job, page by page. */
export function TaskList({ job, api, version }: { job: JobRow; api: Api; version: string }): JSX.Element | null {
  const [from, setFrom] = useState(0);
  const { id, progress } = job;
  const { total } = progress;
  const until = Math.min(total, from + PAGE_TASKS);
  const { value, error } = useLoaded(`tasks ${id} ${from}`, `${version}/${total}`, (signal) =>
    readLines(api, job, from, until, signal),
  );
  if (total === 0) return null;
  const go = (index: number) => setFrom(Math.floor(Math.max(0, Math.min(index, total - 1)) / PAGE_TASKS) * PAGE_TASKS);
  return h(
    'section',
    { 'aria-labelledby': 'tasks' },
    h('h2', { id: 'tasks' }, 'Tasks'),
    h(Pages, { from, until, total, go }),
    error !== undefined && h('p', { class: 'fault' }, error),
    h(Table, {
      kind: 'tasks',
      heads: ['Task', 'State', 'Result'],
      rows: (value ?? []).map((line) => h(TaskLine, { key: line.index, job: id, line })),
    }),
  );
}

function TaskLine({ job, line }: { job: number; line: Line }): JSX.Element {
  const { index, status, outcome } = line;
  const error = outcome?.error;
  const told = error === undefined ? undefined : `${error.name ?? 'Error'}: ${error.message ?? ''}`;
  const attempts = outcome?.attempts ?? 1;
  return h(
    'tr',
    null,
    h('th', { scope: 'row' }, h('a', { href: taskPath(job, index) }, `${index}`)),
    h('td', null, h(StateMark, { word: attempts > 1 ? `${status}, attempt ${attempts}` : status, tone: status })),
    h('td', null, h('code', null, told === undefined ? wordsOf(outcome) : told.slice(0, CHARACTERS))),
  );
}

function wordsOf(outcome: Outcome | undefined): string {
  if (outcome?.status !== 'done') return '';
  const { value, size, type } = outcome;
  if (size !== undefined) return `${type === 'bytes' ? 'bytes' : 'a value'} of ${bytes(size)}`;
  return value === undefined ? 'undefined' : shownOnOneLine(value, CHARACTERS);
}

/** Which tasks are shown, and how to get to others. */
function Pages(props: { from: number; until: number; total: number; go: (index: number) => void }): JSX.Element {
  const { from, until, total, go } = props;
  const jump = (event: SubmitEvent) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget as HTMLFormElement).get('index') ?? '');
    if (/^\d+$/.test(text)) go(Number(text));
  };
  const button = (label: string, index: number, isOff: boolean) =>
    h('button', { type: 'button', class: 'quiet', disabled: isOff, onClick: () => go(index) }, label);
  return h(
    'form',
    { class: 'pages', onSubmit: jump },
    h(
      'span',
      { role: 'status' },
      total === 1 ? 'The only one' : `${count(from)} to ${count(until - 1)} of ${count(total)}`,
    ),
    button('Earlier', from - PAGE_TASKS, from === 0),
    button('Later', from + PAGE_TASKS, until >= total),
    h(
      'label',
      null,
      h('span', null, 'Go to '),
      h('input', { name: 'index', inputMode: 'numeric', pattern: '[0-9]*', size: 9 }),
    ),
  );
}

/** What has ended is read as results; of the others each is asked how it is. */
async function readLines(api: Api, job: JobRow, from: number, until: number, signal: AbortSignal): Promise<Line[]> {
  const { id } = job;
  const outcomes = new Map<number, Outcome>();
  const take = (line: string): boolean => {
    const outcome = outcomeIn(line);
    if (outcome === undefined) return true;
    if (outcome.index < until) outcomes.set(outcome.index, outcome);
    return outcome.index < until - 1;
  };
  await api.lines(`/v1/jobs/${id}/results?order=index&brief&after=i${from}`, BYTES, take, signal);
  const indexes = Array.from({ length: until - from }, (_, i) => from + i);
  return Promise.all(
    indexes.map(async (index): Promise<Line> => {
      const outcome = outcomes.get(index);
      if (outcome !== undefined) return { index, status: outcome.status, outcome };
      const task = await api.json<AskedTask>(`/v1/jobs/${id}/tasks/${index}`, signal);
      return { index, status: task.status, outcome: outcomeOf(index, task) };
    }),
  );
}

interface AskedTask extends Pick<Outcome, 'error'> {
  readonly status: TaskStatus;
  readonly output?: Pick<Outcome, 'value' | 'blob' | 'size' | 'type'>;
}

function outcomeOf(index: number, { status, output, error }: AskedTask): Outcome | undefined {
  if (status !== 'done' && status !== 'failed') return undefined;
  return { index, status, ...output, ...(error === undefined ? {} : { error }) };
}
