import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { TaskFailure } from '../../model/envelope.ts';
import type { ExecValue } from '../../worker/exec/exec-code.ts';
import { systemWords, UsageError, whyNotMade } from '../errors.ts';

const HEAD = ['Seq', 'Host', 'Starttime', 'JobRuntime', 'Send', 'Receive', 'Exitval', 'Signal', 'Command'];

/** One command that has ended, as a log tells it. */
interface LoggedCommand {
  readonly isDone: boolean;
  readonly command: string;
}

/** A log with a line for each command that has ended, in the form of GNU Parallel's. */
export class JobLog {
  readonly #path: string;
  /** What an earlier run has logged, by the number of the command. */
  readonly before: ReadonlyMap<number, LoggedCommand>;

  private constructor(path: string, before: ReadonlyMap<number, LoggedCommand>) {
    this.#path = path;
    this.before = before;
  }

  /** `resume`: the option by which what the file holds stays, and tells what need not be run again. */
  static open(path: string, resume: string | undefined): JobLog {
    const before = resume !== undefined && existsSync(path) ? read(path, resume) : undefined;
    try {
      if (before === undefined) writeFileSync(path, `${HEAD.join('\t')}\n`);
    } catch (error) {
      throw new UsageError(`--joblog: ${path} can't be written: ${whyNotMade(path, error)}`, { cause: error });
    }
    return new JobLog(path, before ?? new Map());
  }

  add(sequence: number, command: string, value: ExecValue | undefined, failure: TaskFailure | undefined): void {
    const { usage, signal, exitCode = failure === undefined ? 0 : 255 } = value ?? ({} as Partial<ExecValue>);
    const fields = [
      sequence,
      usage?.worker ?? '',
      ((usage?.startedAt ?? 0) / 1_000).toFixed(3),
      (usage?.seconds ?? 0).toFixed(3).padStart(10),
      0,
      sizeOf(value),
      signal === undefined ? exitCode : 0,
      signal === undefined ? 0 : (constants.signals[signal as NodeJS.Signals] ?? 0),
      command.replaceAll('\n', ' '),
    ];
    appendFileSync(this.#path, `${fields.join('\t')}\n`);
  }
}

function sizeOf(value: ExecValue | undefined): number {
  const stdout = value?.stdout ?? '';
  if (typeof stdout === 'string') return Buffer.byteLength(stdout);
  return 'blob' in stdout ? stdout.blob.size : Buffer.from(stdout.base64, 'base64').length;
}

function read(path: string, resume: string): Map<number, LoggedCommand> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const words = systemWords(error) ?? (error as Error).message;
    throw new UsageError(`--joblog: ${path} can't be read: ${words}`, { cause: error });
  }
  const [head, ...lines] = text.split('\n');
  if (head !== HEAD.join('\t'))
    throw new UsageError(`--joblog: ${path} is no log of commands that ${resume} could go on with`);
  const logged = new Map<number, LoggedCommand>();
  for (const line of lines) {
    const fields = line.split('\t');
    if (fields.length < HEAD.length) continue;
    const isDone = Number(fields[6]) === 0 && Number(fields[7]) === 0;
    logged.set(Number(fields[0]), { isDone, command: fields.slice(8).join('\t') });
  }
  return logged;
}
