import { isFailure, type TaskFailure, ValueStatus } from '../../model/envelope.ts';
import type { Piece } from './batch.ts';

/** A failed task, for whoever tells of it. */
export interface Failed {
  readonly index: number;
  readonly failure: TaskFailure;
  readonly attempts: number;
}

/** Text whose code units are bytes: what came as UTF-8 goes out as UTF-8 without ever having been decoded. */
export type ByteText = string;

/** Reads what stands in a blob: the JSON text of a value, or its bytes. */
export type ReadBlob = (ref: { sha256: string; size: number }) => Promise<Uint8Array>;

const QUOTE = 34;
const BACKSLASH = 92;
const LINE_FEED = 10;
const RETURN = 13;

/** Whether all values of the column are JSON or undefined, so that lines may be made from the bytes as they are. */
export function isAllJson({ batch: { column } }: Piece): boolean {
  return column.statuses === undefined && column.allStatus === ValueStatus.json;
}

/**
 * One line for each value: JSON as it is, a text as itself, nothing for undefined. Only for columns that are all JSON;
 * where no value is a text or undefined, the commas between the values become line feeds and that is all.
 */
export function plainLines(piece: Piece): Buffer {
  const { lengths, bytes } = piece.batch.column;
  const end = piece.position + piece.count;
  const mayBreak = hasLineBreak(bytes.subarray(piece.offset));
  const parts: Buffer[] = [];
  let offset = piece.offset;
  let from = { position: piece.position, offset };
  for (let position = piece.position; position < end; position++) {
    const next = offset + (lengths[position] as number);
    const isOdd =
      next === offset || bytes[offset] === QUOTE || (mayBreak && hasLineBreak(bytes.subarray(offset, next)));
    if (isOdd) {
      if (offset > from.offset) parts.push(withLineFeeds(piece, from, offset));
      parts.push(lineOf(bytes.subarray(offset, Math.max(offset, next - 1))));
      from = { position: position + 1, offset: next };
    }
    offset = next;
  }
  if (offset > from.offset) parts.push(withLineFeeds(piece, from, offset));
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

/** A copy of the bytes up to `to`, each value's comma turned into a line feed. */
function withLineFeeds({ batch: { column } }: Piece, from: { position: number; offset: number }, to: number): Buffer {
  const copy = Buffer.from(column.bytes.subarray(from.offset, to));
  for (let at = 0, i = from.position; at < copy.length; i++) {
    at += column.lengths[i] as number;
    copy[at - 1] = LINE_FEED;
  }
  return copy;
}

/** Others may have written their JSON with line breaks between the tokens; then it is written anew. */
function hasLineBreak(bytes: Uint8Array): boolean {
  return bytes.includes(LINE_FEED) || bytes.includes(RETURN);
}

/** The line of a single value, given as JSON without its comma; no bytes are undefined. */
export function lineOf(json: Uint8Array): Buffer {
  if (json.length === 0) return Buffer.from('\n');
  if (json[0] !== QUOTE) return Buffer.from(`${compact(json)}\n`, 'latin1');
  // Between the quotes stands the text itself, unless something in it had to be escaped.
  if (json.includes(BACKSLASH)) return Buffer.from(`${JSON.parse(Buffer.from(json).toString())}\n`);
  const line = Buffer.from(json.subarray(1));
  line[line.length - 1] = LINE_FEED;
  return line;
}

/** One-line JSON as ByteText. */
function compact(json: Uint8Array): ByteText {
  if (!hasLineBreak(json)) return latin1(json, 0, json.length);
  const text = JSON.stringify(JSON.parse(Buffer.from(json).toString()));
  return Buffer.from(text).toString('latin1');
}

export function latin1(bytes: Uint8Array, from: number, to: number): ByteText {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

/** The JSON form of one value as bytes; undefined has none. Blobs are fetched. */
export async function jsonOf(status: number, bytes: Uint8Array, readBlob: ReadBlob): Promise<Uint8Array> {
  switch (status) {
    case ValueStatus.json:
      return bytes.subarray(0, Math.max(0, bytes.length - 1));
    case ValueStatus.bytes:
      return taggedBytes(bytes);
    case ValueStatus.jsonBlob:
      return readBlob(recordOf(bytes) as { sha256: string; size: number });
    case ValueStatus.bytesBlob:
      return taggedBytes(await readBlob(recordOf(bytes) as { sha256: string; size: number }));
    default:
      throw new Error(`a value has the status ${status}, which this version does not know`);
  }
}

/** The JSON record that stands in a value's place: a failure, or a reference to a blob. */
export function recordOf(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.subarray(0, bytes.length - 1)).toString());
}

export function failedAt(piece: Piece, at: number, bytes: Uint8Array): Failed {
  const index = piece.index + at;
  return { index, failure: recordOf(bytes) as TaskFailure, attempts: attemptsOf(piece, index) ?? 1 };
}

export function attemptsOf(piece: Piece, index: number): number | undefined {
  return piece.batch.attempts?.find(([of]) => of === index)?.[1];
}

/** Value by value: its place in the piece, status and bytes. */
export function* valuesOf(piece: Piece): Generator<{ at: number; status: number; bytes: Uint8Array }> {
  const { lengths, statuses, allStatus, bytes } = piece.batch.column;
  let offset = piece.offset;
  for (let at = 0; at < piece.count; at++) {
    const next = offset + (lengths[piece.position + at] as number);
    const status = statuses === undefined ? allStatus : (statuses[piece.position + at] as number);
    yield { at, status, bytes: bytes.subarray(offset, next) };
    offset = next;
  }
}

export { isFailure };

function taggedBytes(bytes: Uint8Array): Uint8Array {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  return Buffer.from(`{"$mh":[["Uint8Array",1],["ArrayBuffer","${base64}"]]}`);
}
