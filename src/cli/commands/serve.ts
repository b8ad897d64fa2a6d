import type { Command } from 'commander';
import type { Allowed } from '../../worker/node/join.ts';
import { ALLOWED_HELP, collectAllowed } from '../arguments/allowed.ts';
import { parseDuration } from '../arguments/duration.ts';
import { wholeNumber } from '../arguments/numbers.ts';
import { UsageError } from '../errors.ts';
import type { Finish } from '../program.ts';

export interface ServeOptions {
  lan?: true;
  host?: string;
  port?: number;
  publicUrl?: string;
  allowOrigin?: string[];
  data?: string;
  workers?: number;
  allow?: Allowed[];
  store: string;
  blobs?: string;
  keep?: number;
  bootImages?: string;
  netboot?: true;
  json?: true;
}

export function addServe(program: Command, finish: Finish): void {
  program
    .command('serve')
    .description('start a server: it keeps the jobs, and everything that joins it works on them')
    .option('--lan', 'listen on all addresses, so that other devices can join (plain HTTP)')
    .option('--host <address>', 'listen on this address (default: 127.0.0.1)')
    .option('--port <port>', 'default: 7070; 0: any that is free', wholeNumber('--port', 0, 65_535))
    .option('--public-url <url>', 'what people and workers are told, such as https://farm.example')
    .option('--allow-origin <url>', 'pages of this site may lend their visitors’ devices', together)
    .option('--data <dir>', 'where everything durable lies (default: $XDG_STATE_HOME/manyhands)')
    .option('--workers <n>', 'also work here, on this many slots', wholeNumber('--workers', 0, 4096))
    .option('--allow <what>', `with --workers: ${ALLOWED_HELP}`, collectAllowed)
    .option(
      '--store <store>',
      'where jobs are kept: sqlite, in the data directory, or postgres://USER@HOST/DATABASE',
      'sqlite',
    )
    .option(
      '--blobs <place>',
      'with postgres://, keep code and large values in a bucket: s3://BUCKET/PREFIX (default: in the database)',
    )
    .option('--keep <duration>', 'forget jobs so long after their end (default: never)', parseDuration)
    .option('--boot-images <dir>', 'hand out the boot images there (default: those built by make -C os os-image)')
    .option('--netboot', 'boot machines of this network, whoever they are, into this farm (needs --lan or --host)')
    .option('--json', 'print one line of JSON once it accepts connections')
    .action(async (options: ServeOptions) => {
      check(options);
      const { serve } = await import('../serve.ts');
      finish(await serve(options));
    });
}

function together(url: string, before: string[] = []): string[] {
  return [...before, url];
}

function check({ store, blobs, lan, host, allow, workers, netboot }: ServeOptions): void {
  if (netboot && !lan && host === undefined)
    throw new UsageError('--netboot boots other machines, which reach a server with --lan or --host ADDRESS');
  if (allow !== undefined && !workers)
    throw new UsageError(`--allow ${allow.join(',')} is for the workers here: give their number with --workers`);
  checkStore(store);
  if (blobs !== undefined && store === 'sqlite')
    throw new UsageError(
      '--blobs is for servers with --store postgres://…: with sqlite blobs are files in the data directory',
    );
  if (lan && host !== undefined) {
    throw new UsageError('--lan listens on all addresses, --host on one: give only one of them');
  }
}

/** It may hold a password, so it is not repeated. */
function checkStore(store: string): void {
  if (store === 'sqlite') return;
  if (!/^postgres(ql)?:/.test(store)) throw new UsageError(`--store takes sqlite or postgres://…, not "${store}"`);
  const database = URL.canParse(store) ? new URL(store).pathname.slice(1) : '';
  if (database === '') throw new UsageError('--store looks like postgres://USER@HOST:5432/DATABASE');
}
