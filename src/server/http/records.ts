import { isFailure, type TaskFailure, ValueStatus } from '../../model/envelope.ts';
import type { SegmentRecord } from '../../model/records.ts';
import { indexesOf } from '../../model/runs.ts';
import { type Column, statusOf } from '../../protocol/column.ts';
import { toJsonText } from '../../protocol/values/value.ts';
import type { BlobStore } from '../../store/blobs.ts';
import { blobNamed } from '../column-contents.ts';
import { Problem } from '../problem.ts';

const decoder = new TextDecoder();
/** Characters of text gathered before they are handed on. */
const PART = 64 * 1024;

/**
 * Outcomes as lines of JSON, the same that the command line prints with `--json`. Values in blobs are streamed into their
 * line, so no line needs memory.
 */
export async function* recordLines(
  segment: SegmentRecord,
  column: Column,
  blobs: BlobStore,
): AsyncGenerator<Uint8Array | string> {
  const attempts = new Map(segment.attempts ?? []);
  let text = '';
  let offset = 0;
  let position = 0;
  for (const index of indexesOf(segment.runs)) {
    const length = column.lengths[position] as number;
    const bytes = column.bytes.subarray(offset, offset + length);
    const status = statusOf(column, position);
    const tries = attempts.get(index);
    const tail = `${tries === undefined ? '' : `,"attempts":${tries}`}}\n`;
    if (isFailure(status)) {
      text += failedRecord(index, bytes, tries ?? 1);
    } else if (status === ValueStatus.jsonBlob || status === ValueStatus.bytesBlob) {
      yield `${text}{"index":${index},"status":"done","value":`;
      yield* blobText(blobs, blobNamed(bytes), status);
      text = tail;
    } else {
      const value = length === 0 && status === ValueStatus.json ? '' : `,"value":${toJsonText(bytes, status)}`;
      text += `{"index":${index},"status":"done"${value}${tail}`;
    }
    if (text.length > PART) {
      yield text;
      text = '';
    }
    offset += length;
    position++;
  }
  if (text !== '') yield text;
}

/** What a failed task's bytes say. */
export function failureIn(bytes: Uint8Array): TaskFailure {
  return JSON.parse(decoder.decode(bytes).slice(0, -1)) as TaskFailure;
}

function failedRecord(index: number, bytes: Uint8Array, attempts: number): string {
  const { kind: _kind, ...error } = failureIn(bytes);
  return `${JSON.stringify({ index, status: 'failed', error, attempts })}\n`;
}

/** The JSON form of a value that lies in a blob, on one line. */
export async function* blobText(blobs: BlobStore, sha256: string, status: number): AsyncGenerator<Uint8Array | string> {
  const bytes = await blobs.read(sha256);
  if (bytes === undefined) throw new Problem('unknown', `the blob ${sha256} of a value is not here any more`);
  if (status === ValueStatus.jsonBlob) {
    for await (const part of bytes) yield withoutBreaks(part);
    return;
  }
  yield '{"$mh":[["Uint8Array",1],["ArrayBuffer","';
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of bytes) {
    const joined = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const whole = joined.length - (joined.length % 3);
    yield Buffer.from(joined.buffer, joined.byteOffset, whole).toString('base64');
    rest = Uint8Array.from(joined.subarray(whole));
  }
  yield `${Buffer.from(rest).toString('base64')}"]]}`;
}

/** In JSON a line break can only stand between things, where a space does as well. */
function withoutBreaks(part: Uint8Array): Uint8Array {
  if (!part.includes(10) && !part.includes(13)) return part;
  return part.map((byte) => (byte === 10 || byte === 13 ? 32 : byte));
}
