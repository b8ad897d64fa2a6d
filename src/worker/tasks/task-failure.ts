import { ValueError } from '../../protocol/values/value-error.ts';
import type { WorkerFailure } from '../failures.ts';
import { bounded } from '../failures.ts';

/** How a platform tells of what was thrown. */
export interface FailureWords {
  inspect(thrown: unknown): string;
  /** The lines of a stack that say something to the author of a task. */
  authorsLines(stack: string): string;
}

/** What is told of a task that threw. Anything can be thrown, and reading it may throw again. */
export function failureOf(thrown: unknown, words: FailureWords): WorkerFailure {
  try {
    if (thrown instanceof Error || isErrorLike(thrown)) {
      const { name, message, stack } = thrown;
      return bounded({
        kind: 'error',
        name: String(name),
        message: String(message),
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
