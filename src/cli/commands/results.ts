import type { Command } from 'commander';
import { type ServerOptions, withServer } from '../find-server.ts';
import type { Finish } from '../program.ts';

export interface FollowOptions extends ServerOptions {
  out?: string;
  json?: true;
  unordered?: true;
  defined?: true;
  quiet?: true;
  files?: string;
  overwrite?: true;
}

/** Commands that stay with a job until it ends, and exit as it did. */
export function addResults(program: Command, finish: Finish): void {
  withServer(program.command('results <job>').description('print the results of a job, as run does'))
    .option('--out <file>', 'write records into a file instead of printing values')
    .option('--json', 'print records')
    .option('--unordered', 'as they come')
    .option('--defined', 'leave out results that are undefined')
    .option('--files <dir>', 'write what the commands of exec --collect brought back below this directory')
    .option('--overwrite', 'replace files that are there with other contents')
    .option('--quiet', 'no progress bar and no remarks')
    .action(async (job: string, options: FollowOptions) => {
      const { results } = await import('../follow-job.ts');
      finish(await results(job, options));
    });
  withServer(program.command('wait <job...>').description('wait until jobs have ended, and exit as they did'))
    .option('--quiet', 'no progress bar and no remarks')
    .action(async (jobs: string[], options: FollowOptions) => {
      const { wait } = await import('../follow-job.ts');
      finish(await wait(jobs, options));
    });
  withServer(
    program
      .command('watch [job...]')
      .description('show how far jobs are until they have ended; without a job, the whole farm until Ctrl-C'),
  )
    .option('--json', 'one line of JSON for each change')
    .action(async (jobs: string[], options: FollowOptions) => {
      if (jobs.length === 0) {
        const { watchFarm } = await import('../watch-farm.ts');
        return finish(await watchFarm(options));
      }
      const { watch } = await import('../follow-job.ts');
      finish(await watch(jobs, options));
    });
}
