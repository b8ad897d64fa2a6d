import { UsageError } from '../errors.ts';
import { openInputs } from '../inputs/inputs.ts';
import type { ArgumentSource } from './command-line.ts';

export interface ArgumentOptions {
  /** The values of files end with NUL instead of a line feed. */
  readonly isNullSeparated: boolean;
  readonly colsep: RegExp | undefined;
  /** The first value of each source names its column. */
  readonly hasHeader: boolean;
  readonly trim: Trim;
  /** Trailing spaces of a value say that it goes on with the next. */
  readonly joinsLines: boolean;
}

export const TRIMS = ['n', 'l', 'r', 'lr', 'rl'] as const;
export type Trim = (typeof TRIMS)[number];

/** Lists of values, each one value of every source or the columns of one, and the names of these. */
export interface ArgumentLists {
  readonly names: readonly string[] | undefined;
  readonly lists: AsyncIterable<readonly string[]>;
}

/** Reads the sources: one as it comes, several as a whole, since each value of one meets each of the others. */
export async function readArguments(
  sources: readonly ArgumentSource[],
  options: ArgumentOptions,
): Promise<ArgumentLists> {
  const opened = await Promise.all(sources.map((source) => valuesOf(source, options)));
  const names = options.hasHeader ? columnsOf(await Promise.all(opened.map(headOf)), options) : undefined;
  const [only] = opened;
  const tuples =
    opened.length === 1 && only !== undefined
      ? oneByOne(only)
      : combinations(sources, await Promise.all(opened.map(gathered)));
  return { names, lists: listsOf(tuples, options) };
}

export async function gathered<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function* asyncOf<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

async function headOf(values: AsyncGenerator<string>): Promise<string> {
  const first = await values.next();
  if (first.done === true)
    throw new UsageError('--header takes the first value of each source for a name: one is empty');
  return first.value;
}

/** Rows of a file of inputs: lines, or a table with named columns. */
export async function readInputFile(
  path: string,
  format: Parameters<typeof openInputs>[1],
  options: ArgumentOptions,
): Promise<ArgumentLists> {
  const rows = await openInputs(path, format, (parsed) => parsed);
  const iterator = rows[Symbol.asyncIterator]();
  const first = await iterator.next();
  const names = first.done === true || !isTable(first.value) ? undefined : Object.keys(first.value);
  async function* lists(): AsyncGenerator<readonly string[]> {
    let row = first;
    for (let line = 1; row.done !== true; line++) {
      yield rowOf(row.value, path, line);
      row = await iterator.next();
    }
  }
  return { names, lists: names === undefined ? listsOf(lists(), options) : lists() };
}

function rowOf(row: unknown, path: string, number: number): string[] {
  if (typeof row === 'string') return [row];
  if (Array.isArray(row) && row.every(isWord)) return row.map(String);
  if (isTable(row) && Object.values(row).every(isWord)) return Object.values(row).map(String);
  if (isWord(row)) return [String(row)];
  throw new UsageError(`${path}: input ${number} is no text and no list of texts, and commands take nothing else`);
}

function isWord(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isTable(row: unknown): row is Record<string, unknown> {
  return typeof row === 'object' && row !== null && !Array.isArray(row);
}

async function valuesOf(source: ArgumentSource, options: ArgumentOptions): Promise<AsyncGenerator<string>> {
  const values = await plainValuesOf(source, options);
  return options.joinsLines ? joined(values) : values;
}

async function plainValuesOf(
  source: ArgumentSource,
  { isNullSeparated }: ArgumentOptions,
): Promise<AsyncGenerator<string>> {
  if (source.kind === 'values') return asyncOf(source.values);
  const format = isNullSeparated ? 'nul' : 'lines';
  return (await openInputs(source.path, format, (text) => text)) as AsyncGenerator<string>;
}

async function* joined(values: AsyncIterable<string>): AsyncGenerator<string> {
  let line: string | undefined;
  for await (const value of values) {
    line = (line ?? '') + value;
    if (/[ \t]$/.test(line)) continue;
    yield line;
    line = undefined;
  }
  if (line !== undefined) yield line;
}

async function* oneByOne(values: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  for await (const value of values) yield [value];
}

/** Every value of one with every value of the others, the last changing fastest; linked ones go side by side. */
async function* combinations(
  sources: readonly ArgumentSource[],
  values: readonly string[][],
): AsyncGenerator<readonly string[]> {
  const rows: string[][][] = [];
  values.forEach((column, i) => {
    const before = rows.at(-1);
    if (sources[i]?.isLinked !== true || before === undefined) rows.push(column.map((value) => [value]));
    else rows[rows.length - 1] = before.slice(0, column.length).map((row, j) => [...row, column[j] as string]);
  });
  yield* product(rows, 0, []);
}

function* product(rows: readonly string[][][], at: number, before: readonly string[]): Generator<readonly string[]> {
  const here = rows[at];
  if (here === undefined) return yield before;
  for (const row of here) yield* product(rows, at + 1, [...before, ...row]);
}

/** Cuts values into columns and trims them. */
function columnsOf(tuple: readonly string[], { colsep, trim }: ArgumentOptions): string[] {
  const cut = colsep === undefined ? [...tuple] : tuple.flatMap((value) => value.split(colsep));
  return trim === 'n' ? cut : cut.map((value) => trimmed(value, trim));
}

async function* listsOf(
  tuples: AsyncIterable<readonly string[]>,
  options: ArgumentOptions,
): AsyncGenerator<readonly string[]> {
  for await (const tuple of tuples) yield columnsOf(tuple, options);
}

function trimmed(value: string, trim: Trim): string {
  let text = value;
  if (trim.includes('l')) text = text.trimStart();
  if (trim.includes('r')) text = text.trimEnd();
  return text;
}
