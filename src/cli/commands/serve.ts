import type { Command } from 'commander';
import { parseDuration } from '../arguments/duration.ts';
import { wholeNumber } from '../arguments/numbers.ts';
import { ExitCode, UsageError } from '../errors.ts';
import type { Finish } from '../program.ts';

interface ServeOptions {
  lan?: true;
  host?: string;
  port?: number;
  publicUrl?: string;
  data?: string;
  workers?: number;
  store: string;
  keep?: number;
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
    .option('--data <dir>', 'where everything durable lies (default: $XDG_STATE_HOME/manyhands)')
    .option('--workers <n>', 'also work here, on this many slots', wholeNumber('--workers', 0, 4096))
    .option('--store <store>', 'where jobs are kept', 'sqlite')
    .option('--keep <duration>', 'forget jobs so long after their end (default: never)', parseDuration)
    .option('--json', 'print one line of JSON once it accepts connections')
    .action(async (options: ServeOptions) => finish(await serve(options)));
}

async function serve(options: ServeOptions): Promise<number> {
  if (options.store !== 'sqlite')
    throw new UsageError(`--store ${options.store}: this version keeps jobs in sqlite only`);
  if (options.lan && options.host !== undefined)
    throw new UsageError('--lan listens on all addresses, --host on one: give only one of them');
  const { startServer } = await import('../../server/server.ts');
  let broken: Error | undefined;
  const stopped = Promise.withResolvers<void>();
  const server = await startServer({
    ...given({
      lan: options.lan,
      host: options.host,
      port: options.port,
      publicUrl: options.publicUrl,
      dataDir: options.data,
      keep: options.keep,
    }),
    onBroken: (error) => {
      broken = error;
      stopped.resolve();
    },
  });
  let stops = 0;
  const stop = (): void => {
    stops += 1;
    // Who asks again has lost patience; what was acknowledged is on disk whatever happens.
    if (stops > 1) process.exit(ExitCode.interrupted);
    stopped.resolve();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const { announce } = await import('../announce.ts');
  process.stdout.write(announce(server, options));
  const { startLocalWorker } = await import('../local-worker.ts');
  const worker = options.workers ? await startLocalWorker(server, options.workers) : undefined;
  await stopped.promise;
  await worker?.stop();
  await server.close();
  if (broken !== undefined) throw broken;
  return ExitCode.done;
}

/** Only what was given: an option that is absent has the server's default. */
function given<Options extends object>(
  options: Options,
): { [Key in keyof Options]?: Exclude<Options[Key], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
