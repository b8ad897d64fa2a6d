import { h, type JSX } from 'preact';
import type { JobView } from '../../model/feed.ts';
import { codesOf, hasEnded, type JobSpec } from '../../model/job.ts';
import { ago, bytes, count, duration, percent, plural, rate } from '../figures.ts';
import type { JobRow } from '../fold.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import type { PageState } from '../page/page.ts';
import { Bar } from './bar.ts';
import { Facts } from './facts.ts';
import { Failures } from './failure-list.ts';
import { JobActions } from './job-actions.ts';
import { factsOf, stateOf } from './job-words.ts';
import { Log } from './log.ts';
import { Past } from './past.ts';
import { Results } from './results.ts';
import { StateMark } from './state-mark.ts';
import { TaskList } from './task-list.ts';
import { TaskMapSection } from './task-map.ts';
import { Why } from './why.ts';

/** Everything about one job. */
export function JobPage({ id, state, api }: { id: number; state: PageState; api: Api }): JSX.Element {
  const told = state.view.jobs.get(id);
  // The feed tells live jobs and the latest ended ones; the others are asked for.
  const { value, error } = useLoaded(told === undefined ? `job ${id}` : '', 0, (signal) =>
    api.json<JobView>(`/v1/jobs/${id}`, signal),
  );
  const job: JobRow | undefined = told ?? (value === undefined ? undefined : { ...value, pace: [] });
  if (job === undefined) {
    return h('section', null, h('h1', { tabIndex: -1 }, `Job ${id}`), h('p', null, error ?? 'Asking the server…'));
  }
  const canAct = state.me?.role === 'admin' || state.me?.role === 'submit';
  const { progress } = job;
  const version = `${progress.generation}/${progress.segments}/${progress.state}`;
  return h(
    'div',
    { class: 'job' },
    h(Head, { job, now: state.now }),
    h(JobActions, { job, api, canAct }),
    h(Why, { job, api, now: state.now, workers: state.view.workers.size }),
    progress.failed > 0 && h(Failures, { job, api, version }),
    h(Results, { job, api, version }),
    h(Past, { job, api, version, view: state.view, now: state.now }),
    h(TaskMapSection, { job, api, version }),
    h(TaskList, { job, api, version }),
    h(Log, { path: `/v1/jobs/${id}/logs`, api, version, showsTask: true }),
    h(
      'section',
      { 'aria-labelledby': 'about' },
      h('h2', { id: 'about' }, 'About'),
      h(Facts, { facts: aboutOf(job, state.now) }),
    ),
  );
}

function Head({ job, now }: { job: JobRow; now: number }): JSX.Element {
  const { progress, spec } = job;
  const { total, done, failed, cancelled, reason } = progress;
  return h(
    'section',
    { class: 'now', 'aria-labelledby': 'job' },
    h('h1', { id: 'job', tabIndex: -1 }, h('bdi', null, spec.name)),
    h(
      'p',
      { class: 'standing' },
      h('span', { role: 'status' }, h(StateMark, stateOf(job))),
      h('b', null, percent(done + failed + cancelled, total)),
      factsOf(job, now).map((fact) => h('span', { key: fact.replace(/\d/g, '') }, fact)),
    ),
    h(Bar, { job }),
    reason !== undefined && h('p', { class: 'aside' }, `It ended early: ${reason}`),
    h(Figures, { job }),
  );
}

function Figures({ job }: { job: JobRow }): JSX.Element {
  const { done, failed, cancelled } = job.progress;
  const figures: [string, number][] = [
    ['waiting', job.waiting],
    ['with workers', job.running],
    ['done', done],
    ['failed', failed],
  ];
  if (cancelled > 0) figures.push(['cancelled', cancelled]);
  return h(
    'dl',
    { class: 'figures' },
    figures.map(([name, value]) =>
      h(
        'div',
        { key: name, class: name === 'failed' && value > 0 ? 'bad' : '' },
        h('dt', null, name),
        h('dd', null, count(value)),
      ),
    ),
  );
}

function aboutOf({ spec, progress }: JobRow, now: number): [string, string][] {
  const { startedAt, endedAt, busyMicros, done, failed, retried, lost, generation } = progress;
  const ended = done + failed;
  const end = hasEnded(progress.state) ? (endedAt ?? now) : now;
  const facts: [string, string][] = [
    ['Submitted', `${ago(now - spec.submittedAt)}, ${new Date(spec.submittedAt).toLocaleString()}`],
  ];
  if (startedAt !== undefined) facts.push([hasEnded(progress.state) ? 'Took' : 'Runs for', duration(end - startedAt)]);
  if (ended > 0) facts.push(['A task takes', `${duration(busyMicros / 1_000 / ended)} on average`]);
  // What still runs is not in it: of a job of long tasks it would say that nothing does.
  if (hasEnded(progress.state) && startedAt !== undefined && end > startedAt && busyMicros > 0) {
    facts.push(['Slots busy', `${rate(busyMicros / 1_000 / (end - startedAt))} on average`]);
  }
  if (retried > 0) facts.push(['Attempts retried', count(retried)]);
  if (lost > 0) facts.push(['Attempts lost', `${count(lost)}, with their workers`]);
  if (generation > 0) facts.push(['Retried', plural(generation, 'time')]);
  return [...facts, ...wishesOf(spec)];
}

/** What the submitter asked for, where it is not what is usual. */
function wishesOf(spec: JobSpec): [string, string][] {
  const { range, priority, weight, retries, maxFailures, timeout, requires, cpus, memory, resources } = spec;
  const { after = [], source, spawns } = spec;
  const wishes = codesOf(spec).map(({ sourceName, runner, size }, i): [string, string] => [
    i === 0 ? 'Code' : `Variant ${i}`,
    `${sourceName} (${runner}, ${bytes(size)})`,
  ]);
  if (range !== undefined) {
    const last = range.start + (range.count - 1) * range.step;
    const step = range.step === 1 ? '' : ` in steps of ${count(range.step)}`;
    wishes.push(['Inputs', range.count === 0 ? 'none' : `${count(range.start)} to ${count(last)}${step}`]);
  }
  if (source !== undefined) wishes.push(['Inputs', `the results of job ${source}`]);
  if (after.length > 0) wishes.push(['Comes after', `${after.length === 1 ? 'job' : 'jobs'} ${after.join(', ')}`]);
  if (spawns === true) wishes.push(['Grows', 'its tasks may add others']);
  if (priority !== 0) wishes.push(['Priority', count(priority)]);
  if (weight !== 1) wishes.push(['Weight', String(weight)]);
  if (retries > 0) wishes.push(['Retries', `${count(retries)} a task`]);
  if (maxFailures !== undefined) wishes.push(['Ends after', plural(maxFailures + 1, 'failure')]);
  if (timeout !== undefined) wishes.push(['Time limit', `${duration(timeout)} a task`]);
  if (cpus !== 1) wishes.push(['CPUs', `${cpus} a task`]);
  if (memory !== undefined) wishes.push(['Memory', `${bytes(memory)} a task`]);
  for (const [name, value] of Object.entries(requires)) wishes.push([`Wants ${name}`, value]);
  for (const [name, amount] of Object.entries(resources)) wishes.push([`Takes ${name}`, String(amount)]);
  wishes.push(['Submitted by', `token ${spec.owner}`]);
  return wishes;
}
