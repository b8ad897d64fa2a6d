import type { FailureCause } from '../../model/envelope.ts';
import { ERROR_CAUSES } from '../../model/limits.ts';
import { ValueError } from '../../protocol/values/value-error.ts';
import type { WorkerFailure } from '../failures.ts';
import { bounded } from '../failures.ts';

/** How a platform tells of what was thrown. */
export interface FailureWords {
  inspect(thrown: unknown): string;
  /** The lines of a stack that say something to the author of a task. */
  authorsLines(stack: string): string;
}

/** A program that ended, by itself, with a code that says failure. It has no stack that would say anything. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
    Object.defineProperty(this, 'stack', { value: undefined });
  }
}

/** What is told of a task that threw. Anything can be thrown, and reading it may throw again. */
export function failureOf(thrown: unknown, words: FailureWords): WorkerFailure {
  try {
    if (thrown instanceof Error || isErrorLike(thrown)) {
      const { stack } = thrown;
      const cause = causeOf(thrown.cause, words, ERROR_CAUSES);
      return bounded({
        kind: 'error',
        ...wordsOf(thrown),
        ...(thrown instanceof ExitError && { exitCode: thrown.exitCode }),
        ...(cause !== undefined && { cause }),
        ...(typeof stack === 'string' && { stack: words.authorsLines(stack) }),
      });
    }
    return bounded({ kind: 'error', name: 'Error', message: `the task threw ${words.inspect(thrown)}` });
  } catch {
    return { kind: 'error', name: 'Error', message: 'the task threw something that cannot be read' };
  }
}

/** A result that can't be sent. The path says where in the result. */
export function failureOfResult(error: unknown, index: number, words: FailureWords): WorkerFailure {
  if (!(error instanceof ValueError)) return failureOf(error, words);
  return bounded({
    kind: 'error',
    name: 'ValueError',
    message: error.about(`the result of task ${index}: result`).message,
  });
}

function isErrorLike(thrown: unknown): thrown is Error {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'name' in thrown;
}

/** What the error names as its cause, and that as its own: as far down as is kept, since the chain may be a cycle. */
function causeOf(cause: unknown, words: FailureWords, room: number): FailureCause | undefined {
  if (cause === undefined || room === 0) return undefined;
  if (!(cause instanceof Error || isErrorLike(cause))) return { name: 'Error', message: words.inspect(cause) };
  const below = causeOf(cause.cause, words, room - 1);
  return { ...wordsOf(cause), ...(below !== undefined && { cause: below }) };
}

/** The engine names a flag of its own, which is none of ours. */
function wordsOfDenial(
  error: Error & { code?: unknown; permission?: unknown; resource?: unknown },
): string | undefined {
  if (error.code !== 'ERR_ACCESS_DENIED') return undefined;
  const what = typeof error.resource === 'string' && error.resource !== '' ? ` ${error.resource}` : '';
  const act = { FileSystemRead: `read${what}`, FileSystemWrite: `write${what}`, ChildProcess: 'start a program' }[
    String(error.permission)
  ];
  const may = act === undefined ? `use ${String(error.permission)}` : act;
  return `a task may not ${may}: it has a directory of its own and nothing else; files come as blobs (ctx.file), and programs are run by manyhands exec`;
}

/** An error of several, such as of a name with several addresses, often says nothing itself. */
function wordsOf(error: Error): { name: string; message: string } {
  const { name, message } = error;
  const denied = wordsOfDenial(error);
  if (denied !== undefined) return { name: String(name), message: denied };
  if (message !== '' || !('errors' in error) || !Array.isArray(error.errors)) {
    return { name: String(name), message: String(message) };
  }
  const several = error.errors.slice(0, ERROR_CAUSES).map((each) => String((each as Partial<Error> | null)?.message));
  return { name: String(name), message: several.join('; ') };
}
