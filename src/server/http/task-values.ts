import type { IncomingMessage, ServerResponse } from 'node:http';
import { ValueStatus } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import type { JobSpec } from '../../model/job.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import { toJsonText } from '../../protocol/values/value.ts';
import type { StoredSegment } from '../../store/store.ts';
import { blobNamed } from '../column-contents.ts';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import { ATTACHMENT, sendBlob } from './blobs.ts';
import { StoredInputs } from './input-upload.ts';
import { blobIn, isBlob } from './records.ts';

/** The input or outcome of one task, as it is stored. */
export interface TaskValue {
  readonly status: number;
  readonly bytes: Uint8Array;
}

export async function inputOf(core: Core, spec: JobSpec, job: JobId, index: TaskIndex): Promise<TaskValue | undefined> {
  if (spec.range === undefined) return new StoredInputs(core, job).at(index);
  const { start, step } = spec.range;
  return { status: ValueStatus.json, bytes: Buffer.from(`${JSON.stringify(start + index * step)},`) };
}

/** One task's part of what was recorded together. */
export function valueIn({ segment, column: packed }: StoredSegment, index: TaskIndex): TaskValue {
  const column = readColumn(packed);
  let position = 0;
  for (const run of segment.runs) {
    if (index >= run.start && index < run.start + run.count) {
      position += index - run.start;
      let offset = 0;
      for (let i = 0; i < position; i++) offset += column.lengths[i] as number;
      const end = offset + (column.lengths[position] as number);
      return { status: statusOf(column, position), bytes: column.bytes.subarray(offset, end) };
    }
    position += run.count;
  }
  throw new Error(`segment ${segment.seq} of job ${segment.job} does not hold task ${index}`);
}

/** What a page shows of a value: small ones whole, of others what and how much they are. */
export function shown({ status, bytes }: TaskValue): unknown {
  if (isBlob(status)) return blobIn({ status, bytes });
  return { value: JSON.parse(toJsonText(bytes, status)) as unknown };
}

/** The value alone, as an answer: JSON, or bytes as they are. */
export async function sendValue(
  core: Core,
  value: TaskValue | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<undefined> {
  if (value === undefined) throw new Problem('unknown', 'the value is not here');
  const { status, bytes } = value;
  if (status === ValueStatus.jsonBlob) {
    return sendBlob(core.blobs, blobNamed(bytes), request, response, 'application/json');
  }
  if (status === ValueStatus.bytesBlob) return sendBlob(core.blobs, blobNamed(bytes), request, response);
  const isJson = status === ValueStatus.json;
  const body = isJson ? Buffer.from(toJsonText(bytes, status)) : bytes;
  response.writeHead(200, {
    ...ATTACHMENT,
    'content-type': isJson ? 'application/json' : 'application/octet-stream',
    'content-length': body.length,
  });
  response.end(body);
  return undefined;
}
