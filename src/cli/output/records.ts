import { ValueStatus } from '../../model/envelope.ts';
import type { Piece } from './batch.ts';
import {
  attemptsOf,
  type ByteText,
  type Failed,
  failedAt,
  isAllJson,
  isFailure,
  jsonOf,
  latin1,
  lineOf,
  plainLines,
  type ReadBlob,
  valuesOf,
} from './values.ts';

/** How outcomes become lines. Failures are also told to `onFailed`, for people. */
export interface LineOptions {
  readonly readBlob: ReadBlob;
  readonly onFailed: (failed: Failed) => void;
}

/** One value a line; failed tasks have none. */
export async function toPlainLines(piece: Piece, { readBlob, onFailed }: LineOptions): Promise<Buffer> {
  if (isAllJson(piece)) return plainLines(piece);
  const parts: Buffer[] = [];
  for (const { at, status, bytes } of valuesOf(piece)) {
    if (isFailure(status)) onFailed(failedAt(piece, at, bytes));
    else parts.push(lineOf(await jsonOf(status, bytes, readBlob)));
  }
  return Buffer.concat(parts);
}

/** One record a line: `{"index":0,"status":"done","value":…}`; undefined has no `value`. */
export async function toRecords(piece: Piece, { readBlob, onFailed }: LineOptions): Promise<Buffer> {
  const all = latin1(piece.batch.column.bytes, piece.offset, piece.batch.column.bytes.length);
  const canCut = !/[\n\r]/.test(all);
  let text: ByteText = '';
  let offset = 0;
  for (const { at, status, bytes } of valuesOf(piece)) {
    if (isFailure(status)) {
      const failed = failedAt(piece, at, bytes);
      text += failedRecord(failed);
      onFailed(failed);
    } else if (status === ValueStatus.json && canCut) {
      text += doneRecord(piece, at, all.slice(offset, Math.max(offset, offset + bytes.length - 1)));
    } else {
      text += doneRecord(piece, at, oneLine(await jsonOf(status, bytes, readBlob)));
    }
    offset += bytes.length;
  }
  return Buffer.from(text, 'latin1');
}

function doneRecord(piece: Piece, at: number, json: ByteText): ByteText {
  const index = piece.index + at;
  const value = json === '' ? '' : `,"value":${json}`;
  const attempts = piece.batch.attempts?.length ? attemptsOf(piece, index) : undefined;
  return `{"index":${index},"status":"done"${value}${attempts === undefined ? '' : `,"attempts":${attempts}`}}\n`;
}

function failedRecord({ index, failure, attempts }: Failed): ByteText {
  const { kind: _kind, value, ...error } = failure;
  return utf8(`${JSON.stringify({ index, status: 'failed', ...(value && { value }), error, attempts })}\n`);
}

function oneLine(json: Uint8Array): ByteText {
  const text = latin1(json, 0, json.length);
  return /[\n\r]/.test(text) ? utf8(JSON.stringify(JSON.parse(Buffer.from(json).toString()))) : text;
}

function utf8(text: string): ByteText {
  return Buffer.from(text).toString('latin1');
}
