import type { PackedColumn } from '../model/envelope.ts';
import { HEADER_BYTES } from '../model/limits.ts';
import { checkTree, parseJson } from './json.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * The binary subprotocol (P4): a message without values is a text frame of JSON. A message with a column is a binary frame:
 * four bytes (little endian) with the length of the JSON, the JSON, the packed column.
 */
export type Frame = string | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeFrame(
  message: { readonly kind: string; readonly [field: string]: unknown },
  column?: PackedColumn,
): Frame {
  const json = JSON.stringify(message);
  if (column === undefined) return json;
  // Headers are ASCII but for names; three bytes a code unit is the most UTF-8 can take.
  const frame = new Uint8Array(4 + json.length * 3 + column.length);
  const { written } = encoder.encodeInto(json, frame.subarray(4, 4 + json.length * 3));
  new DataView(frame.buffer).setUint32(0, written, true);
  frame.set(column, 4 + written);
  return frame.subarray(0, 4 + written + column.length);
}

/** Splits a frame into its JSON value and column, without a look at the message's shape. */
export function splitFrame(frame: Frame): { json: unknown; column?: PackedColumn } {
  if (typeof frame === 'string') return { json: headerOf(frame) };
  if (frame.length < 4) throw new ProtocolError('invalid', 'a binary frame is shorter than its head');
  const length = new DataView(frame.buffer, frame.byteOffset, 4).getUint32(0, true);
  if (length > HEADER_BYTES || 4 + length > frame.length) {
    throw new ProtocolError('invalid', "a binary frame's JSON is longer than the frame or than the limit");
  }
  return { json: headerOf(decodeText(frame.subarray(4, 4 + length))), column: frame.subarray(4 + length) };
}

function headerOf(text: string): unknown {
  const json = parseJson(text);
  checkTree(json);
  return json;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError('invalid', 'a message is not UTF-8');
  }
}
