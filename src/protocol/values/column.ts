import { ValueStatus } from '../../model/envelope.ts';
import { type Column, ColumnWriter } from './column-writer.ts';
import { TAG } from './tag.ts';
import { decodeText } from './text.ts';
import { decodeValue, revive } from './value.ts';
import { ValueError } from './value-error.ts';

export type { Column };

const comma = 44;

/** Packs values into one column. Throws a ValueError that names the value's index and the path within it. */
export function encodeColumn(values: readonly unknown[]): Column {
  const writer = new ColumnWriter({ values: values.length, bytes: values.length * 8 });
  for (let index = 0; index < values.length; index += 1) {
    try {
      writer.append(values[index]);
    } catch (error) {
      throw error instanceof ValueError ? error.about(`value ${index}: value`) : error;
    }
  }
  return writer.finish();
}

/**
 * The values of a column, in order. Where the status says that something else stands in the value's place (a failure, a
 * reference to a blob), its JSON record is returned and the caller looks at the status. Bytes are
 * copied: whoever looks at a value's `buffer` must not find its neighbours there, or keep a whole frame by it.
 */
export function decodeColumn(lengths: Uint32Array, status: Uint8Array | undefined, bytes: Uint8Array): unknown[] {
  let total = 0;
  let present = 0;
  for (let index = 0; index < lengths.length; index += 1) {
    const length = lengths[index] as number;
    total += length;
    if (length > 0) present += 1;
  }
  if (total !== bytes.length) {
    throw new ValueError('', `lengths add up to ${total} bytes, but the column has ${bytes.length}`, 'column');
  }
  if (status !== undefined && status.length !== lengths.length) {
    throw new ValueError('', `has ${lengths.length} lengths and ${status.length} statuses`, 'column');
  }
  if (status?.includes(ValueStatus.bytes)) return decodeRuns(lengths, status, bytes);
  const parsed = parseRun(lengths, bytes, present);
  return present === lengths.length ? parsed : spread(lengths, parsed);
}

/** A run of a column's values as a column of its own, without a copy of the bytes. */
export function sliceColumn(column: Column, from: number, to: number): Column {
  let start = 0;
  for (let index = 0; index < from; index += 1) start += column.lengths[index] as number;
  let end = start;
  for (let index = from; index < to; index += 1) end += column.lengths[index] as number;
  const { status, lengths, bytes } = column;
  return {
    status: status?.subarray(from, to),
    lengths: lengths.subarray(from, to),
    bytes: bytes.subarray(start, end),
  };
}

/** Raw bytes cut the text into runs; each run of JSON is still one parse. */
function decodeRuns(lengths: Uint32Array, status: Uint8Array, bytes: Uint8Array): unknown[] {
  const values: unknown[] = [];
  let from = 0;
  let start = 0;
  let end = 0;
  const flush = (to: number): void => {
    if (to === from) return;
    for (const value of decodeColumn(lengths.subarray(from, to), undefined, bytes.subarray(start, end))) {
      values.push(value);
    }
  };
  for (let index = 0; index < lengths.length; index += 1) {
    const next = end + (lengths[index] as number);
    if (status[index] === ValueStatus.bytes) {
      flush(index);
      values.push(new Uint8Array(bytes.subarray(end, next)));
      from = index + 1;
      start = next;
    }
    end = next;
  }
  flush(lengths.length);
  return values;
}

function parseRun(lengths: Uint32Array, bytes: Uint8Array, present: number): unknown[] {
  if (bytes.length > 0 && bytes[bytes.length - 1] !== comma) {
    throw new ValueError('', 'does not end with a comma, as every value of a column does', 'column');
  }
  let values: unknown[];
  let text: string;
  try {
    text = decodeText(bytes.subarray(0, -1));
    values = JSON.parse(`[${text}]`);
  } catch (error) {
    throw blame(lengths, bytes) ?? error;
  }
  if (values.length !== present) {
    throw blame(lengths, bytes) ?? new ValueError('', `has ${values.length} values for ${present} lengths`, 'column');
  }
  // One search of the text rules out tags for all values at once.
  if (text.includes(TAG)) {
    for (let index = 0; index < values.length; index += 1) values[index] = revive(values[index]);
  }
  return values;
}

/** Which value broke the column: they are read one by one only once it is known that one is bad. */
function blame(lengths: Uint32Array, bytes: Uint8Array): ValueError | undefined {
  let start = 0;
  for (let index = 0; index < lengths.length; index += 1) {
    const end = start + (lengths[index] as number);
    try {
      decodeValue(bytes.subarray(start, end), ValueStatus.json);
    } catch (error) {
      if (error instanceof ValueError) return error.about(`value ${index} of the column`);
    }
    start = end;
  }
  return undefined;
}

function spread(lengths: Uint32Array, parsed: unknown[]): unknown[] {
  const values = new Array<unknown>(lengths.length).fill(undefined);
  let next = 0;
  for (let index = 0; index < lengths.length; index += 1) {
    if (lengths[index] !== 0) values[index] = parsed[next++];
  }
  return values;
}
