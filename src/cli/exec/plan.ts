import path from 'node:path';
import { COMMAND_BYTES } from '../../model/exec-limits.ts';
import { CommandTemplate, type ExecCode, isVariable, withArguments } from '../../worker/exec/exec-code.ts';
import { parseTemplate, quoteWord } from '../../worker/exec/template.ts';
import type { ExecOptions } from '../commands/exec.ts';
import { UsageError } from '../errors.ts';
import {
  type ArgumentLists,
  type ArgumentOptions,
  asyncOf,
  gathered,
  readArguments,
  readInputFile,
} from './arguments.ts';
import type { CommandLineParts } from './command-line.ts';
import { type Packing, packed } from './packing.ts';

/** What is to be run, before anything is. */
export interface Plan {
  readonly code: ExecCode;
  readonly template: CommandTemplate;
  /** Absent with `--pipe`. */
  readonly lists: AsyncIterable<readonly string[]> | undefined;
  /** How many of the arguments of a command belong together, as those of one line do; known once the first has come. */
  readonly shape: { columns: number };
}

/** `slots`: how many commands will run at once; asked only where it matters. */
export async function planOf(
  { words, sources }: CommandLineParts,
  options: ExecOptions,
  slots: () => Promise<number>,
): Promise<Plan> {
  const read = options.pipe ? undefined : await listsOf(sources, options);
  const facts = factsOf(options, read?.names);
  const code = { command: readably(() => commandOf(words, options, facts)), ...facts };
  const template = readably(() => new CommandTemplate(code));
  const shape = { columns: 1 };
  const lists = read && packed(noted(read.lists, shape), packingOf(template, options, slots));
  return { code, template, lists, shape };
}

/** Where `{##}` stands for the number of all commands, none can be made before all are known. */
export async function withTotal(plan: Plan): Promise<Plan> {
  const { code, lists } = plan;
  const texts = [code.command, ...(code.send ?? []), ...(code.collect ?? [])];
  if (lists === undefined || code.plus !== true || !texts.some((text) => /\{[#0]#\}/.test(text))) return plan;
  const all = await gathered(lists);
  const whole = { ...code, total: all.length };
  return { ...plan, code: whole, template: new CommandTemplate(whole), lists: asyncOf(all) };
}

async function* noted(lists: ArgumentLists['lists'], shape: Plan['shape']): AsyncGenerator<readonly string[]> {
  let isFirst = true;
  for await (const list of lists) {
    if (isFirst) shape.columns = Math.max(1, list.length);
    isFirst = false;
    yield list;
  }
}

function factsOf(options: ExecOptions, names: readonly string[] | undefined): Omit<ExecCode, 'command'> {
  const { mark, plus, pipe, send, collect, cwd, env } = options;
  return {
    ...(mark !== undefined && { mark }),
    ...(names !== undefined && { names }),
    ...(repeats(options) && { repeats: true }),
    ...(plus && { plus }),
    ...(pipe && { pipe }),
    ...(send !== undefined && { send }),
    ...(collect !== undefined && { collect }),
    ...(cwd !== undefined && { directory: path.resolve(cwd) }),
    ...(env !== undefined && { env: Object.fromEntries(env.map(variable)) }),
  };
}

/** Whether a word with `{}` in it stands there once for each of several arguments, as GNU Parallel has it. */
function repeats({ pipe, X: fills, m: joins, xargs, maxReplaceArgs, maxLines }: ExecOptions): boolean {
  if (pipe) return false;
  return fills === true || maxReplaceArgs !== undefined || (maxLines !== undefined && !joins && !xargs);
}

function packingOf(template: CommandTemplate, options: ExecOptions, slots: () => Promise<number>): Packing | undefined {
  const { X: fills, m: joins, xargs, maxChars = COMMAND_BYTES + 1 } = options;
  const most = options.maxReplaceArgs ?? options.maxArgs ?? options.maxLines;
  if (!fills && !joins && !xargs) return most === undefined ? undefined : { most };
  // What an argument adds is the same whatever stands before it.
  const lengthOf = (values: readonly string[]) => Buffer.byteLength(template.command(values, 1e9, 1e3));
  const bare = lengthOf(['']);
  const double = lengthOf(['', '']) - bare;
  const bytesOf = (list: readonly string[]) => list.reduce((sum, value) => sum + lengthOf(['', value]) - bare, 0);
  const room = Math.min(maxChars - 1, COMMAND_BYTES) - bare + double;
  return { most, fill: { bytesOf, room }, ...(!xargs && { slots }) };
}

/** A pattern of `--plus` may be none. */
function readably<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function commandOf(words: readonly string[], { quote }: ExecOptions, facts: Omit<ExecCode, 'command'>): string {
  const written = quote ? words.map((word) => quotedWord(word, facts)) : words;
  return withArguments(written.join(' '), facts);
}

function quotedWord(word: string, facts: Omit<ExecCode, 'command'>): string {
  if (facts.repeats && /[ \t]/.test(word) && parseTemplate(word, facts).replaces)
    throw new UsageError(
      `--quote keeps ${JSON.stringify(word)} one word, in which an argument can't stand several times: give -m or -n in place of -X, -N or -L`,
    );
  return quoteWord(word, facts);
}

function listsOf(sources: CommandLineParts['sources'], options: ExecOptions): Promise<ArgumentLists> {
  const how: ArgumentOptions = {
    isNullSeparated: options.null === true,
    colsep: options.colsep,
    hasHeader: options.header !== undefined,
    trim: options.trim ?? (options.colsep === undefined ? 'n' : 'lr'),
    joinsLines: options.maxLines !== undefined,
  };
  if (options.inputs !== undefined) return readInputFile(options.inputs, options.format, how);
  if (sources.length > 0) return readArguments(sources, how);
  if (process.stdin.isTTY && !options.quiet)
    process.stderr.write('manyhands: inputs are read from this terminal; Ctrl-D ends them\n');
  return readArguments([{ kind: 'file', path: '-', isLinked: false }], how);
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
