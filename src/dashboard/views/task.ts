import { h, type JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { TaskFailure } from '../../model/envelope.ts';
import type { AttemptRecord } from '../../model/records.ts';
import { causesOf, titleOf } from '../causes.ts';
import { ago, bytes, count, duration, plural } from '../figures.ts';
import type { FarmView } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { saying, useLoaded } from '../page/loading.ts';
import type { PageState } from '../page/page.ts';
import { jobPath, taskPath, workerPath } from '../places.ts';
import { shownWhole } from '../shown-value.ts';
import { Causes } from './causes.ts';
import { Facts } from './facts.ts';
import { Log } from './log.ts';
import { SeenValue } from './seen-value.ts';
import { StateMark } from './state-mark.ts';

export type TaskStatus = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

type Shown =
  | { readonly value: unknown }
  | { readonly blob: string; readonly size: number; readonly type: 'json' | 'bytes' };

/** What `/v1/jobs/ID/tasks/INDEX` answers. */
interface Task {
  readonly status: TaskStatus;
  readonly jobName: string;
  readonly input?: Shown;
  readonly output?: Shown;
  readonly error?: TaskFailure;
  readonly worker?: string;
  readonly attempt?: number;
  readonly reasons?: readonly string[];
  readonly attempts: readonly Pick<AttemptRecord, 'worker' | 'outcome' | 'endedAt' | 'message'>[];
  readonly batch?: { readonly startedAt: number; readonly elapsedMicros: number; readonly tasks: number };
}

interface TaskProps {
  readonly job: number;
  readonly index: number;
  readonly state: PageState;
  readonly api: Api;
}

/** Milliseconds between two looks at a task that has not ended, for the words that say how long it runs. */
const LOOK_AGAIN = 5_000;

/** Everything about one task. */
export function TaskPage({ job, index, state, api }: TaskProps): JSX.Element {
  const { now } = state;
  const row = state.view.jobs.get(job);
  // Whenever something of its job has changed; of one that has ended, when it is tried again.
  const { progress, running, waiting } = row ?? { progress: undefined, running: 0, waiting: 0 };
  const seen = useRef<TaskStatus | undefined>(undefined);
  const isOver = seen.current === 'done' || seen.current === 'failed' || seen.current === 'cancelled';
  const version = isOver
    ? `over/${progress?.generation}`
    : `${progress?.segments}/${progress?.state}/${running}/${waiting}/${Math.floor(now / LOOK_AGAIN)}`;
  const path = `/v1/jobs/${job}/tasks/${index}`;
  const { value: task, error } = useLoaded(path, version, (signal) => api.json<Task>(path, signal));
  seen.current = task?.status;
  const total = progress?.total;
  return h(
    'div',
    { class: 'task' },
    h(
      'section',
      { class: 'now', 'aria-labelledby': 'task' },
      h('h1', { id: 'task', tabIndex: -1 }, `Task ${index}`),
      task !== undefined &&
        h(
          'p',
          { class: 'standing' },
          h('span', { role: 'status' }, h(StateMark, { word: task.status, tone: task.status })),
          h('span', null, 'of ', h('a', { href: jobPath(job) }, h('bdi', null, task.jobName))),
        ),
      h(
        'nav',
        { class: 'actions', 'aria-label': 'Other tasks' },
        index > 0 && (total === undefined || index <= total) && h('a', { href: taskPath(job, index - 1) }, 'Previous'),
        (total === undefined || index + 1 < total) && h('a', { href: taskPath(job, index + 1) }, 'Next'),
      ),
      error !== undefined && h('p', { class: 'fault', role: 'alert' }, `${error}.`),
    ),
    task !== undefined && h(TaskBody, { task, job, index, state, api }),
    task !== undefined && h(Log, { path: `${path}/logs`, api, version, showsTask: false }),
  );
}

function TaskBody(props: { task: Task; job: number; index: number; state: PageState; api: Api }): JSX.Element {
  const { task, job, index, state, api } = props;
  const path = `/v1/jobs/${job}/tasks/${index}`;
  const facts = timesOf(task, state.view.workers, state.now);
  return h(
    'div',
    null,
    task.reasons !== undefined &&
      task.reasons.length > 0 &&
      h(
        'section',
        { class: 'why', 'aria-labelledby': 'why' },
        h('h2', { id: 'why' }, task.status === 'running' ? 'Where it runs' : 'Why it waits'),
        task.reasons.map((reason) => h('p', { key: reason.replace(/\d/g, '') }, reason)),
      ),
    task.error !== undefined && h(Failure, { error: task.error }),
    task.output !== undefined && h(Value, { title: 'Output', shown: task.output, path: `${path}/output`, api }),
    task.input !== undefined && h(Value, { title: 'Input', shown: task.input, path: `${path}/input`, api }),
    facts.length > 0 &&
      h('section', { 'aria-labelledby': 'times' }, h('h2', { id: 'times' }, 'How it went'), h(Facts, { facts })),
    h(Attempts, { task, workers: state.view.workers, now: state.now }),
  );
}

function Failure({ error }: { error: TaskFailure }): JSX.Element {
  const { kind, name, message, stack, exitCode, signal } = error;
  const end = [
    kind === 'error' ? undefined : kind,
    exitCode === undefined ? undefined : `exit code ${exitCode}`,
    signal === undefined ? undefined : `signal ${signal}`,
  ].filter((part) => part !== undefined);
  return h(
    'section',
    { class: 'failures', 'aria-labelledby': 'error' },
    h('h2', { id: 'error' }, 'Error'),
    h('p', { class: 'message' }, h('bdi', null, titleOf({ name, message }))),
    h(Causes, { causes: causesOf(error) }),
    end.length > 0 && h('p', { class: 'aside' }, end.join(', ')),
    stack !== undefined && stack !== '' && h('pre', { tabIndex: 0 }, stack),
  );
}

function Value(props: { title: string; shown: Shown; path: string; api: Api }): JSX.Element {
  const { title, shown, path, api } = props;
  const [fault, setFault] = useState('');
  const save = () => api.download(path).catch((error: unknown) => setFault(`Could not download: ${saying(error)}.`));
  const id = title.toLowerCase();
  const isBlob = 'blob' in shown;
  const { text, isCut } = isBlob ? { text: '', isCut: false } : shownWhole(shown.value);
  return h(
    'section',
    { 'aria-labelledby': id },
    h(
      'div',
      { class: 'heading' },
      h('h2', { id }, title),
      h(
        'button',
        { type: 'button', class: 'quiet', 'aria-label': `Download the ${id}`, onClick: () => void save() },
        'Download',
      ),
    ),
    h('p', { class: 'fault', role: 'alert' }, fault),
    h(SeenValue, { given: shown, path, api }),
    isBlob
      ? h('p', null, `${shown.type === 'json' ? 'A value of' : 'Bytes:'} ${bytes(shown.size)}, too much to show here.`)
      : h('pre', { tabIndex: 0 }, h('code', null, text)),
    isCut && h('p', { class: 'aside' }, 'This is only its beginning.'),
  );
}

function timesOf(task: Task, workers: FarmView['workers'], now: number): [string, JSX.Element | string][] {
  const facts: [string, JSX.Element | string][] = [];
  const { worker, attempt, batch } = task;
  if (worker !== undefined)
    facts.push(['Worker', h('a', { href: workerPath(worker) }, h('bdi', null, workers.get(worker)?.name ?? worker))]);
  if (attempt !== undefined) facts.push(['Attempts', count(attempt)]);
  if (batch !== undefined) {
    const { startedAt, elapsedMicros, tasks } = batch;
    facts.push(['Handed out', `${ago(now - startedAt)}, ${new Date(startedAt).toLocaleString()}`]);
    const took = duration(elapsedMicros / 1_000);
    facts.push(['Took', tasks === 1 ? took : `${took} together with ${plural(tasks - 1, 'other task')}`]);
  }
  return facts;
}

/** Those after which it was tried again are remembered one by one; the last is told by the outcome. */
function Attempts({
  task,
  workers,
  now,
}: {
  task: Task;
  workers: FarmView['workers'];
  now: number;
}): JSX.Element | null {
  const { attempts, status, worker, batch, error } = task;
  const message = error === undefined ? '' : titleOf(error);
  const last =
    worker === undefined || batch === undefined
      ? []
      : [{ worker, outcome: status, endedAt: batch.startedAt + batch.elapsedMicros / 1_000, message }];
  const all = [...attempts, ...last];
  if (all.length === 0) return null;
  return h(
    'section',
    { 'aria-labelledby': 'attempts' },
    h('h2', { id: 'attempts' }, 'Attempts'),
    h(
      'ol',
      { class: 'attempts' },
      all.map(({ worker, outcome, endedAt, message }, i) =>
        h(
          'li',
          { key: i },
          h(StateMark, { word: outcome, tone: toneOf(outcome) }),
          h(
            'span',
            null,
            'on ',
            h('a', { href: workerPath(worker) }, h('bdi', null, workers.get(worker)?.name ?? worker)),
          ),
          h('span', { class: 'aside' }, `ended ${ago(now - endedAt)}, ${new Date(endedAt).toLocaleString()}`),
          message !== '' && h('code', null, message),
        ),
      ),
    ),
  );
}

function toneOf(outcome: string): string {
  if (outcome === 'done') return 'done';
  // These came to nothing without being anybody's fault.
  if (outcome === 'lost') return 'waiting';
  return outcome === 'superseded' ? 'cancelled' : 'failed';
}
