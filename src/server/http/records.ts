import { isFailure, type TaskFailure, ValueStatus } from '../../model/envelope.ts';
import type { TaskIndex } from '../../model/ids.ts';
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

/** What is stored of the outcome of one task. */
export interface StoredOutcome {
  readonly index: TaskIndex;
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Absent: one. */
  readonly attempts: number | undefined;
}

/** The outcomes that were committed together, one by one. */
export function* outcomesIn(segment: SegmentRecord, column: Column): Generator<StoredOutcome> {
  const attempts = new Map(segment.attempts ?? []);
  let offset = 0;
  let position = 0;
  for (const index of indexesOf(segment.runs)) {
    const end = offset + (column.lengths[position] as number);
    const bytes = column.bytes.subarray(offset, end);
    yield { index, status: statusOf(column, position), bytes, attempts: attempts.get(index) };
    offset = end;
    position++;
  }
}

export interface LineOptions {
  /** Of values in blobs tells only which they are. */
  readonly brief?: boolean;
  /** Which outcomes get a line; absent: all. */
  readonly wants?: (outcome: StoredOutcome) => boolean;
}

/**
 * Outcomes as lines of JSON, the same that the command line prints with `--json`. Values in blobs are streamed into their
 * line, so no line needs memory.
 */
export async function* recordLines(
  segment: SegmentRecord,
  column: Column,
  blobs: BlobStore,
  { brief = false, wants = () => true }: LineOptions = {},
): AsyncGenerator<Uint8Array | string> {
  let text = '';
  for (const outcome of outcomesIn(segment, column)) {
    if (!wants(outcome)) continue;
    const { index, status, bytes, attempts } = outcome;
    const tail = `${attempts === undefined ? '' : `,"attempts":${attempts}`}}\n`;
    if (isFailure(status)) {
      text += failedRecord(index, bytes, attempts ?? 1);
    } else if (!isBlob(status)) {
      const value = bytes.length === 0 && status === ValueStatus.json ? '' : `,"value":${toJsonText(bytes, status)}`;
      text += `{"index":${index},"status":"done"${value}${tail}`;
    } else if (brief) {
      text += `{"index":${index},"status":"done",${JSON.stringify(blobIn(outcome)).slice(1, -1)}${tail}`;
    } else {
      yield `${text}{"index":${index},"status":"done","value":`;
      yield* blobText(blobs, blobNamed(bytes), status);
      text = tail;
    }
    if (text.length > PART) {
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

export function isBlob(status: number): boolean {
  return status === ValueStatus.jsonBlob || status === ValueStatus.bytesBlob;
}

/** Which blob a value is in, and what it is. */
export function blobIn({ status, bytes }: Pick<StoredOutcome, 'status' | 'bytes'>): {
  blob: string;
  size: number;
  type: 'json' | 'bytes';
} {
  const { size } = JSON.parse(decoder.decode(bytes).slice(0, -1)) as { size: number };
  return { blob: blobNamed(bytes), size, type: status === ValueStatus.jsonBlob ? 'json' : 'bytes' };
}

/** What a failed task's bytes say. */
export function failureIn(bytes: Uint8Array): TaskFailure {
  return JSON.parse(decoder.decode(bytes).slice(0, -1)) as TaskFailure;
}

function failedRecord(index: number, bytes: Uint8Array, attempts: number): string {
  const { kind: _kind, value, ...error } = failureIn(bytes);
  return `${JSON.stringify({ index, status: 'failed', ...(value && { value }), error, attempts })}\n`;
}

/** The JSON form of a value that lies in a blob, on one line. */
export async function* blobText(blobs: BlobStore, sha256: string, status: number): AsyncGenerator<Uint8Array | string> {
  if (status === ValueStatus.jsonBlob) {
    for await (const part of await blobBytes(blobs, sha256)) yield withoutBreaks(part);
    return;
  }
  // First said, then opened: a reader that leaves in between leaves no open file.
  yield '{"$mh":[["Uint8Array",1],["ArrayBuffer","';
  yield* base64(await blobBytes(blobs, sha256));
  yield '"]]}';
}

/** Must be read from, or its file stays open. */
export async function blobBytes(
  blobs: BlobStore,
  sha256: string,
  range?: { start: number; end: number },
): Promise<AsyncIterable<Uint8Array>> {
  const bytes = await blobs.read(sha256, range);
  if (bytes === undefined) throw new Problem('unknown', `the blob ${sha256} of a value is not here any more`);
  return bytes;
}

export async function* base64(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of bytes) {
    const joined = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const whole = joined.length - (joined.length % 3);
    yield Buffer.from(joined.buffer, joined.byteOffset, whole).toString('base64');
    rest = Uint8Array.from(joined.subarray(whole));
  }
  yield Buffer.from(rest).toString('base64');
}

/** In JSON a line break can only stand between things, where a space does as well. */
function withoutBreaks(part: Uint8Array): Uint8Array {
  if (!part.includes(10) && !part.includes(13)) return part;
  return part.map((byte) => (byte === 10 || byte === 13 ? 32 : byte));
}
