import { InputError } from './input-error.ts';

/** Bytes as they come from a file or a pipe, and what people call it. */
export interface Source {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

const LINE_FEED = 10;
const BYTE_ORDER_MARK = '\ufeff';

/**
 * The lines of a text, many at a time, because a line alone is too small a thing to wait for. `first` is the number of the
 * first of them, from 1 up. A line ends with a line feed, with or without a carriage return before it; the last one may lack it.
 */
export async function* lineGroups(source: Source): AsyncGenerator<{ first: number; lines: string[] }> {
  let first = 1;
  let rest: Uint8Array[] = [];
  for await (const chunk of source.bytes) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      rest.push(chunk);
      continue;
    }
    const whole = rest.length === 0 ? chunk.subarray(0, end) : Buffer.concat([...rest, chunk.subarray(0, end)]);
    rest = end < chunk.length ? [chunk.subarray(end)] : [];
    const lines = split(source, whole.subarray(0, -1), first);
    yield { first, lines };
    first += lines.length;
  }
  if (rest.length > 0) yield { first, lines: split(source, Buffer.concat(rest), first) };
}

export async function* readLines(source: Source): AsyncGenerator<string> {
  for await (const { lines } of lineGroups(source)) yield* lines;
}

/** Texts that end with NUL, as `find -print0` writes them; the last one may lack it. */
export async function* readNulSeparated(source: Source): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  let number = 1;
  for await (const chunk of source.bytes) {
    let from = 0;
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, from)) {
      yield decode(source, Buffer.concat([...rest, chunk.subarray(from, end)]), number++);
      rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield decode(source, Buffer.concat(rest), number);
}

function split(source: Source, bytes: Uint8Array, first: number): string[] {
  const lines = decode(source, bytes, first).split('\n');
  if (first === 1 && lines[0]?.startsWith(BYTE_ORDER_MARK)) lines[0] = lines[0].slice(1);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line.endsWith('\r')) lines[i] = line.slice(0, -1);
  }
  return lines;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(source: Source, bytes: Uint8Array, first: number): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    // Only now is it worth looking for the line: a text that is broken is broken once.
    let line = first;
    for (let start = 0; start <= bytes.length; line++) {
      const found = bytes.indexOf(LINE_FEED, start);
      const end = found < 0 ? bytes.length : found;
      if (!isText(bytes.subarray(start, end))) break;
      start = end + 1;
    }
    throw new InputError(source.name, line, 'is not UTF-8 text; convert it first, for example with iconv', {
      cause: error,
    });
  }
}

function isText(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
