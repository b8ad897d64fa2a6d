import { statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { COMMAND_BYTES } from '../../../model/exec-limits.ts';
import type { CommandTemplate, DetailedInput, ExecCode, ExecFile, ExecUsage, ExecValue } from '../../exec/exec-code.ts';
import type { WorkerFailure } from '../../failures.ts';
import { bounded } from '../../failures.ts';
import type { JobFacts } from '../../runner.ts';
import type { BlobFiles } from '../blob-files.ts';
import type { TaskUser } from '../task-user.ts';
import { escapeGlob, findFiles } from './collect-files.ts';
import { lastLineIn, outputIn, uploaded } from './command-output.ts';
import type { CommandShell } from './command-shell.ts';
import type { CommandWatch, Watched } from './command-watch.ts';
import { TaskPlace } from './task-place.ts';

/** What commands need of the worker. */
export interface CommandHost {
  /** The worker's name, for people. */
  readonly worker: string;
  /** Holds the directories of tasks. */
  readonly root: string;
  /** Where every command runs, in place of a fresh directory. */
  readonly directory: string | undefined;
  /** Whom commands run as; undefined: as the worker. */
  readonly user: TaskUser | undefined;
  readonly blobs: BlobFiles;
  readonly watch: CommandWatch;
}

/** One task, before it begins. */
export interface CommandTask {
  readonly job: JobFacts;
  readonly code: ExecCode;
  readonly template: CommandTemplate;
  readonly index: number;
  readonly lease: number;
  readonly slot: number;
  readonly input: DetailedInput;
  /** What the command reads: bytes, or the path of a file that holds them. */
  readonly stdin: Uint8Array | string | undefined;
}

/** Runs one command to its end. `isStopped` says afterwards whether it was ended because of its time. */
export async function runCommand(
  host: CommandHost,
  shell: CommandShell,
  task: CommandTask,
  isStopped: () => boolean,
): Promise<ExecValue | WorkerFailure> {
  const place = new TaskPlace(host.root, host.user);
  try {
    const { args, sequence = task.index + 1 } = task.input;
    const command = task.template.command(args, sequence, task.slot + 1);
    const refusal = whyNot(command, task.code);
    if (refusal !== undefined) return failure('CommandError', refusal);
    await prepare(host, place, task);
    const running = host.watch.begin(shell, task.job.memory);
    const startedAt = Date.now();
    const code = await shell.run({
      command,
      directory: task.code.directory ?? host.directory ?? place.directory,
      stdin: typeof task.stdin === 'string' ? task.stdin : task.stdin === undefined ? '/dev/null' : place.stdin,
      stdout: place.stdout,
      stderr: place.stderr,
      env: environmentOf(task, place),
    });
    const seconds = (performance.now() - running.since) / 1_000;
    host.watch.end(running);
    if (shell.problem !== undefined)
      return failure('CommandError', `no shell could be started on worker ${host.worker}: ${shell.problem}`);
    const usage = usageOf(host.worker, startedAt, seconds, shell.takeCpuSeconds(), running.peak);
    return await conclude(host, place, task, { code, usage, running, isStopped: isStopped() });
  } catch (error) {
    return failure('CommandError', (error as Error).message);
  } finally {
    place.clean();
  }
}

function whyNot(command: string, { directory }: ExecCode): string | undefined {
  const bytes = Buffer.byteLength(command);
  if (bytes > COMMAND_BYTES)
    return `a command line of ${bytes} bytes is longer than the ${COMMAND_BYTES} that can be run`;
  if (command.includes('\0')) return 'a command line cannot hold the character NUL';
  if (directory !== undefined && !statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    return `there is no directory ${directory} on this worker: --cwd names one that all workers share`;
  return undefined;
}

async function prepare(host: CommandHost, place: TaskPlace, { input, code, stdin }: CommandTask): Promise<void> {
  if (stdin instanceof Uint8Array) writeFileSync(place.stdin, stdin);
  const { files = [] } = input;
  // Where commands run in the directory of their caller or in one that is shared, files are there already.
  if (files.length > 0 && code.directory === undefined && host.directory === undefined)
    await place.receive(files, (sha256) => host.blobs.path(sha256));
}

function environmentOf({ job, code, index, lease }: CommandTask, place: TaskPlace): Record<string, string> {
  return {
    TMPDIR: place.root,
    ...code.env,
    MANYHANDS_JOB: String(job.job),
    MANYHANDS_INDEX: String(index),
    MANYHANDS_ATTEMPT: `${lease}-${index}`,
  };
}

interface CommandEnd {
  readonly code: number | undefined;
  readonly usage: ExecUsage;
  readonly running: Watched;
  readonly isStopped: boolean;
}

async function conclude(
  host: CommandHost,
  place: TaskPlace,
  task: CommandTask,
  { code, usage, running, isStopped }: CommandEnd,
): Promise<ExecValue | WorkerFailure> {
  // A long output is moved away when it is stored.
  const words = code === 0 ? '' : lastLineIn(place.stderr);
  const [stdout, stderr] = [await outputIn(place.stdout, host.blobs), await outputIn(place.stderr, host.blobs)];
  if (stdout === undefined || stderr === undefined)
    return failure('CommandError', `nothing could be written for it on worker ${host.worker}: its disk may be full`);
  const signal = code === undefined ? 'SIGKILL' : signalOf(code);
  const value: ExecValue = {
    stdout,
    stderr,
    exitCode: code ?? 128 + constants.signals.SIGKILL,
    ...(signal !== undefined && { signal }),
    usage,
  };
  if (running.isOver) {
    const limit = `${Math.round((task.job.memory ?? 0) / 1024 / 1024)} MiB`;
    return failed('memory', 'MemoryError', `it needed more memory than its limit of ${limit}, so it was ended`, value);
  }
  if (isStopped) {
    const message = `it ran longer than its limit of ${task.job.timeout} ms, so it was ended`;
    return failed('timeout', 'TimeoutError', message, value);
  }
  if (code === undefined) return failed('crash', 'CrashError', 'the shell that it ran under was killed', value);
  if (code !== 0) return failed('error', ...wordsOf(value, host.worker, words), value);
  try {
    const files = await collect(host, place, task);
    return files === undefined ? value : { ...value, files };
  } catch (error) {
    return failed('error', 'CollectError', (error as Error).message, value);
  }
}

/** Uploads what the command was to write. Where it runs in the directory of its caller, it is there already. */
async function collect(host: CommandHost, place: TaskPlace, task: CommandTask): Promise<ExecFile[] | undefined> {
  const { code, template, input, index, slot } = task;
  if (code.collect === undefined) return undefined;
  const { args, sequence = index + 1 } = input;
  const shared = code.directory ?? host.directory;
  const patterns = template.collected(args, sequence, slot + 1, escapeGlob);
  const found = await findFiles(shared ?? place.directory, patterns);
  if (shared !== undefined) return undefined;
  const files: ExecFile[] = [];
  for (const { path, real } of found) files.push({ path, blob: await uploaded(real, host.blobs) });
  return files;
}

function wordsOf({ exitCode, signal }: ExecValue, worker: string, lastLine: string): [string, string] {
  if (signal !== undefined) return ['SignalError', `its command was ended by the signal ${signal}`];
  const words = lastLine === '' ? '' : `: ${lastLine}`;
  // What is not there is missing on one worker, and may be on another.
  const where = exitCode === 127 || exitCode === 126 ? ` on worker ${worker}` : '';
  return ['ExitError', `its command exited with code ${exitCode}${where}${words}`];
}

/** As shells tell it: 128 more than the signal. Codes above the last signal are those of programs. */
function signalOf(code: number): string | undefined {
  if (code <= 128 || code > 128 + 31) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
}

function usageOf(
  worker: string,
  startedAt: number,
  seconds: number,
  cpuSeconds: number | undefined,
  memory: number | undefined,
): ExecUsage {
  return {
    worker,
    startedAt,
    seconds: Math.round(seconds * 1e4) / 1e4,
    ...(cpuSeconds !== undefined && { cpuSeconds }),
    ...(memory !== undefined && { memory }),
  };
}

function failure(name: string, message: string): WorkerFailure {
  return bounded({ kind: 'error', name, message });
}

function failed(kind: WorkerFailure['kind'], name: string, message: string, value: ExecValue): WorkerFailure {
  const facts = { exitCode: value.exitCode, ...(value.signal !== undefined && { signal: value.signal }) };
  return bounded({ kind, name, message, ...facts, value });
}
