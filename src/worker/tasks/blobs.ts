import type { BlobRef, PackedColumn } from '../../model/envelope.ts';
import { isFailure, ValueStatus } from '../../model/envelope.ts';
import { BLOCK_TASKS } from '../../model/limits.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import { decodeValue } from '../../protocol/values/value.ts';
import { failureColumn } from '../failures.ts';

/** The outcomes of tasks whose results could not be uploaded. */
export function notStored(count: number, problem: string): PackedColumn {
  return failureColumn(
    { kind: 'error', name: 'BlobError', message: `its result could not be stored: ${problem}` },
    count,
  );
}

/** The blobs among the inputs of a chunk. */
export function blobsIn(packed: PackedColumn | undefined): BlobRef[] {
  // Bytes 1 and 2 of a column tell whether any status can be that of a blob.
  if (packed === undefined || (packed[1] === 0 && (packed[2] as number) < ValueStatus.jsonBlob)) return [];
  const column = readColumn(packed);
  const blobs: BlobRef[] = [];
  let at = 0;
  for (let i = 0; i < Math.min(column.count, BLOCK_TASKS); i++) {
    const length = column.lengths[i] as number;
    const status = statusOf(column, i);
    if (status >= ValueStatus.jsonBlob && !isFailure(status)) {
      blobs.push(decodeValue(column.bytes.subarray(at, at + length), ValueStatus.json) as BlobRef);
    }
    at += length;
  }
  return blobs;
}
