import type { Farm } from '../client/farm.ts';
import type { Job } from '../client/job.ts';
import { hasEnded, type JobProgress, mayGrow } from '../model/job.ts';
import { Api } from './api.ts';
import { attend, exitCodeOf, summaryOf } from './attend.ts';
import type { FollowOptions } from './commands/results.ts';
import { ExitCode, UsageError } from './errors.ts';
import { FilesOfJob } from './exec/files-of-job.ts';
import { findJob } from './find-job.ts';
import { mustFindServer, type ServerOptions } from './find-server.ts';
import { Interrupts } from './interrupts.ts';
import { connectTo } from './open-farm.ts';
import { Out } from './output/out.ts';
import { formatCount } from './output/table.ts';
import { ProgressBar } from './progress.ts';
import { sayWhyItWaits } from './waiting.ts';

/** Milliseconds between two lines about a job where nobody sees a bar: enough to follow it, few enough for a log. */
const LINE_EVERY = 1_000;

export async function results(text: string, options: FollowOptions): Promise<number> {
  if (options.overwrite && options.files === undefined)
    throw new UsageError('--overwrite is about the files that --files writes: give both');
  return withJobs([text], options, async ([job], farm, api) => {
    const { spec } = await (job as Job).status();
    const isExec = spec.code.runner === 'exec';
    if (options.files !== undefined && !isExec)
      throw new UsageError(`job ${(job as Job).id} is none of commands, which alone collect files: leave out --files`);
    const files = isExec ? new FilesOfJob(farm, options) : undefined;
    const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
    const progress = await attend(job as Job, {
      out,
      form: options.json || options.out !== undefined ? 'records' : 'values',
      ordered: options.unordered !== true,
      defined: options.defined === true,
      quiet: options.quiet === true,
      readBlob: (ref) => farm.download(ref),
      api,
      commands: files && { farm, tell: files.tell },
    });
    out.close();
    if (progress !== undefined && !options.quiet) process.stderr.write(summaryOf((job as Job).id, progress) ?? '');
    const isWhole = files?.finish((job as Job).id, options.quiet !== true) ?? true;
    return progress === undefined || !isWhole ? ExitCode.failed : exitCodeOf(progress);
  });
}

export async function wait(texts: string[], options: FollowOptions): Promise<number> {
  return withJobs(texts, options, async (jobs, _, api) => {
    let exitCode: number = ExitCode.done;
    for (const job of jobs) exitCode ||= await waitFor(job, api, options.quiet === true);
    return exitCode;
  });
}

export async function watch(texts: string[], options: FollowOptions): Promise<number> {
  return withJobs(texts, options, async (jobs, _, api) => {
    let exitCode: number = ExitCode.done;
    for (const job of jobs) {
      const code = options.json ? await watchAsJson(job) : await watchInWords(job, api);
      exitCode ||= code;
    }
    return exitCode;
  });
}

async function waitFor(job: Job, api: Api, quiet: boolean): Promise<number> {
  const progress = await showUntilEnd(job, api, quiet);
  if (!quiet) process.stderr.write(summaryOf(job.id, progress) ?? '');
  return exitCodeOf(progress);
}

/** A bar on a terminal, nothing elsewhere. */
async function showUntilEnd(
  job: Job,
  api: Api,
  quiet: boolean,
  onReport?: (words: string) => void,
): Promise<JobProgress> {
  const bar = new ProgressBar(process.stderr, { quiet });
  const say = (words: string): void => {
    bar.clear();
    process.stderr.write(words);
  };
  const stopTelling = quiet ? undefined : sayWhyItWaits(job.id, api, say);
  let last: JobProgress | undefined;
  try {
    const { spec } = await job.status();
    for await (const { progress, running } of job.progress()) {
      const { total, done, failed } = progress;
      bar.update({ total, isOpen: mayGrow(spec, progress), done, failed, running });
      if (!bar.isShown) onReport?.(wordsOf(job.id, progress, running));
      last = progress;
    }
  } finally {
    stopTelling?.();
    bar.end();
  }
  return last ?? (await job.status()).progress;
}

async function watchInWords(job: Job, api: Api): Promise<number> {
  let saidAt = Number.NEGATIVE_INFINITY;
  let said = '';
  const say = (words: string): void => {
    if (words !== said) process.stdout.write(words);
    said = words;
  };
  const progress = await showUntilEnd(job, api, false, (words) => {
    const now = performance.now();
    if (now - saidAt < LINE_EVERY) return;
    saidAt = now;
    say(words);
  });
  say(wordsOf(job.id, progress, 0));
  return exitCodeOf(progress);
}

async function watchAsJson(job: Job): Promise<number> {
  let last: JobProgress | undefined;
  for await (const { progress, running, waiting } of job.progress()) {
    process.stdout.write(`${JSON.stringify({ id: job.id, progress, running, waiting })}\n`);
    last = progress;
  }
  return exitCodeOf(last ?? (await job.status()).progress);
}

function wordsOf(id: number, { state, total, open, done, failed, cancelled }: JobProgress, running: number): string {
  const parts = [`${formatCount(done)} of ${formatCount(total)}${open && !hasEnded(state) ? '+' : ''} done`];
  if (failed > 0) parts.push(`${formatCount(failed)} failed`);
  if (cancelled > 0) parts.push(`${formatCount(cancelled)} cancelled`);
  if (running > 0 && !hasEnded(state)) parts.push(`${formatCount(running)} with workers`);
  return `job ${id} ${state}: ${parts.join(', ')}\n`;
}

async function withJobs(
  texts: string[],
  options: ServerOptions,
  use: (jobs: Job[], farm: Farm, api: Api) => Promise<number>,
): Promise<number> {
  const server = await mustFindServer(options);
  const api = new Api(server);
  // The job is none of ours: an interrupted onlooker leaves it alone.
  const interrupts = new Interrupts(() => process.exit(ExitCode.interrupted));
  const ids: number[] = [];
  for (const text of texts) ids.push(await findJob(text, api));
  const farm = await connectTo(server);
  try {
    const jobs = ids.map((id) => farm.job(id));
    // One that does not exist is told before any is waited for.
    for (const job of jobs) await job.status();
    return await use(jobs, farm, api);
  } finally {
    interrupts.end();
    await farm.close();
  }
}
