import { ValueStatus } from '../../model/envelope.ts';
import { isPlain, isPlainNumber } from './plain.ts';
import { encodeInto, utf8Length } from './text.ts';
import type { Encoded } from './value.ts';
import { valueText } from './value.ts';

/** The values of many tasks: `lengths[i]` bytes of `bytes` are value i, and `status[i]` says what they are. */
export interface Column {
  /** A ValueStatus for each value; undefined if all are `json`. */
  readonly status: Uint8Array | undefined;
  readonly lengths: Uint32Array;
  readonly bytes: Uint8Array;
}

const comma = 44;
const zero = 48;

/** Code units of text gathered before they become bytes: few enough for the cache, enough to make the call cheap. */
const gatheredUnits = 32_768;

/**
 * Makes a column from values that come one by one. Text is gathered and turned into bytes in one go: if it gave as many
 * bytes as it had code units, it was ASCII and the lengths are known already; only otherwise are they counted again.
 */
export class ColumnWriter {
  #bytes: Uint8Array;
  #used = 0;
  #lengths: Uint32Array;
  #count = 0;
  #status: Uint8Array | undefined;
  #text = '';
  /** The first value whose bytes are still text. */
  #textFrom = 0;

  constructor(expected: { values?: number; bytes?: number } = {}) {
    this.#lengths = new Uint32Array(expected.values ?? 64);
    this.#bytes = new Uint8Array(expected.bytes ?? 1024);
  }

  /** Values in the column so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes in the column so far. Text that is still gathered counts one byte a code unit: at least that, at most 3×. */
  get byteLength(): number {
    return this.#used + this.#text.length;
  }

  /**
   * Adds a value and returns its size, as exact as `byteLength`. A value that can't be sent is thrown out as a
   * ValueError and leaves the column as it was.
   */
  append(value: unknown): number {
    switch (typeof value) {
      case 'number':
        if ((value | 0) === value && this.#text === '' && (value !== 0 || 1 / value > 0)) {
          return this.#appendInteger(value);
        }
        return this.#appendText(isPlainNumber(value) ? `${value}` : valueText(value));
      case 'undefined':
        return this.#appendLength(0);
      case 'object':
        if (value instanceof Uint8Array) return this.appendBytes(ValueStatus.bytes, value);
    }
    return this.#appendText(isPlain(value) ? JSON.stringify(value) : valueText(value));
  }

  /** Adds a value that was encoded before, or a record that stands in a value's place: a failure, a reference to a blob. */
  appendBytes(status: number, bytes: Uint8Array): number {
    this.#flush();
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
    const index = this.#count;
    this.#appendLength(bytes.length);
    if (status !== ValueStatus.json || this.#status !== undefined) this.#setStatus(index, status);
    return bytes.length;
  }

  /** Adds the JSON of a plain record under a status of its own. */
  appendRecord(status: number, record: object): number {
    const index = this.#count;
    const size = this.#appendText(JSON.stringify(record));
    if (status !== ValueStatus.json || this.#status !== undefined) this.#setStatus(index, status);
    return size;
  }

  /** Takes the last value out again, so that one that turned out too big can go elsewhere. */
  pop(): Encoded {
    this.#flush();
    if (this.#count === 0) throw new RangeError('the column is empty');
    this.#count -= 1;
    const length = this.#lengths[this.#count] as number;
    const encoding = this.#status?.[this.#count] ?? ValueStatus.json;
    // The next value here may be plain JSON, which writes no status of its own.
    if (this.#status !== undefined) this.#status[this.#count] = ValueStatus.json;
    this.#textFrom = this.#count;
    this.#used -= length;
    return { encoding, bytes: this.#bytes.slice(this.#used, this.#used + length) };
  }

  /** Hands the column over and starts an empty one. */
  finish(): Column {
    this.#flush();
    const statuses = this.#status;
    const column = {
      status: (statuses && statuses.length < this.#count ? grown(statuses, this.#count) : statuses)?.slice(
        0,
        this.#count,
      ),
      lengths: this.#lengths.slice(0, this.#count),
      bytes: this.#bytes.slice(0, this.#used),
    };
    this.#used = 0;
    this.#count = 0;
    this.#textFrom = 0;
    this.#status = undefined;
    return column;
  }

  /** Digits straight into the bytes: half the time of a text, and integers are what most tasks are called with. */
  #appendInteger(value: number): number {
    if (this.#used + 12 > this.#bytes.length) this.#reserve(12);
    const bytes = this.#bytes;
    let rest = value;
    let end = this.#used;
    if (value < 0) {
      bytes[end++] = 45;
      rest = -value;
    }
    end += digits(rest);
    bytes[end] = comma;
    let at = end;
    do {
      const tenth = Math.floor(rest / 10);
      bytes[--at] = zero + rest - tenth * 10;
      rest = tenth;
    } while (rest > 0);
    const length = end + 1 - this.#used;
    this.#used = end + 1;
    this.#appendLength(length);
    this.#textFrom = this.#count;
    return length;
  }

  #appendText(text: string): number {
    if (this.#text === '') this.#textFrom = this.#count;
    this.#text += text;
    this.#text += ',';
    this.#appendLength(text.length + 1);
    if (this.#text.length >= gatheredUnits) this.#flush();
    return text.length + 1;
  }

  #appendLength(length: number): number {
    if (this.#count === this.#lengths.length) this.#lengths = grown(this.#lengths, this.#count + 1);
    this.#lengths[this.#count] = length;
    this.#count += 1;
    return length;
  }

  #setStatus(index: number, status: number): void {
    const statuses = this.#status ?? new Uint8Array(this.#lengths.length);
    this.#status = index < statuses.length ? statuses : grown(statuses, this.#lengths.length);
    this.#status[index] = status;
  }

  #flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    this.#reserve(text.length);
    let { read, written } = encodeInto(text, this.#bytes.subarray(this.#used));
    this.#used += written;
    if (read === text.length && written === read) return;
    if (read < text.length) {
      // Not ASCII, and longer than hoped: no code unit takes more than three bytes.
      this.#reserve((text.length - read) * 3);
      ({ written } = encodeInto(text.slice(read), this.#bytes.subarray(this.#used)));
      this.#used += written;
    }
    this.#recount(text);
  }

  #recount(text: string): void {
    let from = 0;
    for (let index = this.#textFrom; index < this.#count; index += 1) {
      const to = from + (this.#lengths[index] as number);
      this.#lengths[index] = utf8Length(text, from, to);
      from = to;
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed > this.#bytes.length) this.#bytes = grown(this.#bytes, needed);
  }
}

function digits(value: number): number {
  if (value < 100_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    if (value < 10_000) return value < 1_000 ? 3 : 4;
    return 5;
  }
  if (value < 10_000_000) return value < 1_000_000 ? 6 : 7;
  if (value < 1_000_000_000) return value < 100_000_000 ? 8 : 9;
  return 10;
}

function grown<T extends Uint8Array | Uint32Array>(list: T, needed: number): T {
  const larger = new (list.constructor as new (length: number) => T)(Math.max(needed, list.length * 2));
  larger.set(list);
  return larger;
}
