import { dirname } from 'node:path';
import { printable } from './output/printable.ts';

/** What the program tells its caller by the exit code. */
export const ExitCode = { done: 0, failed: 1, usage: 2, noServer: 3, interrupted: 130 } as const;

/** A failure that has been understood: its message is all that a person needs. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong usage, or input that can't be used: exit 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';

  constructor(message: string, options?: ErrorOptions) {
    super(message, ExitCode.usage, options);
  }
}

/** No server to be found, or one that refuses: exit 3. */
export class NoServerError extends CommandError {
  override readonly name = 'NoServerError';

  constructor(message: string, options?: ErrorOptions) {
    super(message, ExitCode.noServer, options);
  }
}

/** Errors of other rooms that are the user's to mend, by name: the words are theirs, the exit code is ours. */
const KNOWN: Readonly<Record<string, number>> = {
  TaskCodeError: ExitCode.usage,
  ValueError: ExitCode.usage,
  InputError: ExitCode.usage,
  StartError: ExitCode.usage,
};

/** What a farm answers, by its code. */
const REFUSALS: Readonly<Record<string, number>> = {
  unreachable: ExitCode.noServer,
  closed: ExitCode.noServer,
  forbidden: ExitCode.noServer,
  invalid: ExitCode.usage,
  unknown: ExitCode.usage,
  conflict: ExitCode.usage,
  tooLarge: ExitCode.usage,
  changed: ExitCode.usage,
};

/** What the system says, in words; the path comes before it. */
const SYSTEM: Readonly<Record<string, { words: string; exitCode: number }>> = {
  ENOENT: { words: 'there is no such file', exitCode: ExitCode.usage },
  EACCES: { words: 'this user has no permission', exitCode: ExitCode.usage },
  EPERM: { words: 'this user has no permission', exitCode: ExitCode.usage },
  EISDIR: { words: 'it is a directory', exitCode: ExitCode.usage },
  ENOTDIR: { words: 'a part of its path is not a directory', exitCode: ExitCode.usage },
  EEXIST: { words: 'something else is in its place', exitCode: ExitCode.usage },
  EROFS: { words: 'it is on a read-only file system', exitCode: ExitCode.usage },
  ENOSPC: { words: 'the disk is full', exitCode: ExitCode.failed },
  EMFILE: { words: 'this process may not open more files (ulimit -n)', exitCode: ExitCode.failed },
};

/** The words for what the system said, without the path; undefined: not one that is known. */
export function systemWords(error: unknown): string | undefined {
  return SYSTEM[(error as NodeJS.ErrnoException).code ?? '']?.words;
}

/** Why no file can be made there. That it does not exist is what was asked for: its directory is what is missing. */
export function whyNotMade(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? `there is no directory ${dirname(path)}` : (systemWords(error) ?? message);
}

/** One clear sentence for the person, and the exit code. */
export function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof CommandError) return { message: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { message: String(error), exitCode: ExitCode.failed };
  const known = KNOWN[error.name];
  if (known !== undefined) return { message: error.message, exitCode: known };
  const { code } = error as NodeJS.ErrnoException;
  if (error.name === 'FarmError') return { message: error.message, exitCode: REFUSALS[code ?? ''] ?? ExitCode.failed };
  const system = code === undefined ? undefined : SYSTEM[code];
  if (system !== undefined) {
    const { path } = error as NodeJS.ErrnoException;
    return { message: path === undefined ? system.words : `${path}: ${system.words}`, exitCode: system.exitCode };
  }
  return { message: error.message === '' ? error.name : error.message, exitCode: ExitCode.failed };
}

/** The line for stderr; control characters in it are shown, not obeyed (T-16). */
export function errorLine(error: unknown): string {
  const lines = explain(error).message.split('\n').map(printable);
  return `manyhands: ${lines.join('\n')}\n`;
}
