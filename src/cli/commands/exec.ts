import { type Command, Option } from 'commander';
import { parseDuration } from '../arguments/duration.ts';
import { positiveNumber, wholeNumber } from '../arguments/numbers.ts';
import { collectLabel, collectResource } from '../arguments/pairs.ts';
import { parseSize } from '../arguments/size.ts';
import { TRIMS, type Trim } from '../exec/arguments.ts';
import { type Halt, parseHalt } from '../exec/halt.ts';
import { parseSlots } from '../exec/slots.ts';
import { withServer } from '../find-server.ts';
import { FORMATS } from '../inputs/formats.ts';
import type { Finish } from '../program.ts';
import type { RunOptions } from './run.ts';

export interface ExecOptions extends Omit<RunOptions, 'range' | 'defined'> {
  jobs?: number;
  argFile?: string[];
  null?: true;
  colsep?: RegExp;
  header?: string;
  trim?: Trim;
  maxArgs?: number;
  maxReplaceArgs?: number;
  maxLines?: number;
  X?: true;
  m?: true;
  xargs?: true;
  maxChars?: number;
  results?: string;
  plus?: true;
  mark?: string;
  quote?: true;
  pipe?: true;
  block?: number;
  tag?: true;
  halt?: Halt;
  dryRun?: true;
  joblog?: string;
  resume?: true;
  resumeFailed?: true;
  env?: string[];
  cwd?: string;
  send?: string[];
  collect?: string[];
}

export function addExec(program: Command, finish: Finish): void {
  const command = program
    .command('exec [command...]')
    .usage('[options] -- COMMAND [::: VALUE…]')
    .description('run a command line once for each input, as GNU Parallel does, and print what it prints')
    .passThroughOptions();
  addArguments(command);
  addConduct(command);
  addFiles(command);
  addJob(command);
  command.addHelpText('after', HELP);
  withServer(command).action(async (words: string[], options: ExecOptions) => {
    const { execJob } = await import('../exec/exec-job.ts');
    finish(await execJob(words, options));
  });
}

const HELP = `
In COMMAND, {} is the argument, {.} without its extension, {/} its last part, {//} its directory, {/.} both of the first two,
{#} the number of the command, {%} that of its slot; {2} or {name} is one of several arguments, {2.} and so on.
Values: ::: VALUE…, :::+ VALUE… (go with those before), :::: FILE… (a value a line), else the lines of standard input.
docs/exec.md compares each option with GNU Parallel's.`;

function addArguments(command: Command): void {
  command
    .option('-a, --arg-file <file>', 'a file of values, one a line (again: one more argument)', together)
    .option('--inputs <file>', 'the same, or a table whose columns have names (.csv, .tsv, .jsonl)')
    .addOption(new Option('--format <format>', 'how to read that (default: by its name, else lines)').choices(FORMATS))
    .option('-0, --null', 'values end with NUL, not with a line feed')
    .option('-C, --colsep <regexp>', 'cut each value into several arguments', parseRegExp)
    .option('--header <what>', 'the first value names its column: write it as --header :')
    .addOption(new Option('--trim <ends>', 'take spaces off: l, r, lr (default: n, with --colsep lr)').choices(TRIMS))
    .option('-n, --max-args <n>', 'values for one command; lines for one, with --pipe', wholeNumber('-n', 0))
    .option('-N, --max-replace-args <n>', 'the same, and a word with {} in it once for each', wholeNumber('-N', 0))
    .option('-L, --max-lines <n>', 'the same; a value that ends in a space goes on with the next', wholeNumber('-L', 1))
    .option('-X', 'as many values for one command as it can hold, a word with {} in it once for each')
    .option('-m', 'as many values for one command as it can hold, all of them in place of each {}')
    .option('--xargs', 'the same, and what is left is not spread over all slots')
    .option('-s, --max-chars <n>', 'bytes of such a command, fewer than this', wholeNumber('-s', 2))
    .option('-I, --mark <mark>', 'what stands for all arguments instead of {}')
    .option('--plus', 'more replacement strings: {..} {+/} {+.} {:-none} {%.txt} {##} and others')
    .option('-q, --quote', 'keep the words of the command as they are, past the shell')
    .option('--pipe', 'give standard input to the commands, in blocks of lines')
    .option('--block <size>', 'about so much of it for one command', parseSize);
}

function addConduct(command: Command): void {
  command
    .option('-j, --jobs <n>', 'slots of a server started for this command alone, such as 4, 50% or +2', parseSlots)
    .option('-k, --keep-order', 'print in the order of the inputs; it is so unless --unordered is given')
    .option('--tag', 'begin each line with the arguments of its command')
    .option(
      '--halt <when>',
      'now,fail=N or soon,fail=N: end when N commands have failed; so success=N, done=N',
      parseHalt,
    )
    .option('--dry-run', 'print the command lines and run nothing')
    .option('--joblog <file>', 'write a line for each command that has ended')
    .option('--results <dir>', 'write what commands print into files: DIR/1/VALUE/stdout, stderr and seq')
    .option('--resume', 'leave out what the log says has run')
    .option('--resume-failed', 'the same, but run again what has failed')
    .option('--env <name[=value]>', 'a variable that commands see', together);
}

function addFiles(command: Command): void {
  command
    .option('--wd, --cwd <dir>', 'run in this directory, which all workers have; else each in a fresh one')
    .option('--send <file>', 'a file that the command reads, such as {}', together)
    .option('--collect <glob>', 'files that it writes, brought back here, such as {.}.jpg', together);
}

function addJob(command: Command): void {
  command
    .option('--out <file>', 'write records into a file instead of printing')
    .option('--json', 'print records: {"index":0,"status":"done","value":{"stdout":…}}')
    .option('--unordered', 'print as commands end')
    .option('--detach', 'print the id of the job and leave it to the server')
    .option('--name <name>', 'what people call the job (default: the command)')
    .option('--priority <n>', 'higher first', wholeNumber('--priority', -1000, 1000))
    .option('--retries <n>', 're-runs of a command that failed', wholeNumber('--retries', 0, 1000))
    .option('--max-failures <n>', 'end the job when more commands failed', wholeNumber('--max-failures', 0))
    .option('--timeout <duration>', 'time limit of one attempt of a command', parseDuration)
    .option('--requires <key=value>', 'only on workers with this label', collectLabel)
    .option('--cpus <n>', 'CPUs of each command', positiveNumber('--cpus'))
    .option('--memory <size>', 'memory of each command and all that it starts', parseSize)
    .option('--resource <key=amount>', 'an amount of it for each command, on workers that have it', collectResource)
    .option('--local <n>', 'slots of a server started for this command alone', wholeNumber('--local', 1, 4096))
    .option('--quiet', 'no progress bar and no remarks');
}

function together(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function parseRegExp(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    // Escapes of characters that need none are usual in a shell.
    return new RegExp(text);
  }
}
