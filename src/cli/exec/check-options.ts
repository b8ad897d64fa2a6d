import type { ExecOptions } from '../commands/exec.ts';
import { UsageError } from '../errors.ts';
import type { CommandLineParts } from './command-line.ts';
import { isServersTask } from './halt.ts';

/** Everything that can be wrong with the options is told before a server is looked for. */
export function checkOptions({ words, sources }: CommandLineParts, options: ExecOptions): void {
  const { inputs, pipe, detach, quote } = options;
  if (inputs !== undefined && sources.length > 0)
    throw new UsageError('inputs come from --inputs and from the command line: give only one of them');
  if (options.format !== undefined && inputs === undefined)
    throw new UsageError('--format says how to read a file: give one with --inputs');
  if (options.header !== undefined && options.header !== ':')
    throw new UsageError(
      '--header takes the first value of each source for the name of its column: write it as --header :',
    );
  if (options.block !== undefined && !pipe)
    throw new UsageError('--block says how to cut standard input: give it with --pipe');
  if (quote && words.length === 0) throw new UsageError('--quote keeps the words of a command: give one after --');
  checkPacking(options);
  if (pipe) checkPipe(words, sources, options);
  checkFiles(options);
  if (/\.(csv|tsv|json)$/.test(options.results ?? ''))
    throw new UsageError(`--results ${options.results}: it is a directory that is written; --json prints records`);
  if (detach) checkDetach(options);
  checkServer(options);
}

function checkPacking({ X: fills, m: joins, xargs, maxArgs, maxReplaceArgs, maxLines, maxChars }: ExecOptions): void {
  const [first, second] = chosen({ '-X': fills, '-m': joins, '--xargs': xargs });
  if (second !== undefined)
    throw new UsageError(`${first} and ${second} fill commands in two ways: give only one of them`);
  if (maxChars !== undefined && first === undefined)
    throw new UsageError('--max-chars says how long the commands of -X, -m or --xargs may be: give one of these');
  const [one, other] = chosen({ '-n': maxArgs, '-N': maxReplaceArgs, '-L': maxLines });
  if (other !== undefined)
    throw new UsageError(`${one} and ${other} both say how many values a command gets: give only one of them`);
}

/** Names of the options that were given. */
function chosen(options: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(options).filter((name) => options[name] !== undefined);
}

/** The option by which it goes on where a log ends, as it was given. */
export function resumeOption({ resume, resumeFailed }: ExecOptions): string | undefined {
  if (resumeFailed) return '--resume-failed';
  return resume ? '--resume' : undefined;
}

function checkPipe(words: readonly string[], sources: CommandLineParts['sources'], options: ExecOptions): void {
  if (words.length === 0) throw new UsageError('--pipe gives standard input to a command: give one after --');
  if (sources.length > 0 || options.inputs !== undefined)
    throw new UsageError(
      '--pipe gives standard input to the commands, which then have no arguments: leave out the values',
    );
  const { send, results } = options;
  const other = send ? '--send' : results ? '--results' : resumeOption(options);
  if (other !== undefined) throw new UsageError(`${other} goes by arguments, and with --pipe there are none`);
}

function checkFiles(options: ExecOptions): void {
  const { cwd, send, collect, joblog } = options;
  if (cwd !== undefined && (send !== undefined || collect !== undefined))
    throw new UsageError(
      '--cwd is a directory that all workers share, so that its files need no --send and no --collect',
    );
  const outside = collect?.find((glob) => /^\/|(^|\/)\.\.(\/|$)/.test(glob));
  if (outside !== undefined)
    throw new UsageError(
      `--collect ${outside}: it leads out of the directory of the command, and nothing from there comes back`,
    );
  const resume = resumeOption(options);
  if (resume !== undefined && joblog === undefined)
    throw new UsageError(`${resume} goes on where a log ends: name it with --joblog`);
}

function checkDetach(options: ExecOptions): void {
  const { json, out, unordered, tag, joblog, halt, results } = options;
  const waits = { '--json': json, '--out': out, '--unordered': unordered, '--tag': tag, '--joblog': joblog };
  const more = { '--results': results, '--halt': isServersTask(halt) ? undefined : halt };
  const [needed] = Object.entries({ ...waits, ...more }).find(([, value]) => value !== undefined) ?? [];
  if (needed !== undefined)
    throw new UsageError(`--detach prints the id of the job only, and ${needed} needs this command to stay`);
}

function checkServer({ detach, local, jobs, url, data }: ExecOptions): void {
  if (local !== undefined && jobs !== undefined)
    throw new UsageError('--local and -j mean the same: give only one of them');
  const own = local !== undefined ? '--local' : jobs !== undefined ? '-j' : undefined;
  if (own === undefined) return;
  if (detach) throw new UsageError(`--detach needs a server that stays, ${own} starts one for this command alone`);
  const named = url !== undefined ? '--url' : data !== undefined ? '--data' : undefined;
  if (named !== undefined)
    throw new UsageError(
      `${named} names a server, whose workers have slots of their own, and ${own} starts one for this command alone: give only one of them`,
    );
}
