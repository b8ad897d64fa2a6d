import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import Value from 'typebox/value';
import type { PackedColumn } from '../model/envelope.ts';
import { HEADER_BYTES, JSON_DEPTH } from '../model/limits.ts';
import { ClientMessage, ServerToClient } from './client-messages.ts';
import { columnOf, itemsOf } from './json-frames.ts';
import { ProtocolError } from './protocol-error.ts';
import { ServerToWorker, WorkerMessage } from './worker-messages.ts';

/**
 * The binary subprotocol (P4): a message without values is a text frame of JSON. A message with a column is a binary frame:
 * four bytes (little endian) with the length of the JSON, the JSON, the packed column.
 */
export type Frame = string | Uint8Array;

export interface Decoded<Message> {
  readonly message: Message;
  readonly column?: PackedColumn;
}

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

/** The text subprotocol: the column as `values`. */
export function encodeJsonFrame(
  message: { readonly kind: string; readonly [field: string]: unknown },
  column?: PackedColumn,
): Frame {
  return JSON.stringify(column === undefined ? message : { ...message, values: itemsOf(column) });
}

export const decodeWorkerMessage = decoderOf<WorkerMessage>(WorkerMessage.anyOf);
export const decodeServerToWorker = decoderOf<ServerToWorker>(ServerToWorker.anyOf);
export const decodeClientMessage = decoderOf<ClientMessage>(ClientMessage.anyOf);
export const decodeServerToClient = decoderOf<ServerToClient>(ServerToClient.anyOf);

/** Splits a frame into its JSON value and column, without a look at the message's shape. */
export function splitFrame(frame: Frame): { json: unknown; column?: PackedColumn } {
  if (typeof frame === 'string') return { json: parse(frame) };
  if (frame.length < 4) throw new ProtocolError('invalid', 'a binary frame is shorter than its head');
  const length = new DataView(frame.buffer, frame.byteOffset, 4).getUint32(0, true);
  if (length > HEADER_BYTES || 4 + length > frame.length) {
    throw new ProtocolError('invalid', "a binary frame's JSON is longer than the frame or than the limit");
  }
  return { json: parse(decodeText(frame.subarray(4, 4 + length))), column: frame.subarray(4 + length) };
}

function splitJsonFrame(frame: Frame): { json: unknown; column?: PackedColumn } {
  if (typeof frame !== 'string') throw new ProtocolError('invalid', 'a binary frame in the text subprotocol');
  const json = parse(frame);
  if (typeof json !== 'object' || json === null || !('values' in json)) return { json };
  return { json, column: columnOf(json.values) };
}

function decoderOf<Message>(shapes: readonly TSchema[]): (frame: Frame, json?: boolean) => Decoded<Message> {
  const byKind = new Map<string, TSchema>();
  for (const shape of shapes)
    byKind.set((shape as unknown as { properties: { kind: { const: string } } }).properties.kind.const, shape);
  // Compiled when first met: a check of every message then costs 0.2 µs instead of 10.
  const checks = new Map<TSchema, { Check(value: unknown): boolean }>();
  const checkOf = (shape: TSchema): { Check(value: unknown): boolean } => {
    const check = checks.get(shape) ?? Compile(shape);
    checks.set(shape, check);
    return check;
  };
  return (frame, asText = false) => {
    const { json, column } = asText ? splitJsonFrame(frame) : splitFrame(frame);
    const kind = typeof json === 'object' && json !== null && 'kind' in json ? json.kind : undefined;
    const shape = typeof kind === 'string' ? byKind.get(kind) : undefined;
    if (shape === undefined)
      throw new ProtocolError('unsupported', `a message of unknown kind ${JSON.stringify(kind)?.slice(0, 40)}`);
    if (!checkOf(shape).Check(json))
      throw new ProtocolError('invalid', `a ${kind as string} message ${complaint(shape, json)}`);
    return column === undefined ? { message: json as Message } : { message: json as Message, column };
  };
}

function complaint(shape: TSchema, json: unknown): string {
  const [first] = Value.Errors(shape, json) as unknown as { instancePath?: string; message?: string }[];
  return `is not as it should be: ${first?.instancePath || '/'} ${first?.message ?? 'is wrong'}`;
}

function parse(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError('invalid', 'a message is not JSON');
  }
  if (tooDeep(value, JSON_DEPTH)) throw new ProtocolError('invalid', `a message is nested deeper than ${JSON_DEPTH}`);
  return value;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError('invalid', 'a message is not UTF-8');
  }
}

/** Also refuses the keys that could reach a prototype (T-14), since unknown fields are otherwise ignored. */
function tooDeep(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
      throw new ProtocolError('invalid', `a message has the key ${key}`);
    }
    if (tooDeep((value as Record<string, unknown>)[key], left - 1)) return true;
  }
  return false;
}
