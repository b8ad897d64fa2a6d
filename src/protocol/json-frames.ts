import { isFailure, type PackedColumn, type TaskFailure, ValueStatus } from '../model/envelope.ts';
import { packColumn, readColumn, statusOf } from './column.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * The text subprotocol (P5): instead of a column a message has `values`, one item a task. So plain that a worker fits in
 * sixty lines of any language. Used only in gateways; everything behind them speaks columns.
 */
export type JsonItem =
  | { readonly value: unknown }
  | { readonly undefined: true }
  | { readonly blob: { readonly sha256: string; readonly size: number }; readonly as: 'json' | 'bytes' }
  | { readonly base64: string }
  | { readonly failed: TaskFailure };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const FAILED_STATUS: Readonly<Record<string, number>> = {
  error: ValueStatus.failed,
  timeout: ValueStatus.timeout,
  crash: ValueStatus.crash,
  memory: ValueStatus.memory,
};

export function itemsOf(packed: PackedColumn): JsonItem[] {
  const column = readColumn(packed);
  const items: JsonItem[] = [];
  let at = 0;
  for (let i = 0; i < column.count; i++) {
    const end = at + (column.lengths[i] as number);
    items.push(itemOf(statusOf(column, i), column.bytes.subarray(at, end)));
    at = end;
  }
  return items;
}

function itemOf(status: number, bytes: Uint8Array): JsonItem {
  if (status === ValueStatus.bytes) return { base64: toBase64(bytes) };
  if (bytes.length === 0) return { undefined: true };
  const json: unknown = JSON.parse(decoder.decode(bytes.subarray(0, bytes.length - 1)));
  if (status === ValueStatus.json) return { value: json };
  if (isFailure(status)) return { failed: json as TaskFailure };
  return { blob: json as { sha256: string; size: number }, as: status === ValueStatus.jsonBlob ? 'json' : 'bytes' };
}

/** Throws a {@link ProtocolError} that says which item is wrong. */
export function columnOf(items: unknown): PackedColumn {
  if (!Array.isArray(items)) throw new ProtocolError('invalid', '`values` is not an array');
  const lengths = new Uint32Array(items.length);
  const statuses = new Uint8Array(items.length);
  const parts: Uint8Array[] = [];
  let total = 0;
  items.forEach((item: unknown, i) => {
    const { status, bytes } = encodedItem(item, i);
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

function encodedItem(item: unknown, at: number): { status: number; bytes: Uint8Array } {
  if (typeof item !== 'object' || item === null) throw new ProtocolError('invalid', `values[${at}] is not an object`);
  if ('value' in item) return { status: ValueStatus.json, bytes: text(item.value) };
  if ('undefined' in item) return { status: ValueStatus.json, bytes: new Uint8Array(0) };
  if ('base64' in item && typeof item.base64 === 'string')
    return { status: ValueStatus.bytes, bytes: fromBase64(item.base64, at) };
  if ('blob' in item) {
    return {
      status: 'as' in item && item.as === 'bytes' ? ValueStatus.bytesBlob : ValueStatus.jsonBlob,
      bytes: text(item.blob),
    };
  }
  if ('failed' in item && typeof item.failed === 'object' && item.failed !== null) {
    const kind = 'kind' in item.failed ? String(item.failed.kind) : 'error';
    const failure = { kind, name: 'Error', message: '', ...item.failed };
    return { status: FAILED_STATUS[kind] ?? ValueStatus.failed, bytes: text(failure) };
  }
  throw new ProtocolError('invalid', `values[${at}] is none of value, undefined, base64, blob, failed`);
}

function text(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value)},`);
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function toBase64(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out += (DIGITS[word >> 18] as string) + (DIGITS[(word >> 12) & 63] as string);
    out += i + 1 < bytes.length ? (DIGITS[(word >> 6) & 63] as string) : '=';
    out += i + 2 < bytes.length ? (DIGITS[word & 63] as string) : '=';
  }
  return out;
}

function fromBase64(base64: string, at: number): Uint8Array {
  const clean = base64.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((clean.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let to = 0;
  for (const digit of clean) {
    const value = DIGITS.indexOf(digit);
    if (value < 0) throw new ProtocolError('invalid', `values[${at}].base64 is not base64`);
    word = (word << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[to++] = (word >> bits) & 255;
    }
  }
  return bytes;
}
