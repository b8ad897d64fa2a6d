import type { PackedColumn } from '../model/envelope.ts';
import { isFailure } from '../model/envelope.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * The packed column (P5): the lengths, statuses and bytes of many values.
 *
 *     byte 0      width of a length: 0 (all equal), 1, 2 or 4 bytes
 *     byte 1      1: a status byte for each value; 0: all equal
 *     byte 2      the status, where all are equal
 *     byte 3      0
 *     bytes 4-7   count, little endian
 *     bytes 8-11  the length, where all are equal (else absent)
 *     lengths     count × width, little endian
 *     statuses    count × 1, where they differ
 *     bytes       the values, one after the other
 */
export interface Column {
  readonly count: number;
  /** Bytes of each value. */
  readonly lengths: Uint32Array;
  /** One for each value; undefined: all are `allStatus`. */
  readonly statuses: Uint8Array | undefined;
  readonly allStatus: number;
  /** The values' bytes: a view, not a copy. */
  readonly bytes: Uint8Array;
}

const HEAD = 8;

export function packColumn(
  lengths: Uint32Array,
  statuses: Uint8Array | number | undefined,
  bytes: Uint8Array,
): PackedColumn {
  const count = lengths.length;
  let max = 0;
  let equal = true;
  const first = lengths[0] ?? 0;
  for (let i = 0; i < count; i++) {
    const length = lengths[i] as number;
    if (length > max) max = length;
    if (length !== first) equal = false;
  }
  const width = equal ? 0 : max < 0x100 ? 1 : max < 0x10000 ? 2 : 4;
  const perStatus = statuses instanceof Uint8Array && !allSame(statuses);
  const lengthsAt = HEAD + (width === 0 ? 4 : 0);
  const statusesAt = lengthsAt + count * width;
  const bytesAt = statusesAt + (perStatus ? count : 0);
  const packed = new Uint8Array(bytesAt + bytes.length);
  const view = new DataView(packed.buffer);
  packed[0] = width;
  packed[1] = perStatus ? 1 : 0;
  packed[2] = perStatus ? 0 : statuses instanceof Uint8Array ? (statuses[0] ?? 0) : (statuses ?? 0);
  view.setUint32(4, count, true);
  if (width === 0) view.setUint32(8, first, true);
  else if (width === 1) packed.set(lengths, lengthsAt);
  else if (width === 2) for (let i = 0; i < count; i++) view.setUint16(lengthsAt + 2 * i, lengths[i] as number, true);
  else for (let i = 0; i < count; i++) view.setUint32(lengthsAt + 4 * i, lengths[i] as number, true);
  if (perStatus) packed.set(statuses as Uint8Array, statusesAt);
  packed.set(bytes, bytesAt);
  return packed;
}

/** Checks every bound; the lengths must add up to the bytes. Throws a {@link ProtocolError}. */
export function readColumn(packed: PackedColumn): Column {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < HEAD) throw new ProtocolError('invalid', 'a column is shorter than its head');
  const width = packed[0] as number;
  const perStatus = packed[1] as number;
  if ((width !== 0 && width !== 1 && width !== 2 && width !== 4) || perStatus > 1) {
    throw new ProtocolError('invalid', 'a column has an unknown layout');
  }
  const count = view.getUint32(4, true);
  const lengthsAt = HEAD + (width === 0 ? 4 : 0);
  const statusesAt = lengthsAt + count * width;
  const bytesAt = statusesAt + perStatus * count;
  // An equal length costs no bytes for each value: without this check a tiny frame could claim four billion of them.
  if (bytesAt > packed.length || count > packed.length + MAX_EMPTY) {
    throw new ProtocolError('invalid', 'a column is shorter than its lengths');
  }
  const lengths = new Uint32Array(count);
  if (width === 0) lengths.fill(view.getUint32(8, true));
  else if (width === 1) lengths.set(packed.subarray(lengthsAt, statusesAt));
  else if (width === 2) for (let i = 0; i < count; i++) lengths[i] = view.getUint16(lengthsAt + 2 * i, true);
  else for (let i = 0; i < count; i++) lengths[i] = view.getUint32(lengthsAt + 4 * i, true);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += lengths[i] as number;
  if (bytesAt + sum !== packed.length)
    throw new ProtocolError('invalid', "a column's lengths do not add up to its bytes");
  return {
    count,
    lengths,
    statuses: perStatus === 1 ? packed.subarray(statusesAt, bytesAt) : undefined,
    allStatus: packed[2] as number,
    bytes: packed.subarray(bytesAt),
  };
}

/** Values `from` up to and without `to`, as a column of their own. */
export function sliceColumn(column: Column, from: number, to: number): PackedColumn {
  return selectColumn(column, [{ start: from, count: to - from }]);
}

/** The values at these positions (not task indexes), as a column of their own. */
export function selectColumn(column: Column, positions: readonly { start: number; count: number }[]): PackedColumn {
  let count = 0;
  for (const run of positions) count += run.count;
  const lengths = new Uint32Array(count);
  const statuses = column.statuses === undefined ? undefined : new Uint8Array(count);
  const parts: Uint8Array[] = [];
  let total = 0;
  let at = 0;
  let position = 0;
  let offset = 0;
  for (const run of positions) {
    for (; position < run.start; position++) offset += column.lengths[position] as number;
    const from = offset;
    for (const end = run.start + run.count; position < end; position++) offset += column.lengths[position] as number;
    lengths.set(column.lengths.subarray(run.start, run.start + run.count), at);
    if (statuses !== undefined)
      statuses.set((column.statuses as Uint8Array).subarray(run.start, run.start + run.count), at);
    at += run.count;
    total += offset - from;
    parts.push(column.bytes.subarray(from, offset));
  }
  if (parts.length === 1) return packColumn(lengths, statuses ?? column.allStatus, parts[0] as Uint8Array);
  const bytes = new Uint8Array(total);
  let to = 0;
  for (const part of parts) {
    bytes.set(part, to);
    to += part.length;
  }
  return packColumn(lengths, statuses ?? column.allStatus, bytes);
}

/** All values of several columns, as one. */
export function joinColumns(parts: readonly PackedColumn[]): PackedColumn {
  if (parts.length === 1) return parts[0] as PackedColumn;
  const columns = parts.map(readColumn);
  const sum = (of: (column: Column) => number): number => columns.reduce((total, column) => total + of(column), 0);
  const lengths = new Uint32Array(sum(({ count }) => count));
  const statuses = new Uint8Array(lengths.length);
  const bytes = new Uint8Array(sum((column) => column.bytes.length));
  let at = 0;
  let to = 0;
  for (const column of columns) {
    lengths.set(column.lengths, at);
    if (column.statuses === undefined) statuses.fill(column.allStatus, at, at + column.count);
    else statuses.set(column.statuses, at);
    bytes.set(column.bytes, to);
    at += column.count;
    to += column.bytes.length;
  }
  return packColumn(lengths, statuses, bytes);
}

export function statusOf(column: Column, position: number): number {
  return column.statuses === undefined ? column.allStatus : (column.statuses[position] as number);
}

/** Positions of failed values, without reading anything where none can be. */
export function failedPositions(column: Column): number[] {
  if (column.statuses === undefined) {
    return isFailure(column.allStatus) ? Array.from({ length: column.count }, (_, i) => i) : [];
  }
  const failed: number[] = [];
  for (let i = 0; i < column.count; i++) if (isFailure(column.statuses[i] as number)) failed.push(i);
  return failed;
}

/** A count of values that all are empty is believed up to here. */
const MAX_EMPTY = 65_536;

function allSame(statuses: Uint8Array): boolean {
  const first = statuses[0];
  for (let i = 1; i < statuses.length; i++) if (statuses[i] !== first) return false;
  return true;
}
