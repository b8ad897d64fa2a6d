import { UsageError } from '../errors.ts';

/** How the values of several lists become the arguments of one command. */
export interface Packing {
  /** Lists for one command, at most; 0: one list for each command, of which it gets nothing. */
  readonly most?: number | undefined;
  /** Commands are as long as may be: what one list makes its command longer by, and how much may be added to the bare one. */
  readonly fill?: { readonly bytesOf: (list: readonly string[]) => number; readonly room: number } | undefined;
  /** What is left for the last commands is spread evenly over so many slots. */
  readonly slots?: (() => Promise<number>) | undefined;
}

/** Puts lists together; without `packing` each stays by itself. */
export async function* packed(
  lists: AsyncIterable<readonly string[]>,
  packing: Packing | undefined,
): AsyncGenerator<readonly string[]> {
  if (packing === undefined) return yield* lists;
  const { most = Number.POSITIVE_INFINITY, fill, slots } = packing;
  let together: (readonly string[])[] = [];
  let bytes = 0;
  for await (const list of lists) {
    if (most === 0) {
      yield [];
      continue;
    }
    const more = fill?.bytesOf(list) ?? 0;
    if (fill !== undefined && more > fill.room) throw tooLong(list);
    if (together.length >= most || (fill !== undefined && bytes + more > fill.room)) {
      yield together.flat();
      together = [];
      bytes = 0;
    }
    together.push(list);
    bytes += more;
  }
  if (together.length === 0) return;
  const each = slots === undefined ? together.length : Math.ceil(together.length / (await slots()));
  for (let at = 0; at < together.length; at += each) yield together.slice(at, at + each).flat();
}

function tooLong(list: readonly string[]): UsageError {
  const text = list.join(' ');
  const shown = text.length > 50 ? `${text.slice(0, 50)}…` : text;
  return new UsageError(`a command line with one argument alone is too long: ${JSON.stringify(shown)}`);
}
