import { UsageError } from '../errors.ts';

/** Where the values of one argument come from. `isLinked`: they go with those of the source before it, one with one. */
export type ArgumentSource =
  | { readonly kind: 'values'; readonly values: readonly string[]; readonly isLinked: boolean }
  | { readonly kind: 'file'; readonly path: string; readonly isLinked: boolean };

export interface CommandLineParts {
  /** The words of the command itself. */
  readonly words: readonly string[];
  readonly sources: readonly ArgumentSource[];
}

/** Takes apart `COMMAND ::: VALUE… :::+ VALUE… :::: FILE…`. Files that options name come first. */
export function splitCommandLine(all: readonly string[], files: readonly string[] = []): CommandLineParts {
  const first = all.findIndex(isSeparator);
  const words = first < 0 ? all : all.slice(0, first);
  const sources: ArgumentSource[] = files.map((path) => ({ kind: 'file', path, isLinked: false }));
  for (let at = first; at >= 0 && at < all.length; ) {
    const separator = all[at] as string;
    const next = all.findIndex((word, i) => i > at && isSeparator(word));
    const values = all.slice(at + 1, next < 0 ? undefined : next);
    const isLinked = separator.endsWith('+');
    if (isLinked && sources.length === 0)
      throw new UsageError(`${separator} goes with the values before it, and there are none`);
    if (separator.startsWith('::::')) {
      if (values.length === 0) throw new UsageError(`${separator} needs the name of a file`);
      sources.push(...values.map((path, i): ArgumentSource => ({ kind: 'file', path, isLinked: isLinked && i === 0 })));
    } else sources.push({ kind: 'values', values, isLinked });
    at = next;
  }
  return { words, sources };
}

function isSeparator(word: string): boolean {
  return /^:::(:?)\+?$/.test(word);
}
