import {
  type BlobRef,
  type FailureCause,
  isFailure,
  type PackedColumn,
  type TaskFailure,
  ValueStatus,
} from '../model/envelope.ts';
import { ERROR_CAUSES, ERROR_MESSAGE_BYTES, ERROR_STACK_BYTES, VALUE_DEPTH } from '../model/limits.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { type Column, packColumn, statusOf } from './column.ts';
import { nestedDeeper } from './json.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * The text subprotocol (P5): instead of a column a message has `values`, one item a task. So plain that a worker fits in
 * sixty lines of any language. Used only in gateways; everything behind them speaks columns.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A worker names what became of a task in words; the server alone says `poison` and `cancelled`. */
const FAILURES = new Map<unknown, { readonly status: number; readonly kind: TaskFailure['kind'] }>([
  ['error', { status: ValueStatus.failed, kind: 'error' }],
  ['timeout', { status: ValueStatus.timeout, kind: 'timeout' }],
  ['crash', { status: ValueStatus.crash, kind: 'crash' }],
  ['memory', { status: ValueStatus.memory, kind: 'memory' }],
]);

/** The items of `values` as JSON texts, in order; undefined stands for a value that is not the JSON it should be. */
export function itemTexts(column: Column): (string | undefined)[] {
  const items: (string | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < column.count; i++) {
    const end = at + (column.lengths[i] as number);
    items.push(itemText(statusOf(column, i), column.bytes.subarray(at, end)));
    at = end;
  }
  return items;
}

function itemText(status: number, bytes: Uint8Array): string | undefined {
  if (status === ValueStatus.bytes) return `{"base64":"${toBase64(bytes)}"}`;
  if (bytes.length === 0) return status === ValueStatus.json ? '{"undefined":true}' : undefined;
  const json = jsonText(bytes);
  if (json === undefined) return undefined;
  // The text as it was written: a language with larger numbers than JavaScript's reads them whole.
  if (status === ValueStatus.json) return `{"value":${json}}`;
  if (isFailure(status)) return `{"failed":${json}}`;
  return `{"blob":${json},"as":"${status === ValueStatus.jsonBlob ? 'json' : 'bytes'}"}`;
}

/** Whoever wrote these bytes may have lied: a reader in another language must not be the one to find out. */
function jsonText(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes.subarray(0, bytes.length - 1));
    return nestedDeeper(JSON.parse(text), VALUE_DEPTH) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Throws a {@link ProtocolError} that says which item is wrong. */
export function columnOf(items: unknown): PackedColumn {
  if (!Array.isArray(items)) throw new ProtocolError('invalid', '`values` is not an array');
  const lengths = new Uint32Array(items.length);
  const statuses = new Uint8Array(items.length);
  const parts: Uint8Array[] = [];
  let total = 0;
  items.forEach((item: unknown, i) => {
    const { status, bytes } = encodedItem(item, `values[${i}]`);
    statuses[i] = status;
    lengths[i] = bytes.length;
    parts.push(bytes);
    total += bytes.length;
  });
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return packColumn(lengths, statuses, bytes);
}

interface EncodedItem {
  readonly status: number;
  readonly bytes: Uint8Array;
}

function encodedItem(item: unknown, where: string): EncodedItem {
  if (typeof item !== 'object' || item === null) throw new ProtocolError('invalid', `${where} is not an object`);
  if (Object.hasOwn(item, 'value')) return { status: ValueStatus.json, bytes: valueBytes(item, where) };
  if (own(item, 'undefined') === true) return { status: ValueStatus.json, bytes: new Uint8Array(0) };
  if (Object.hasOwn(item, 'base64')) return { status: ValueStatus.bytes, bytes: bytesOf(own(item, 'base64'), where) };
  if (Object.hasOwn(item, 'blob')) return blobItem(own(item, 'blob'), own(item, 'as'), where);
  if (Object.hasOwn(item, 'failed')) return failedItem(own(item, 'failed'), where);
  throw new ProtocolError('invalid', `${where} is none of value, undefined, base64, blob, failed`);
}

function valueBytes(item: object, where: string): Uint8Array {
  const value = own(item, 'value');
  if (nestedDeeper(value, VALUE_DEPTH)) {
    throw new ProtocolError('invalid', `${where} is nested deeper than ${VALUE_DEPTH}`);
  }
  return record(value);
}

function bytesOf(base64: unknown, where: string): Uint8Array {
  const bytes = typeof base64 === 'string' ? fromBase64(base64) : undefined;
  if (bytes === undefined) throw new ProtocolError('invalid', `${where}.base64 is not base64`);
  return bytes;
}

function blobItem(blob: unknown, as: unknown, where: string): EncodedItem {
  const sha256 = own(blob, 'sha256');
  const size = own(blob, 'size');
  const named = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
  if (!named || !Number.isSafeInteger(size) || (size as number) < 0 || (as !== 'json' && as !== 'bytes')) {
    throw new ProtocolError('invalid', `${where} is not a blob: {"blob":{"sha256","size"},"as":"json" or "bytes"}`);
  }
  const status = as === 'json' ? ValueStatus.jsonBlob : ValueStatus.bytesBlob;
  return { status, bytes: record({ sha256, size: size as number } satisfies BlobRef) };
}

function failedItem(failed: unknown, where: string): EncodedItem {
  if (typeof failed !== 'object' || failed === null) {
    throw new ProtocolError('invalid', `${where}.failed is not an object`);
  }
  const { status, kind } = FAILURES.get(own(failed, 'kind')) ?? { status: ValueStatus.failed, kind: 'error' as const };
  const stack = textIn(failed, 'stack');
  const signal = textIn(failed, 'signal');
  const exitCode = own(failed, 'exitCode');
  const cause = causeIn(failed, ERROR_CAUSES);
  const value = objectIn(failed, 'value');
  const failure: TaskFailure = {
    kind,
    ...namedIn(failed),
    ...(stack === undefined ? {} : { stack: stack.slice(0, ERROR_STACK_BYTES) }),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    ...(signal === undefined ? {} : { signal: signal.slice(0, ERROR_MESSAGE_BYTES) }),
    ...(value === undefined ? {} : { value }),
    ...(cause === undefined ? {} : { cause }),
  };
  return { status, bytes: record(failure) };
}

function namedIn(error: object): { name: string; message: string } {
  return {
    name: textIn(error, 'name')?.slice(0, ERROR_MESSAGE_BYTES) ?? 'Error',
    message: textIn(error, 'message')?.slice(0, ERROR_MESSAGE_BYTES) ?? '',
  };
}

function causeIn(error: object, room: number): FailureCause | undefined {
  const cause = own(error, 'cause');
  if (typeof cause !== 'object' || cause === null || room === 0) return undefined;
  if (textIn(cause, 'name') === undefined && textIn(cause, 'message') === undefined) return undefined;
  const below = causeIn(cause, room - 1);
  return { ...namedIn(cause), ...(below === undefined ? {} : { cause: below }) };
}

/** Fields are read one by one and only where they are the object's own: what a peer sent never becomes one of ours. (T-14) */
function own(object: unknown, key: string): unknown {
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, key)) return undefined;
  return (object as Readonly<Record<string, unknown>>)[key];
}

/** What a failed command has printed (P24). */
function objectIn(object: unknown, key: string): object | undefined {
  const value = own(object, key);
  return typeof value === 'object' && value !== null && !nestedDeeper(value, VALUE_DEPTH) ? value : undefined;
}

function textIn(object: unknown, key: string): string | undefined {
  const value = own(object, key);
  return typeof value === 'string' ? value : undefined;
}

function record(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value)},`);
}
