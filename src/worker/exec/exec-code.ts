import type { BlobRef } from '../../model/envelope.ts';
import {
  asIs,
  fillForEach,
  fillTemplate,
  parseTemplate,
  quoteForShell,
  type Template,
  type TemplateOptions,
} from './template.ts';

/** The code of a job of commands: what stands once for all of its tasks. */
export interface ExecCode {
  /** With replacement strings; empty: the arguments of a task are its command. */
  readonly command: string;
  /** What stands for all arguments instead of `{}`. */
  readonly mark?: string;
  /** Names of the arguments, in their order. */
  readonly names?: readonly string[];
  /** A word of the command with `{}` in it stands there once for each argument, in place of all arguments in one word. */
  readonly repeats?: boolean;
  /** The replacement strings of `--plus` are known, and `{##}` stands for `total`. */
  readonly plus?: boolean;
  readonly total?: number;
  /** The input of a task is what its command reads; there are no arguments. */
  readonly pipe?: boolean;
  /** Files that the command reads, and those that it writes, relative to the directory where it runs. */
  readonly send?: readonly string[];
  readonly collect?: readonly string[];
  /** Where all commands run, on a file system that the workers share; absent: each in a fresh directory. */
  readonly directory?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The input of a task: its arguments, or those with what else belongs to it. */
export type ExecInput = readonly string[] | DetailedInput;

export interface DetailedInput {
  readonly args: readonly string[];
  /** The number that `{#}` stands for; absent: its place in the job. */
  readonly sequence?: number;
  readonly files?: readonly SentFile[];
}

/** A file with its path relative to the directory of the command. */
export interface ExecFile {
  readonly path: string;
  readonly blob: BlobRef;
}

export interface SentFile extends ExecFile {
  readonly executable?: boolean;
}

/** What one command printed: text, bytes that are no text, or a blob where it is long. */
export type ExecOutput = string | { readonly base64: string } | { readonly blob: BlobRef };

/** What became of a command; the value of its task, also of one that failed. */
export interface ExecValue {
  readonly stdout: ExecOutput;
  readonly stderr: ExecOutput;
  readonly exitCode: number;
  /** Of the signal that ended it. */
  readonly signal?: string;
  /** What it wrote and its job collects. */
  readonly files?: readonly ExecFile[];
  readonly usage?: ExecUsage;
}

export interface ExecUsage {
  /** The worker's name. */
  readonly worker: string;
  /** Wall clock, milliseconds since 1970. */
  readonly startedAt: number;
  readonly seconds: number;
  /** Of it and all that it started, in steps of 10 ms. Absent where the system does not tell. */
  readonly cpuSeconds?: number;
  /** The most that it and all that it started were seen to have in memory; absent for what ended before it was looked at. */
  readonly memory?: number;
}

/** A command made ready to be filled in, many times. */
export class CommandTemplate {
  readonly #command: Template;
  readonly #isArguments: boolean;
  readonly #send: readonly Template[];
  readonly #collect: readonly Template[];

  constructor(code: ExecCode) {
    const { command, send = [], collect = [] } = code;
    const options = templateOptions(code);
    this.#isArguments = command === '';
    this.#command = parseTemplate(command === '' ? '{}' : command, command === '' ? {} : options);
    this.#send = send.map((text) => parseTemplate(text, options));
    this.#collect = collect.map((text) => parseTemplate(text, options));
  }

  /** The command line that `sh -c` runs. */
  command(values: readonly string[], sequence: number, slot: number): string {
    return fillTemplate(this.#command, { values, sequence, slot }, this.#isArguments ? asIs : quoteForShell);
  }

  /** Paths of the files that the command reads. Which slot it runs on is not known by then. */
  sent(values: readonly string[], sequence: number): string[] {
    return this.#send.flatMap((template) => fillForEach(template, { values, sequence, slot: 0 }, asIs));
  }

  /** Patterns of the files that it writes; `quote` guards what an argument brings against being taken for a pattern. */
  collected(values: readonly string[], sequence: number, slot: number, quote: (text: string) => string): string[] {
    return this.#collect.flatMap((template) => fillForEach(template, { values, sequence, slot }, quote));
  }
}

/** The command with ` {}` behind it, unless it says itself where the arguments go, or takes none. */
export function withArguments(command: string, facts: Omit<ExecCode, 'command'>): string {
  if (facts.pipe === true || command === '' || parseTemplate(command, templateOptions(facts)).replaces) return command;
  return `${command} ${facts.mark ?? '{}'}`;
}

function templateOptions({ mark, names, repeats, plus, total }: Omit<ExecCode, 'command'>): TemplateOptions {
  return { mark, names, repeats, plus, total };
}

/** Reads the code of a job; throws one sentence where it is none. */
export function readExecCode(text: string): ExecCode {
  let code: unknown;
  try {
    code = JSON.parse(text);
  } catch (error) {
    throw new TypeError(`the code of a job of commands is not JSON: ${(error as Error).message}`);
  }
  if (!isRecord(code) || typeof code.command !== 'string') {
    throw new TypeError('the code of a job of commands has no "command", which is a text');
  }
  const { command, mark, names, repeats, plus, total, pipe, send, collect, directory, env } = code;
  for (const [name, list] of Object.entries({ names, send, collect })) {
    if (list !== undefined && !isTexts(list)) throw new TypeError(`"${name}" of a job of commands is no list of texts`);
  }
  if (env !== undefined && !(isRecord(env) && isTexts(Object.values(env)) && Object.keys(env).every(isVariable))) {
    throw new TypeError('"env" of a job of commands is no object of texts, named as variables of a shell are');
  }
  return {
    command,
    ...(typeof mark === 'string' && mark !== '' && { mark }),
    ...(typeof directory === 'string' && { directory }),
    ...(pipe === true && { pipe }),
    ...(repeats === true && { repeats }),
    ...(plus === true && { plus }),
    ...(Number.isSafeInteger(total) && { total: total as number }),
    ...(names !== undefined && { names: names as string[] }),
    ...(send !== undefined && { send: send as string[] }),
    ...(collect !== undefined && { collect: collect as string[] }),
    ...(env !== undefined && { env: env as Record<string, string> }),
  };
}

/** The input of a task, whoever has written it. Throws one sentence where it is none. */
export function readExecInput(input: unknown): DetailedInput {
  if (isTexts(input)) return { args: input };
  if (isRecord(input)) {
    if (isTexts(input.args)) return detailed(input.args, input);
    // An object of texts, such as a row of a table: its values are the arguments.
    const values = Object.values(input);
    if (isTexts(values)) return { args: values };
  }
  if (typeof input === 'string') return { args: [input] };
  if (typeof input === 'number' || typeof input === 'bigint') return { args: [String(input)] };
  throw new TypeError('the input of a command is no list of texts, which are its arguments');
}

function detailed(args: readonly string[], { sequence, files }: Record<string, unknown>): DetailedInput {
  if (files !== undefined && !(Array.isArray(files) && files.every(isSentFile))) {
    throw new TypeError('"files" in the input of a command are no files, which have a path and a blob');
  }
  return {
    args,
    ...(Number.isSafeInteger(sequence) && { sequence: sequence as number }),
    ...(files !== undefined && { files: files as SentFile[] }),
  };
}

function isSentFile(file: unknown): boolean {
  if (!isRecord(file) || typeof file.path !== 'string' || !isRecord(file.blob)) return false;
  return /^[0-9a-f]{64}$/.test(String(file.blob.sha256)) && Number.isSafeInteger(file.blob.size);
}

/** Whether a shell takes it for the name of a variable. */
export function isVariable(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
