import { type TaskFailure, ValueStatus } from '../model/envelope.ts';
import { ERROR_MESSAGE_BYTES } from '../model/limits.ts';
import { indexesOf, type Run } from '../model/runs.ts';
import { type Column, failedPositions, statusOf } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { TaskFailed } from '../scheduler/events.ts';

const decoder = new TextDecoder();
const KIND_OF = new Map<number, TaskFailed['kind']>([
  [ValueStatus.failed, 'failed'],
  [ValueStatus.timeout, 'timeout'],
  [ValueStatus.crash, 'crash'],
  [ValueStatus.memory, 'memory'],
]);

/** Which tasks failed, and how. Statuses that only the server gives are refused. */
export function failuresIn(column: Column, runs: readonly Run[]): TaskFailed[] {
  const positions = failedPositions(column);
  if (positions.length === 0) return [];
  const indexes = [...indexesOf(runs)];
  const offsets = offsetsOf(column);
  return positions.map((position) => {
    const kind = KIND_OF.get(statusOf(column, position));
    if (kind === undefined) throw new ProtocolError('invalid', 'an outcome with a status that only the server gives');
    return { index: indexes[position] as number, kind, message: failureMessage(valueAt(column, offsets, position)) };
  });
}

function failureMessage(bytes: Uint8Array): string {
  try {
    const failure = JSON.parse(decoder.decode(bytes).slice(0, -1)) as TaskFailure;
    return `${failure.name}: ${failure.message}`.split('\n', 1)[0]?.slice(0, ERROR_MESSAGE_BYTES) ?? '';
  } catch {
    throw new ProtocolError('invalid', 'a failed outcome that is not a failure in JSON');
  }
}

/** The blobs that the values name: what a column speaks of, and must be here before it counts (S5). */
export function blobsIn(column: Column): string[] {
  if (
    column.statuses === undefined &&
    column.allStatus !== ValueStatus.jsonBlob &&
    column.allStatus !== ValueStatus.bytesBlob
  )
    return [];
  const blobs: string[] = [];
  const offsets = offsetsOf(column);
  for (let i = 0; i < column.count; i++) {
    const status = statusOf(column, i);
    if (status !== ValueStatus.jsonBlob && status !== ValueStatus.bytesBlob) continue;
    blobs.push(blobNamed(valueAt(column, offsets, i)));
  }
  return blobs;
}

export function blobNamed(bytes: Uint8Array): string {
  try {
    const { sha256 } = JSON.parse(decoder.decode(bytes).slice(0, -1)) as { sha256: unknown };
    if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) return sha256;
  } catch {
    // The same sentence serves.
  }
  throw new ProtocolError('invalid', 'a value that should name a blob does not');
}

function offsetsOf(column: Column): Uint32Array {
  const offsets = new Uint32Array(column.count + 1);
  for (let i = 0; i < column.count; i++) offsets[i + 1] = (offsets[i] as number) + (column.lengths[i] as number);
  return offsets;
}

function valueAt(column: Column, offsets: Uint32Array, position: number): Uint8Array {
  return column.bytes.subarray(offsets[position], offsets[position + 1]);
}
