import type { Command } from 'commander';
import type { Allowed } from '../../worker/node/join.ts';
import { ALLOWED_HELP, collectAllowed } from '../arguments/allowed.ts';
import { formatDuration, parseDuration } from '../arguments/duration.ts';
import { wholeNumber } from '../arguments/numbers.ts';
import { collectLabel, collectResource } from '../arguments/pairs.ts';
import { parseSize } from '../arguments/size.ts';
import { CommandError, ExitCode, NoServerError, UsageError } from '../errors.ts';
import { givenToken } from '../find-server.ts';
import { print, printJson } from '../output/print.ts';
import { printable } from '../output/printable.ts';
import type { Finish } from '../program.ts';

interface JoinOptions {
  slots?: number;
  name?: string;
  label?: Record<string, string>;
  resource?: Record<string, number>;
  deny?: string;
  allow?: Allowed[];
  env?: string[];
  cache?: string;
  cacheSize?: number;
  idleExit?: number;
  maxTime?: number;
  tokenFile?: string;
  json?: true;
  quiet?: true;
}

/** What a message has room for (protocol/shapes.ts). */
const NAME_LENGTH = 256;

export function addJoin(program: Command, finish: Finish): void {
  program
    .command('join <urls>')
    .description(
      'work for a server: run its tasks on this machine until stopped; of several of one farm (URL1,URL2) the next is taken when one is gone',
    )
    .option('--slots <n>', 'tasks at once (default: the CPUs that may be used)', wholeNumber('--slots', 1, 4096))
    .option('--name <name>', 'what people call this worker (default: the name of the machine)')
    .option('--label <key=value>', 'say something of this worker that a job may require', collectLabel)
    .option('--resource <key=amount>', 'something countable that tasks may ask for, such as gpu=2', collectResource)
    .option('--deny <what>', 'let tasks do less: net')
    .option('--allow <what>', ALLOWED_HELP, collectAllowed)
    .option('--env <name>', 'let tasks see this environment variable', (name, all: string[] = []) => [...all, name])
    .option('--cache <dir>', 'keep task code and files here, also for the next time (default: only as long as it runs)')
    .option(
      '--cache-size <size>',
      'how much of files that no task needs is kept (default: 4G, or a quarter of the free disk)',
      parseSize,
    )
    .option('--idle-exit <duration>', 'leave after so long without a task', parseDuration)
    .option('--max-time <duration>', 'after so long finish what runs and leave', parseDuration)
    .option('--token-file <file>', 'its first line is the token (else: from the link, or MANYHANDS_TOKEN)')
    .option('--json', 'tell what happens as JSON lines')
    .option('--quiet', 'say nothing but errors')
    .action(async (urls: string, options: JoinOptions) => finish(await join(urls, options)));
}

async function join(urls: string, options: JoinOptions): Promise<number> {
  if (options.deny !== undefined && options.deny !== 'net')
    throw new UsageError(`--deny knows only net, not "${options.deny}"`);
  if (options.name !== undefined && options.name.length > NAME_LENGTH)
    throw new UsageError(`--name takes at most ${NAME_LENGTH} characters, not ${options.name.length}`);
  const { parseJoinUrls } = await import('../../worker/node/join-url.ts');
  const addresses = understood(() => parseJoinUrls(urls));
  const inLink = addresses.find((address) => address.token !== undefined)?.token;
  const token = options.tokenFile === undefined && inLink !== undefined ? undefined : givenToken(options.tokenFile);
  if (token === undefined && inLink === undefined) {
    throw new UsageError(
      'joining needs a token: use the join link that the server printed, --token-file or MANYHANDS_TOKEN',
    );
  }
  if (options.allow?.includes('python')) {
    const { findPython } = await import('../../worker/node/python/python-runner.ts');
    if (findPython() === undefined) throw new UsageError('--allow python needs python3, which is nowhere in the PATH');
  }
  if (options.allow?.includes('install')) {
    const { findNpm } = await import('../../worker/node/packages/npm.ts');
    if (findNpm() === undefined) throw new UsageError('--allow install needs npm, which is nowhere in the PATH');
  }
  const { startWorker } = await import('../../worker/node/join.ts');
  const worker = understood(() =>
    startWorker({
      url: urls,
      ...(token !== undefined && { token }),
      denyNetwork: options.deny === 'net',
      ...pick(options, ['slots', 'name', 'env', 'cache', 'cacheSize', 'idleExit', 'maxTime', 'allow']),
      ...(options.label && { labels: options.label }),
      ...(options.resource && { resources: options.resource }),
    }),
  );
  let asked = 0;
  const leave = (): void => {
    asked += 1;
    if (asked > 1) void worker.stop('it was told to leave at once');
    else void worker.drain('it was told to leave');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, leave);
  const say = options.json ? sayJson : options.quiet ? () => {} : sayWords(() => asked > 0);
  worker.on('status', say);
  const end = await worker.ended;
  if (end.failed)
    throw (await worker.joined) ? new CommandError(end.reason, ExitCode.noServer) : new NoServerError(end.reason);
  return asked > 1 ? ExitCode.interrupted : ExitCode.done;
}

/** What the worker says of its options is a sentence for people already. */
function understood<Result>(make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

interface Status {
  readonly state: string;
  readonly [detail: string]: unknown;
}

function sayJson(status: Status): void {
  printJson(status);
}

function sayWords(wasAsked: () => boolean): (status: Status) => void {
  let hasWaited = false;
  return (status) => {
    if (status.state === 'joined') hasWaited = false;
    if (status.state === 'waiting') hasWaited = true;
    // From the second round on each server's turn is no news.
    const line = status.state === 'moving' && hasWaited ? undefined : wordsOf(status, wasAsked());
    if (line !== undefined) print(`${printable(line)}\n`);
  };
}

function wordsOf(status: Status, wasAsked: boolean): string | undefined {
  switch (status.state) {
    case 'joined':
      return `joined ${hostOf(status.server)} as worker ${status.worker}; Ctrl-C finishes what runs and leaves`;
    case 'moving':
      return `${status.reason}; going to ${hostOf(status.server)}`;
    case 'waiting':
      return `${status.reason}; trying again in ${formatDuration(Number(status.retryIn))}`;
    case 'draining':
      if (status.leaving !== true) return `takes no more tasks: ${status.reason}`;
      return `leaving: ${status.reason}${wasAsked ? '; what runs is finished first, Ctrl-C again leaves at once' : ''}`;
    case 'undrained':
      return 'takes tasks again';
    case 'slotDied':
      return `a task process died: ${status.reason}`;
    case 'unable':
      return `gave tasks back, which go elsewhere: ${status.reason}`;
    case 'ended':
      return status.failed === true ? undefined : `left: ${status.reason}`;
    default:
      return undefined;
  }
}

function hostOf(server: unknown): string {
  return new URL(String(server)).host;
}

/** Those of the named options that were given. */
function pick<Options extends object, Key extends keyof Options>(
  options: Options,
  keys: Key[],
): Partial<Pick<Options, Key>> {
  return Object.fromEntries(keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]])) as Pick<
    Options,
    Key
  >;
}
