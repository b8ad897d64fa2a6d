import { Problem } from '../problem.ts';

/** Bytes `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** One range, as RFC 9110 writes it. Several ranges, or another unit: the whole is sent, which is allowed. */
export function rangeOf(header: string | undefined, size: number, what: string): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [, from = '', to = ''] = match;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1);
  if (start < end) return { start, end };
  throw new Problem('range', `${what} has ${size} bytes`, { headers: { 'content-range': `bytes */${size}` } });
}

/** What an answer with that range says of it. */
export function rangeHeaders(range: ByteRange | undefined, size: number): Record<string, string | number> {
  return {
    'accept-ranges': 'bytes',
    'content-length': range === undefined ? size : range.end - range.start,
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end - 1}/${size}` }),
  };
}
