import type { FailureCause, TaskFailure } from '../model/envelope.ts';

/** A task that ended without a value. `cause` is what the task threw, with its own name, message and stack. */
export class TaskError extends Error {
  override readonly name = 'TaskError';
  readonly job: number;
  readonly index: number;
  /** Why: it threw (`error`), ran too long, died, took too much memory, cost too many workers their life, or was cancelled. */
  readonly kind: TaskFailure['kind'];
  /** Charged attempts; 0 where it never ran to an end. */
  readonly attempts: number;
  /** Of the task's process, for `crash`. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** What a command that failed has printed, and its exit code; undefined for tasks that are functions. */
  readonly value: unknown;
  declare readonly cause: Error;

  constructor(job: number, index: number, attempts: number, failure: TaskFailure) {
    const thrown = failure.kind === 'error' ? `${failure.name}: ${failure.message}` : failure.message;
    super(`task ${index} of job ${job} ${ENDINGS[failure.kind]}: ${thrown}`, { cause: thrownBy(failure) });
    this.job = job;
    this.index = index;
    this.attempts = attempts;
    this.kind = failure.kind;
    this.exitCode = failure.exitCode;
    this.signal = failure.signal;
    this.value = failure.value;
  }

  /** The form of `--json`: what the task threw. */
  toJSON(): FailureCause & { stack?: string; kind: TaskFailure['kind'] } {
    const { stack } = this.cause;
    return { ...causeOf(this.cause), ...(stack === undefined ? {} : { stack }), kind: this.kind };
  }
}

function causeOf({ name, message, cause }: Error): FailureCause {
  return { name, message, ...(cause instanceof Error && { cause: causeOf(cause) }) };
}

const ENDINGS: Record<TaskFailure['kind'], string> = {
  error: 'failed',
  timeout: 'ran out of time',
  crash: 'crashed',
  memory: 'ran out of memory',
  poison: 'was given up',
  cancelled: 'was cancelled',
};

/** An error that looks as it did where it was thrown; the stack of this process would lead nowhere. */
function thrownBy({ name, message, stack, cause }: TaskFailure): Error {
  const error = new Error(message, cause && { cause: thrownBy({ kind: 'error', ...cause }) });
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return error;
}
