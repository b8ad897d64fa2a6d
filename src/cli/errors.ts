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
};

const SYSTEM: Readonly<Record<string, (error: NodeJS.ErrnoException) => string>> = {
  ENOENT: (error) => `there is no ${error.path ?? 'such file'}`,
  EACCES: (error) => `no permission for ${error.path ?? 'it'}`,
  EPERM: (error) => `no permission for ${error.path ?? 'it'}`,
  EISDIR: (error) => `${error.path ?? 'it'} is a directory`,
  ENOTDIR: (error) => `${error.path ?? 'it'} is not a directory`,
  EROFS: (error) => `${error.path ?? 'it'} is on a read-only file system`,
  ENOSPC: () => 'the disk is full',
};

/** One clear sentence for the person, and the exit code. */
export function explain(error: unknown): { message: string; exitCode: number } {
  if (error instanceof CommandError) return { message: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { message: String(error), exitCode: ExitCode.failed };
  const known = KNOWN[error.name];
  if (known !== undefined) return { message: error.message, exitCode: known };
  const { code } = error as NodeJS.ErrnoException;
  if (error.name === 'FarmError') return { message: error.message, exitCode: REFUSALS[code ?? ''] ?? ExitCode.failed };
  const system = code === undefined ? undefined : SYSTEM[code];
  if (system !== undefined) return { message: system(error), exitCode: ExitCode.usage };
  return { message: error.message === '' ? error.name : error.message, exitCode: ExitCode.failed };
}

/** The line for stderr; control characters in it are shown, not obeyed (T-16). */
export function errorLine(error: unknown): string {
  const lines = explain(error).message.split('\n').map(printable);
  return `manyhands: ${lines.join('\n')}\n`;
}
