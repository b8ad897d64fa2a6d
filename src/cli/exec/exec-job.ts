import path from 'node:path';
import type { Farm } from '../../client/farm.ts';
import type { JobOptions } from '../../client/job-options.ts';
import { PIPE_BLOCK_BYTES } from '../../model/exec-limits.ts';
import {
  CommandTemplate,
  type ExecCode,
  type ExecInput,
  isVariable,
  withArguments,
} from '../../worker/exec/exec-code.ts';
import { quoteWord } from '../../worker/exec/template.ts';
import { attend } from '../attend.ts';
import type { ExecOptions } from '../commands/exec.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { JobRun } from '../job-run.ts';
import { type OpenFarm, seekFarm } from '../open-farm.ts';
import { Out, OutputClosed } from '../output/out.ts';
import { detach, jobOptions, together } from '../run-job.ts';
import { type ArgumentLists, type ArgumentOptions, gathered, readArguments, readInputFile } from './arguments.ts';
import { checkOptions } from './check-options.ts';
import { type CommandLineParts, splitCommandLine } from './command-line.ts';
import { JobLog } from './job-log.ts';
import { cutBlocks } from './pipe-blocks.ts';
import { checkSentFiles, FileSender } from './sent-files.ts';
import { type NumberedArguments, Tracking } from './tracking.ts';

/** What is to be run, before anything is. */
interface Plan {
  readonly code: ExecCode;
  readonly template: CommandTemplate;
  /** Absent with `--pipe`. */
  readonly lists: AsyncIterable<readonly string[]> | undefined;
}

/** Runs a command line for each of its inputs, or says what it would run; resolves with the exit code. */
export async function execJob(all: readonly string[], options: ExecOptions): Promise<number> {
  const parts = splitCommandLine(all, options.argFile);
  checkOptions(parts, options);
  const say = options.quiet ? () => {} : (text: string) => void process.stderr.write(text);
  if (options.dryRun) return dryRun(await planOf(parts, options));
  const local = options.local ?? options.jobs;
  const [plan, open] = await together([
    planOf(parts, options).then((read) => checked(read, options)),
    seekFarm({ ...options, local, mustStay: options.detach, commands: true, say }),
  ]);
  const log = options.joblog === undefined ? undefined : JobLog.open(options.joblog, goesOn(options));
  const tracking = new Tracking(plan.template, options, log);
  const inputs = plan.lists && (await tracking.left(plan.lists));
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  const run = new JobRun(say, options.collect === undefined ? '' : ' --files .');
  const { farm, api } = await open();
  try {
    const code = { runner: 'exec', code: JSON.stringify(plan.code), sourceName: nameOf(plan.code) } as const;
    const job = await farm.map(code, inputsOf(plan, inputs, tracking, farm, options), execOptions(options));
    if (options.detach) return await detach(job, farm);
    run.begin(job, farm);
    tracking.follow(job, { farm, api });
    return run.finish(await attend(job, attendOptions(options, out, { farm, api }, tracking)));
  } catch (error) {
    if (run.interrupted) run.leave(ExitCode.interrupted);
    if (error instanceof OutputClosed) await run.unread();
    throw error;
  } finally {
    run.end();
    out.close();
    await farm.close().catch(() => {});
  }
}

function attendOptions(options: ExecOptions, out: Out, { farm, api }: OpenFarm, tracking: Tracking) {
  return {
    out,
    form: options.json || options.out !== undefined ? 'records' : 'values',
    ordered: options.unordered !== true,
    defined: false,
    quiet: options.quiet === true,
    readBlob: (ref: { sha256: string; size: number }) => farm.download(ref),
    api,
    commands: {
      farm,
      tagOf: options.tag ? (index: number) => tracking.tagOf(index) : undefined,
      tell: tracking.isNeeded ? tracking.tell : undefined,
    },
  } as const;
}

async function planOf({ words, sources }: CommandLineParts, options: ExecOptions): Promise<Plan> {
  const { mark, pipe, send, collect, cwd } = options;
  const read = pipe ? undefined : await listsOf(sources, options);
  const names = read?.names;
  const quoted = options.quote ? words.map((word) => quoteWord(word, { mark, names })) : words;
  const facts = {
    ...(mark !== undefined && { mark }),
    ...(names !== undefined && { names }),
    ...(pipe && { pipe }),
    ...(send !== undefined && { send }),
    ...(collect !== undefined && { collect }),
    ...(cwd !== undefined && { directory: path.resolve(cwd) }),
    ...(options.env !== undefined && { env: Object.fromEntries(options.env.map(variable)) }),
  };
  const code = { command: withArguments(quoted.join(' '), facts), ...facts };
  return { code, template: new CommandTemplate(code), lists: read?.lists };
}

function listsOf(sources: CommandLineParts['sources'], options: ExecOptions): Promise<ArgumentLists> {
  const how: ArgumentOptions = {
    isNullSeparated: options.null === true,
    colsep: options.colsep,
    hasHeader: options.header !== undefined,
    trim: options.trim ?? (options.colsep === undefined ? 'n' : 'lr'),
    group: options.maxArgs,
  };
  if (options.inputs !== undefined) return readInputFile(options.inputs, options.format, how);
  if (sources.length > 0) return readArguments(sources, how);
  if (process.stdin.isTTY && !options.quiet)
    process.stderr.write('manyhands: inputs are read from this terminal; Ctrl-D ends them\n');
  return readArguments([{ kind: 'file', path: '-', isLinked: false }], how);
}

/** What must be known of all commands before the first of them runs. */
async function checked(plan: Plan, options: ExecOptions): Promise<Plan> {
  const { template, lists } = plan;
  if (lists === undefined || (options.send === undefined && !goesOn(options))) return plan;
  const all = await gathered(lists);
  if (options.send !== undefined) checkSentFiles(template, all);
  return { ...plan, lists: asyncOf(all) };
}

async function* asyncOf<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

function goesOn({ resume, resumeFailed }: ExecOptions): boolean {
  return resume === true || resumeFailed === true;
}

async function* inputsOf(
  { code, template }: Plan,
  lists: AsyncIterable<NumberedArguments> | undefined,
  tracking: Tracking,
  farm: Farm,
  { block = PIPE_BLOCK_BYTES, maxArgs }: ExecOptions,
): AsyncGenerator<ExecInput | Uint8Array> {
  if (lists === undefined) return yield* cutBlocks(process.stdin, { size: block, lines: maxArgs });
  // On a farm of our own commands run in this directory, where the files are.
  const sender = code.send === undefined || farm.embedded ? undefined : new FileSender(farm);
  let index = 0;
  for await (const { sequence, args } of lists) {
    index += 1;
    tracking.note(index - 1, sequence, args);
    const files = await sender?.send(template.sent(args, sequence));
    if (files === undefined && sequence === index) yield args;
    else yield { args, ...(sequence !== index && { sequence }), ...(files !== undefined && { files }) };
  }
}

async function dryRun({ template, lists }: Plan): Promise<number> {
  const out = Out.stdout();
  let sequence = 0;
  try {
    if (lists === undefined) await out.write(`${template.command([], 1, 1)}\n`);
    else for await (const args of lists) await out.write(`${template.command(args, ++sequence, 1)}\n`);
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
  return ExitCode.done;
}

function variable(text: string): [string, string] {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  if (!isVariable(name)) throw new UsageError(`--env ${text}: "${name}" is no name of a variable`);
  const value = at < 0 ? process.env[name] : text.slice(at + 1);
  if (value === undefined)
    throw new UsageError(`--env ${name}: there is no such variable here; give its value: ${name}=…`);
  return [name, value];
}

/** Commands are expected to fail now and then: only who asks for it has them ended early. */
function execOptions(options: ExecOptions): JobOptions {
  const { halt, maxFailures } = options;
  const most = halt?.when === 'now' ? halt.failures - 1 : (maxFailures ?? Number.MAX_SAFE_INTEGER);
  return { ...jobOptions(options), maxFailures: most };
}

function nameOf({ command }: ExecCode): string {
  return (command === '' ? 'commands' : command).slice(0, 256);
}
