import { type BlobRef, isFailure, type TaskFailure, ValueStatus } from '../model/envelope.ts';
import type { TaskIndex } from '../model/ids.ts';
import { readColumn } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { decodeColumn } from '../protocol/values/column.ts';
import { decodeValue } from '../protocol/values/value.ts';
import type { StreamBatch } from './session-io.ts';
import { TaskError } from './task-error.ts';

/** One task that has ended. */
export type TaskRecord<Out> =
  | { readonly index: number; readonly status: 'done'; readonly value: Out; readonly attempts: number }
  | { readonly index: number; readonly status: 'failed'; readonly error: TaskError; readonly attempts: number }
  | { readonly index: number; readonly status: 'cancelled' };

/** A batch of outcomes, read. `values` follow the order of `runs`. */
export interface Outcomes {
  readonly job: number;
  readonly batch: StreamBatch;
  /** A value, or the record that stands in its place: see `statuses`. */
  readonly values: unknown[];
  /** Undefined: every value is what it is. */
  readonly statuses: Uint8Array | undefined;
  /** Charged attempts of the tasks that took more than one, or failed; undefined: there is none. */
  readonly attempts: ReadonlyMap<TaskIndex, number> | undefined;
}

export function readOutcomes(job: number, batch: StreamBatch): Outcomes {
  const { count, lengths, statuses: all, allStatus, bytes } = readColumn(batch.column);
  let total = 0;
  for (const run of batch.runs) total += run.count;
  if (total !== count) throw new ProtocolError('invalid', `a result batch has ${count} values for ${total} tasks`);
  const each = all ?? (allStatus === ValueStatus.json ? undefined : new Uint8Array(count).fill(allStatus));
  const values = decodeColumn(lengths, each, bytes);
  const statuses = each !== undefined && hasRecords(each) ? each : undefined;
  return { job, batch, values, statuses, attempts: batch.attempts.length > 0 ? new Map(batch.attempts) : undefined };
}

/** The failure at a position, if its status says that there is one. */
export function failureAt(outcomes: Outcomes, position: number, index: TaskIndex): TaskError | undefined {
  const status = outcomes.statuses?.[position];
  if (status === undefined || !isFailure(status)) return undefined;
  return new TaskError(outcomes.job, index, attemptsOf(outcomes, index), outcomes.values[position] as TaskFailure);
}

/** The blob at a position, if the value is in one. */
export function blobAt(outcomes: Outcomes, position: number): BlobValue | undefined {
  const status = outcomes.statuses?.[position];
  if (status !== ValueStatus.jsonBlob && status !== ValueStatus.bytesBlob) return undefined;
  const encoding = status === ValueStatus.jsonBlob ? ValueStatus.json : ValueStatus.bytes;
  return { ref: outcomes.values[position] as BlobRef, encoding };
}

export interface BlobValue {
  readonly ref: BlobRef;
  readonly encoding: number;
}

export function valueOfBlob(blob: BlobValue, bytes: Uint8Array): unknown {
  return decodeValue(bytes, blob.encoding);
}

/** Most tasks took one attempt; only others are listed. */
export function attemptsOf({ attempts }: Outcomes, index: TaskIndex): number {
  return attempts?.get(index) ?? 1;
}

function hasRecords(statuses: Uint8Array): boolean {
  for (let i = 0; i < statuses.length; i++) if ((statuses[i] as number) > ValueStatus.bytes) return true;
  return false;
}
