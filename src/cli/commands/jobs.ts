import type { Command } from 'commander';
import type { JobView } from '../../model/feed.ts';
import { codesOf, hasEnded, type JobSpec, mayGrow } from '../../model/job.ts';
import { formatSize } from '../../model/size.ts';
import { formatDuration } from '../arguments/duration.ts';
import { wholeNumber } from '../arguments/numbers.ts';
import { findJob } from '../find-job.ts';
import { apiOf, type ServerOptions, withServer } from '../find-server.ts';
import { print, printJson } from '../output/print.ts';
import { formatCount, formatTime, sheet, table } from '../output/table.ts';

interface ListOptions extends ServerOptions {
  limit: number;
  json?: true;
}

interface LogPage {
  readonly logs: readonly { index: number; stream: string; at: number; text: string }[];
  readonly next?: number;
}

/** What can be asked of jobs and their tasks. */
export function addJobs(program: Command): void {
  withServer(program.command('jobs').description('list the jobs, newest first'))
    .option('--limit <n>', 'how many', wholeNumber('--limit', 1, 1000), 50)
    .option('--json', 'one line of JSON a job')
    .action(listJobs);
  withServer(program.command('show <job>').description('what a job is and how far it is'))
    .option('--json', 'as JSON')
    .action(showJob);
  withServer(program.command('logs <job> [index]').description('what the tasks of a job printed'))
    .option('--json', 'one line of JSON a message')
    .action(showLogs);
  withServer(program.command('explain <job> <index>').description('why a task waits'))
    .option('--json', 'as JSON')
    .action(explainTask);
  for (const action of ACTIONS) {
    withServer(program.command(`${action[0]} <job>`).description(action[1])).action(
      (job: string, options: ServerOptions) => act(action, job, options),
    );
  }
}

/** Each with what it does, and what a job is then. */
const ACTIONS = [
  ['cancel', 'end a job; what runs is stopped', 'is cancelled'],
  ['pause', 'hand out no more tasks of a job', 'is paused'],
  ['resume', 'go on with a paused job', 'goes on'],
  ['retry', 'run the failed tasks of an ended job again', 'runs its failed tasks again'],
  ['forget', 'delete an ended job with its inputs and results', 'is forgotten'],
] as const;

async function listJobs(options: ListOptions): Promise<void> {
  const { jobs } = await (await apiOf(options)).get<{ jobs: JobView[] }>(`v1/jobs?limit=${options.limit}`);
  if (options.json) return printJson(...jobs);
  const rows = jobs.map(({ id, spec, progress }) => [
    String(id),
    progress.state,
    formatCount(progress.done),
    formatCount(progress.failed),
    formatCount(progress.total),
    formatTime(spec.submittedAt),
    spec.name,
  ]);
  const right = (title: string) => ({ title, align: 'right' as const });
  const titles = [right('JOB'), { title: 'STATE' }, right('DONE'), right('FAILED'), right('TASKS')];
  print(table([...titles, { title: 'SUBMITTED' }, { title: 'NAME' }], rows));
}

async function showJob(job: string, options: ListOptions): Promise<void> {
  const api = await apiOf(options);
  const view = await api.get<JobView>(`v1/jobs/${await findJob(job, api)}`);
  if (options.json) printJson(view);
  else print(jobSheet(view));
}

function jobSheet(view: JobView): string {
  const { id, spec, progress } = view;
  const { startedAt, endedAt } = progress;
  const took = startedAt === undefined || endedAt === undefined ? undefined : formatDuration(endedAt - startedAt);
  return sheet([
    ['job', String(id)],
    ['name', spec.name],
    [
      'code',
      codesOf(spec)
        .map(({ sourceName }) => sourceName)
        .join(' or '),
    ],
    ['state', progress.state],
    ['reason', progress.reason],
    ['tasks', `${formatCount(progress.total)}${mayGrow(view.spec, progress) ? '+' : ''}: ${countsOf(view)}`],
    ['asked for', conditionsOf(spec)],
    ['submitted', formatTime(spec.submittedAt)],
    ['took', took],
    ['computed', progress.busyMicros > 0 ? formatDuration(progress.busyMicros / 1_000) : undefined],
    ['retried', progress.retried > 0 ? formatCount(progress.retried) : undefined],
    ['copied', progress.copied === undefined ? undefined : `${formatCount(progress.copied)} slow tasks ran twice`],
    ['lost', progress.lost > 0 ? `${formatCount(progress.lost)} attempts, with their workers` : undefined],
  ]);
}

function countsOf({ progress, running, waiting }: JobView): string {
  const { done, failed, cancelled } = progress;
  const counts = Object.entries({ done, failed, cancelled, 'with workers': running, waiting });
  const shown = counts.filter(([name, count]) => count > 0 || name === 'done' || name === 'failed');
  return shown.map(([name, count]) => `${formatCount(count)} ${name}`).join(', ');
}

/** What differs from the usual; undefined: nothing. */
function conditionsOf({
  priority,
  retries,
  maxFailures,
  timeout,
  requires,
  cpus,
  memory,
  resources,
  after = [],
  source,
  spawns,
}: JobSpec): string | undefined {
  const parts = [
    source === undefined ? '' : `results of job ${source}`,
    after.length === 0 ? '' : `after job ${after.join(', ')}`,
    spawns === true ? 'its tasks may add others' : '',
    priority === 0 ? '' : `priority ${priority}`,
    retries === 0 ? '' : retries === 1 ? '1 retry' : `${retries} retries`,
    maxFailures === undefined || maxFailures === Number.MAX_SAFE_INTEGER
      ? ''
      : `at most ${formatCount(maxFailures)} failures`,
    timeout === undefined ? '' : `${formatDuration(timeout)} for each task`,
    cpus === 1 ? '' : `${cpus} CPUs`,
    memory === undefined ? '' : `${formatSize(memory)} of memory`,
    ...Object.entries(resources).map(([name, amount]) => `${amount} ${name}`),
    ...Object.entries(requires).map(([key, value]) => `${key}=${value}`),
  ].filter((part) => part !== '');
  return parts.length === 0 ? undefined : parts.join(', ');
}

async function showLogs(job: string, index: string | undefined, options: ListOptions): Promise<void> {
  const api = await apiOf(options);
  const id = await findJob(job, api);
  const task = index === undefined ? '' : `/tasks/${wholeNumber('INDEX', 0)(index)}`;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: LogPage = await api.get<LogPage>(`v1/jobs/${id}${task}/logs?after=${after}`);
    if (options.json) printJson(...page.logs);
    else print(page.logs.map(({ index, text }) => `${index}: ${text.trimEnd()}\n`).join(''));
    after = page.next;
  }
}

async function explainTask(job: string, index: string, options: ListOptions): Promise<void> {
  const api = await apiOf(options);
  const task = wholeNumber('INDEX', 0)(index);
  const path = `v1/jobs/${await findJob(job, api)}/tasks/${task}/explain`;
  const { state, reasons } = await api.get<{ state: string; reasons: readonly string[] }>(path);
  if (options.json) printJson({ state, reasons });
  else print(sheet([['state', state], ...reasons.map((reason): [string, string] => ['', reason])]));
}

async function act([action, , outcome]: (typeof ACTIONS)[number], job: string, options: ServerOptions): Promise<void> {
  const api = await apiOf(options);
  const id = await findJob(job, api);
  const path = `v1/jobs/${id}`;
  const before = action === 'cancel' ? (await api.get<JobView>(path)).progress.state : undefined;
  if (action === 'forget') await api.delete(path);
  else await api.post(`${path}/${action}`);
  const words = before !== undefined && hasEnded(before) ? `had ended already (${before})` : outcome;
  // Silence is success, unless somebody could be mistaken of what was done, or to which.
  if (words !== outcome || job === 'last') process.stderr.write(`manyhands: job ${id} ${words}\n`);
}
