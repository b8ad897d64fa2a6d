import type { FailureCause, PackedColumn, TaskFailure } from '../model/envelope.ts';
import { ValueStatus } from '../model/envelope.ts';
import { ERROR_CAUSES, ERROR_MESSAGE_BYTES, ERROR_STACK_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { ColumnWriter } from '../protocol/values/column-writer.ts';
import type { JobFacts, SlotDeath } from './runner.ts';

const statuses = {
  error: ValueStatus.failed,
  timeout: ValueStatus.timeout,
  crash: ValueStatus.crash,
  memory: ValueStatus.memory,
} as const;

export type WorkerFailure = TaskFailure & { readonly kind: keyof typeof statuses };

export function statusOfFailure({ kind }: WorkerFailure): ValueStatus {
  return statuses[kind];
}

/** The outcome of `count` tasks that failed in the same way. */
export function failureColumn(failure: WorkerFailure, count: number): PackedColumn {
  const writer = new ColumnWriter();
  for (let i = 0; i < count; i++) writer.appendRecord(statuses[failure.kind], bounded(failure));
  const { lengths, status, bytes } = writer.finish();
  return packColumn(lengths, status, bytes);
}

export function bounded<Failure extends TaskFailure>(failure: Failure): Failure {
  const cause = boundedCause(failure.cause, ERROR_CAUSES);
  return {
    ...failure,
    ...named(failure),
    ...(cause !== undefined && { cause }),
    ...(failure.stack !== undefined && { stack: shorten(failure.stack, ERROR_STACK_BYTES) }),
  };
}

function boundedCause(cause: FailureCause | undefined, room: number): FailureCause | undefined {
  if (cause === undefined || room === 0) return undefined;
  const below = boundedCause(cause.cause, room - 1);
  return { ...named(cause), ...(below !== undefined && { cause: below }) };
}

function named({ name, message }: FailureCause): { name: string; message: string } {
  return { name: shorten(name, 256), message: shorten(message, ERROR_MESSAGE_BYTES) };
}

/** Cut to so many code units at most, which for text in any script is at most three times as many bytes. */
function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** What is told of a task that was alone in its process when that process came to its end. */
export function failureOfDeath(job: JobFacts, death: SlotDeath, timedOut: boolean): WorkerFailure {
  const facts = {
    ...(death.exitCode !== undefined && { exitCode: death.exitCode }),
    ...(death.signal !== undefined && { signal: death.signal }),
  };
  if (timedOut) {
    const message = `it ran longer than its limit of ${job.timeout} ms, so its process was killed`;
    return { kind: 'timeout', name: 'TimeoutError', message };
  }
  if (death.cause === 'memory') {
    const limit = job.memory === undefined ? 'what one task may use here' : `its limit of ${megabytes(job.memory)}`;
    const message = `it needed more memory than ${limit}, so its process ended`;
    return { kind: 'memory', name: 'MemoryError', message, ...facts };
  }
  const words = death.lastWords.trim();
  const message = `its process ${howItEnded(death)} while it ran${words === '' ? '' : `; its last words:\n${words}`}`;
  return { kind: 'crash', name: 'CrashError', message, ...facts };
}

export function howItEnded({ signal, exitCode }: SlotDeath): string {
  if (signal !== undefined) return `was ended by the signal ${signal}`;
  return exitCode === undefined ? 'ended' : `exited with code ${exitCode}`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
