import { ValueStatus } from '../../model/envelope.ts';
import { inspect } from './inspect.ts';
import { isPlain } from './plain.ts';
import { isTagged, TAG } from './tag.ts';
import { reviveTagged, stringifyTagged } from './tagged.ts';
import { decodeText, encodeInto, utf8Length } from './text.ts';
import { ValueError } from './value-error.ts';

/** One value as it lies in a column: `json` (text and a comma, or nothing for undefined) or `bytes` (as they are). */
export interface Encoded {
  readonly encoding: number;
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);
const comma = 44;
const undefinedText = `{"${TAG}":-1}`;

/** The JSON text of a value that is neither undefined nor bytes. Throws a ValueError that names the path. */
export function valueText(value: unknown): string {
  return isPlain(value) || inspect(value) === 'plain' ? JSON.stringify(value) : stringifyTagged(value);
}

/** Encodes a single value. The bytes of a Uint8Array are not copied. Throws a ValueError that names the path. */
export function encodeValue(value: unknown): Encoded {
  if (value === undefined) return { encoding: ValueStatus.json, bytes: nothing };
  if (value instanceof Uint8Array) return { encoding: ValueStatus.bytes, bytes: value };
  return { encoding: ValueStatus.json, bytes: toBytes(`${valueText(value)},`) };
}

/** The value of one row. Also takes JSON without its comma, as it lies in a blob. Bytes are not copied. */
export function decodeValue(bytes: Uint8Array, encoding: number): unknown {
  if (encoding === ValueStatus.bytes) return bytes;
  if (bytes.length === 0) return undefined;
  return revive(parseJson(textOf(bytes)));
}

/**
 * The one JSON form of a value, for NDJSON, pages and JSON workers, all on one line: bytes become tagged base64 and
 * undefined becomes the tag of undefined.
 */
export function toJsonText(bytes: Uint8Array, encoding: number): string {
  if (encoding === ValueStatus.bytes) return stringifyTagged(bytes);
  if (bytes.length === 0) return undefinedText;
  const text = textOf(bytes);
  return /[\n\r]/.test(text) ? JSON.stringify(parseJson(text)) : text;
}

/** The row for a value in its JSON form, written by whatever language. The text of plain JSON is kept as it is. */
export function fromJsonText(text: string): Encoded {
  const parsed = parseJson(text);
  if (isTagged(parsed)) {
    const value = reviveTagged(parsed);
    if (value === undefined || value instanceof Uint8Array) return encodeValue(value);
  }
  // A lone surrogate may stand unescaped in a JavaScript text, but not in UTF-8.
  const exact = text.trim();
  return { encoding: ValueStatus.json, bytes: toBytes(`${isWellFormed(exact) ? exact : JSON.stringify(parsed)},`) };
}

/** The value of a parsed JSON form. */
export function revive(parsed: unknown): unknown {
  return isTagged(parsed) ? reviveTagged(parsed) : parsed;
}

function textOf(bytes: Uint8Array): string {
  try {
    return decodeText(bytes.at(-1) === comma ? bytes.subarray(0, -1) : bytes);
  } catch {
    throw new ValueError('', 'is not UTF-8 text');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ValueError('', `is not JSON: ${(error as Error).message}`);
  }
}

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text, 0, text.length));
  encodeInto(text, bytes);
  return bytes;
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
