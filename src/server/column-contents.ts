import { type BlobRef, isFailure, ValueStatus } from '../model/envelope.ts';
import { BLOCK_BYTES, ERROR_MESSAGE_BYTES } from '../model/limits.ts';
import { countRuns, indexesOf, type Run } from '../model/runs.ts';
import { isSpawnedBy, type Spawned } from '../model/spawned.ts';
import { type Column, failedPositions, readColumn, sliceColumn, statusOf } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { TaskFailed } from '../scheduler/events.ts';

const decoder = new TextDecoder();
const KIND_OF = new Map<number, TaskFailed['kind']>([
  [ValueStatus.failed, 'failed'],
  [ValueStatus.timeout, 'timeout'],
  [ValueStatus.crash, 'crash'],
  [ValueStatus.memory, 'memory'],
]);

/** What one block or one batch may hold, so that whoever gets it on gets one frame (P5). */
export function refuseTooLarge(column: Column): void {
  if (column.bytes.length <= BLOCK_BYTES) return;
  throw new ProtocolError(
    'tooLarge',
    `values of ${column.bytes.length} bytes in one message: ${BLOCK_BYTES} is the most, larger ones are blobs`,
  );
}

/** Inputs are values or name blobs; what became of a task is no input. */
export function refuseOutcomesIn(column: Column): void {
  const refused = column.statuses === undefined ? isFailure(column.allStatus) : column.statuses.some(isFailure);
  if (refused && column.count > 0) throw new ProtocolError('invalid', 'an input with the status of a failure');
}

/** What tasks give their job follows their outcomes (P28), and is as inputs are. */
export function refuseSpawned(spawned: Spawned, runs: readonly Run[], column: Column): void {
  if (!isSpawnedBy(runs, spawned))
    throw new ProtocolError(
      'invalid',
      'inputs spawned by tasks that are not those of the message, or in another order',
    );
  refuseOutcomesIn(readColumn(sliceColumn(column, countRuns(runs), column.count)));
}

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
  const { name, message } = (recordIn(bytes) ?? {}) as { name?: unknown; message?: unknown };
  if (typeof name !== 'string' || typeof message !== 'string') {
    throw new ProtocolError('invalid', 'a failed outcome that is not a failure in JSON, with its name and message');
  }
  return `${name}: ${message}`.split('\n', 1)[0]?.slice(0, ERROR_MESSAGE_BYTES) ?? '';
}

/** A value that is a blob. `isText`: its bytes are JSON, which may name further blobs. */
export type ValueBlob = BlobRef & { readonly isText: boolean };

/** The blobs that the values are: what a column speaks of, and must be here before it counts (S5). */
export function blobsIn(column: Column): ValueBlob[] {
  if (
    column.statuses === undefined &&
    column.allStatus !== ValueStatus.jsonBlob &&
    column.allStatus !== ValueStatus.bytesBlob
  )
    return [];
  const blobs: ValueBlob[] = [];
  const offsets = offsetsOf(column);
  for (let i = 0; i < column.count; i++) {
    const status = statusOf(column, i);
    if (status !== ValueStatus.jsonBlob && status !== ValueStatus.bytesBlob) continue;
    blobs.push({ ...blobRefOf(valueAt(column, offsets, i)), isText: status === ValueStatus.jsonBlob });
  }
  return blobs;
}

/** The hash of the blob that stands in the value's place. */
export function blobNamed(bytes: Uint8Array): string {
  return blobRefOf(bytes).sha256;
}

function blobRefOf(bytes: Uint8Array): BlobRef {
  const { sha256, size } = (recordIn(bytes) ?? {}) as { sha256?: unknown; size?: unknown };
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && Number.isSafeInteger(size) && Number(size) >= 0) {
    return { sha256, size: Number(size) };
  }
  throw new ProtocolError('invalid', 'a value that should name a blob, by hash and size, does not');
}

/** The record that stands in a value's place: JSON, and the comma that ends it. */
function recordIn(bytes: Uint8Array): object | undefined {
  try {
    const record: unknown = JSON.parse(decoder.decode(bytes).slice(0, -1));
    return typeof record === 'object' && record !== null ? record : undefined;
  } catch {
    return undefined;
  }
}

function offsetsOf(column: Column): Uint32Array {
  const offsets = new Uint32Array(column.count + 1);
  for (let i = 0; i < column.count; i++) offsets[i + 1] = (offsets[i] as number) + (column.lengths[i] as number);
  return offsets;
}

function valueAt(column: Column, offsets: Uint32Array, position: number): Uint8Array {
  return column.bytes.subarray(offsets[position], offsets[position + 1]);
}
