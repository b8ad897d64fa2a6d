import { type Command, Option } from 'commander';
import { whyNotInstall } from '../../model/packages.ts';
import { parseDuration } from '../arguments/duration.ts';
import { positiveNumber, wholeNumber } from '../arguments/numbers.ts';
import { collectLabel, collectResource } from '../arguments/pairs.ts';
import { type NumberRange, parseRange } from '../arguments/range.ts';
import { parseSize } from '../arguments/size.ts';
import { UsageError } from '../errors.ts';
import { type ServerOptions, withServer } from '../find-server.ts';
import { FORMATS, type Format } from '../inputs/formats.ts';
import type { Finish } from '../program.ts';

export interface RunOptions extends ServerOptions {
  range?: NumberRange;
  inputs?: string;
  format?: Format;
  out?: string;
  json?: true;
  unordered?: true;
  defined?: true;
  detach?: true;
  quiet?: true;
  name?: string;
  priority?: number;
  retries?: number;
  maxFailures?: number;
  timeout?: number;
  requires?: Record<string, string>;
  cpus?: number;
  memory?: number;
  resource?: Record<string, number>;
  deterministic?: true;
  variant?: string[];
  install?: string[];
  local?: number;
  spawns?: boolean;
  after?: string[];
  resultsOf?: string;
}

export function addRun(program: Command, finish: Finish): void {
  const command = program
    .command('run <module> [input...]')
    .description(
      'run the default function of a module, a file of Python (.py) or a WebAssembly program (.wasm), once for each input, and print what it returns; without any input it is called once, with undefined',
    )
    .option('--range <a..b[..step]>', 'whole numbers as inputs, b included', parseRange)
    .option(
      '--variant <module>',
      'another module, .py or .wasm that gives the same results: each worker runs the fastest; may be given more than once',
      collect,
    )
    .option(
      '--install <package>',
      'a package of npm, such as sharp@0.33.5, that is installed where the tasks run (workers with --allow install); may be given more than once, or as a list with commas',
      collectPackages,
    )
    .option('--inputs <file>', 'a file of inputs, or - for standard input')
    .option('--results-of <job>', 'the results of this job as inputs, as they come; undefined ones are left out')
    .addOption(new Option('--format <format>', 'how to read it (default: by its name, else lines)').choices(FORMATS))
    .option('--out <file>', 'write records into a file instead of printing values')
    .option('--json', 'print records: {"index":0,"status":"done","value":…}')
    .option('--unordered', 'print results as they come')
    .option('--defined', 'leave out results that are undefined')
    .option('--detach', 'print the id of the job and leave it to the server')
    .option('--name <name>', 'what people call the job (default: the module)')
    .option('--priority <n>', 'higher first', wholeNumber('--priority', -1000, 1000))
    .option('--retries <n>', 're-runs of a task that failed', wholeNumber('--retries', 0, 1000))
    .option('--max-failures <n>', 'end the job when more tasks failed', wholeNumber('--max-failures', 0))
    .option('--timeout <duration>', 'time limit of one attempt of a task', parseDuration)
    .option('--after <job>', 'only when this job is done; may be given more than once', collect)
    .option('--spawns', 'tasks may add others to the job (ctx.spawn); it ends once nothing is left to do')
    .option('--requires <key=value>', 'only on workers with this label', collectLabel)
    .option('--cpus <n>', 'CPUs of each task', positiveNumber('--cpus'))
    .option('--memory <size>', 'memory of each task', parseSize)
    .option('--resource <key=amount>', 'an amount of it for each task, on workers that have it', collectResource)
    .option('--deterministic', 'give a WebAssembly program the same clock and random bytes each time')
    .option('--local <n>', 'slots of a server started for this command alone', wholeNumber('--local', 1, 4096))
    .option('--quiet', 'no progress bar and no remarks')
    .addHelpText(
      'after',
      '\nA value is printed as JSON, a text as itself. What JSON has no words for (BigInt, Date, Map, NaN, bytes)\nis an object with the only key "$mh", in inputs too: the SDK\'s guide, docs/sdk.md, has the table.',
    );
  withServer(command).action(async (module: string, inputs: string[], options: RunOptions) => {
    finish(await run(module, inputs, options));
  });
}

/** Everything that can be wrong with the command line and the module is told before a server is looked for. */
async function run(module: string, args: string[], options: RunOptions): Promise<number> {
  checkInputs(args, options);
  if (options.detach && (options.json || options.out !== undefined || options.unordered || options.defined)) {
    throw new UsageError('--detach prints the id of the job only: use "manyhands results" for its results');
  }
  if (options.detach && options.local !== undefined) {
    throw new UsageError('--detach needs a server that stays, --local starts one for this command alone');
  }
  const other = options.after !== undefined ? '--after' : options.resultsOf !== undefined ? '--results-of' : undefined;
  if (other !== undefined && options.local !== undefined) {
    throw new UsageError(`${other} names a job of a server that stays, --local starts one for this command alone`);
  }
  const named = options.url !== undefined ? '--url' : options.data !== undefined ? '--data' : undefined;
  if (named !== undefined && options.local !== undefined) {
    throw new UsageError(`${named} names a server, --local starts one for this command alone: give only one of them`);
  }
  const { runJob } = await import('../run-job.ts');
  return runJob(module, args, options);
}

function collectPackages(value: string, all: string[] = []): string[] {
  const packages = [...all, ...value.split(',').map((each) => each.trim())];
  const why = whyNotInstall(packages);
  if (why !== undefined) throw new UsageError(`--install: ${why}`);
  return packages;
}

function collect(value: string, all: string[] = []): string[] {
  return [...all, value];
}

function checkInputs(args: string[], options: RunOptions): void {
  const given = [
    args.length > 0 ? 'arguments' : undefined,
    options.range === undefined ? undefined : '--range',
    options.inputs === undefined ? undefined : '--inputs',
    options.resultsOf === undefined ? undefined : '--results-of',
  ].filter((one) => one !== undefined);
  if (given.length > 1) throw new UsageError(`inputs come from ${given.join(' and ')}: give only one of them`);
  if (options.format !== undefined && options.inputs === undefined) {
    throw new UsageError('--format says how to read a file: give one with --inputs');
  }
}
