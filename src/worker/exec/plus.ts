/** The replacement strings that GNU Parallel has with `--plus`: more parts of a path, and what bash does to a variable. */

/** What is put in for an argument. */
export type Change = (value: string) => string;

/** What stands in the braces after the number of the argument; the first that fits is meant. */
const FORMS: readonly (readonly [pattern: RegExp, change: (...found: string[]) => Change])[] = [
  [/^\+\/$/, () => (value) => value.slice(0, Math.max(0, value.lastIndexOf('/')))],
  [/^\+(\.{1,3})$/, (dots) => (value) => lastExtensions(value, (dots as string).length)],
  [/^(\.{2,3})$/, (dots) => (value) => withoutExtensions(value, (dots as string).length)],
  [/^\/(\.{2,3})$/, (dots) => (value) => withoutExtensions(baseOf(value), (dots as string).length)],
  [/^:-(.+)$/s, (other) => (value) => (value === '' || value === '0' ? (other as string) : value)],
  [/^:(\d+):(\d+)$/, (from, count) => (value) => value.slice(Number(from), Number(from) + Number(count))],
  [/^:(\d+)$/, (from) => (value) => value.slice(Number(from))],
  [/^##([^#].*)$/s, (pattern) => replacing(`^(?:${pattern})`, '')],
  [/^#([^#].*)$/s, (pattern) => withoutShortestStart(pattern as string)],
  [/^%%(.+)$/s, (pattern) => replacing(`(?:${pattern})$`, '')],
  [/^%(.+)$/s, (pattern) => replacing(`^(.*)(?:${pattern})$`, '$1', 's')],
  [/^\/#([^/]+)\/(.*)$/s, (pattern, other) => replacing(`^(?:${pattern})`, other as string)],
  [/^\/%([^/]+)\/(.*)$/s, (pattern, other) => replacing(`(?:${pattern})$`, other as string)],
  [/^\/\/([^/]+)\/(.*)$/s, (pattern, other) => replacing(pattern as string, other as string, 'g')],
  [/^\/([^#%/]+)\/(.*)$/s, (pattern, other) => replacing(pattern as string, other as string)],
  [/^\^\^(.+)$/s, (pattern) => replacing(pattern as string, (found) => found.toUpperCase(), 'g')],
  [/^\^(.+)$/s, (pattern) => replacing(`^(?:${pattern})`, (found) => found.toUpperCase())],
  [/^,,(.+)$/s, (pattern) => replacing(pattern as string, (found) => found.toLowerCase(), 'g')],
  [/^,(.+)$/s, (pattern) => replacing(`^(?:${pattern})`, (found) => found.toLowerCase())],
];

/** Undefined: these braces are none of ours. Throws one sentence where a pattern in them can't be read. */
export function changeOf(text: string): Change | undefined {
  for (const [pattern, change] of FORMS) {
    const found = pattern.exec(text);
    if (found !== null) return change(...found.slice(1));
  }
  return undefined;
}

/** The last part of a path. */
export function baseOf(value: string): string {
  return value.slice(value.lastIndexOf('/') + 1);
}

export function withoutExtensions(value: string, count: number): string {
  return value.replace(new RegExp(`(?:\\.[^/.]*){${count}}$`), '');
}

function lastExtensions(value: string, count: number): string {
  return new RegExp(`\\.([^/.]*(?:\\.[^/.]*){${count - 1}})$`).exec(value)?.[1] ?? '';
}

function replacing(pattern: string, by: string | ((found: string) => string), flags = ''): Change {
  let compiled: RegExp;
  try {
    compiled = new RegExp(pattern, flags);
  } catch (error) {
    throw new TypeError(`a replacement string has a pattern that can't be read: ${(error as Error).message}`);
  }
  return (value) => (typeof by === 'string' ? value.replace(compiled, by) : value.replace(compiled, by));
}

function withoutShortestStart(pattern: string): Change {
  // Each repetition as short as may be: a mark behind it says so, where none does yet.
  const short = pattern.replace(/(\\.|\[(?:\\.|[^\]])*\]|[^*+?{}])([*+?]|\{\d+(?:,\d*)?\})(?!\?)/gs, '$1$2?');
  return replacing(`^(?:${short})`, '');
}
