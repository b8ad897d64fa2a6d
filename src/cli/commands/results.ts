import type { Command } from 'commander';
import type { Farm } from '../../client/farm.ts';
import type { Job } from '../../client/job.ts';
import { Api } from '../api.ts';
import { attend, exitCodeOf, summaryOf } from '../attend.ts';
import { ExitCode } from '../errors.ts';
import { findJob } from '../find-job.ts';
import { mustFindServer, type ServerOptions, withServer } from '../find-server.ts';
import { connectTo } from '../open-farm.ts';
import { Out } from '../output/out.ts';
import type { Finish } from '../program.ts';
import { ProgressBar } from '../progress.ts';

interface ResultOptions extends ServerOptions {
  out?: string;
  json?: true;
  unordered?: true;
  defined?: true;
  quiet?: true;
}

/** Commands that stay with a job until it ends, and exit as it did. */
export function addResults(program: Command, finish: Finish): void {
  withServer(program.command('results <job>').description('print the results of a job, as run does'))
    .option('--out <file>', 'write records into a file instead of printing values')
    .option('--json', 'print records')
    .option('--unordered', 'as they come')
    .option('--defined', 'leave out results that are undefined')
    .option('--quiet', 'no progress bar')
    .action(async (job: string, options: ResultOptions) => finish(await results(job, options)));
  for (const [name, description] of [
    ['wait', 'wait until jobs have ended, and exit as they did'],
    ['watch', 'show how far jobs are until they have ended'],
  ] as const) {
    withServer(program.command(`${name} <job...>`).description(description))
      .option('--quiet', 'say nothing')
      .action(async (jobs: string[], options: ResultOptions) => finish(await wait(jobs, options)));
  }
}

async function results(text: string, options: ResultOptions): Promise<number> {
  return withFarm(options, async (farm, api) => {
    const job = farm.job(await findJob(text, api));
    await job.status();
    const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
    const progress = await attend(job, {
      out,
      form: options.json || options.out !== undefined ? 'records' : 'values',
      ordered: options.unordered !== true,
      defined: options.defined === true,
      quiet: options.quiet === true,
      readBlob: (ref) => farm.download(ref),
    });
    out.close();
    return progress === undefined ? ExitCode.failed : exitCodeOf(progress);
  });
}

async function wait(texts: string[], options: ResultOptions): Promise<number> {
  return withFarm(options, async (farm, api) => {
    let exitCode: number = ExitCode.done;
    for (const text of texts) exitCode ||= await waitFor(farm.job(await findJob(text, api)), options.quiet === true);
    return exitCode;
  });
}

async function waitFor(job: Job, quiet: boolean): Promise<number> {
  const bar = new ProgressBar(process.stderr, { quiet });
  for await (const { progress, running } of job.progress()) {
    bar.update({ total: progress.total, isOpen: progress.open, done: progress.done, failed: progress.failed, running });
  }
  bar.end();
  const { progress } = await job.status();
  if (!quiet) process.stderr.write(summaryOf(job.id, progress) ?? '');
  return exitCodeOf(progress);
}

async function withFarm(options: ServerOptions, use: (farm: Farm, api: Api) => Promise<number>): Promise<number> {
  const server = await mustFindServer(options);
  const farm = await connectTo(server.url, server.token);
  try {
    return await use(farm, new Api(server));
  } finally {
    await farm.close();
  }
}
