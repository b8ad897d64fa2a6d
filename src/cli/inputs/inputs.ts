import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import type { Format } from './formats.ts';
import { readJsonLines } from './jsonl.ts';
import { readLines, readNulSeparated, type Source } from './lines.ts';

const BY_EXTENSION: Readonly<Record<string, Format>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'tsv',
};

/** Puts back the values that JSON has no words for, as they are written in every listing and file. */
export type Revive = (parsed: unknown) => unknown;

/** An argument that is JSON means that value; any other text means itself. */
export function parseInput(argument: string, revive: Revive): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(argument);
  } catch {
    return argument;
  }
  try {
    return revive(parsed);
  } catch (error) {
    throw new UsageError(`the input ${argument}: ${(error as Error).message}`, { cause: error });
  }
}

/** Opens a file, or standard input for `-`, at once: a wrong name must be told before a job is made for it. */
export async function openInputs(
  file: string,
  format: Format | 'nul' | undefined,
  revive: Revive,
): Promise<AsyncIterable<unknown>> {
  const extension = extname(file).toLowerCase();
  if (format === undefined && extension === '.json') {
    throw new UsageError(
      `the input ${file}: a .json file is one value, not one for each task; put each on a line of its own (jq -c '.[]' FILE > FILE.jsonl), or say --format jsonl or lines if they are`,
    );
  }
  const known = format ?? BY_EXTENSION[extension] ?? 'lines';
  if (file === '-') return readInputs({ name: 'standard input', bytes: process.stdin }, known, revive);
  const source = await openFile(file);
  const inputs = await readInputs(source, known, revive);
  return source.isWhole ? begun(inputs) : inputs;
}

/** With the first input read: what is wrong from the beginning is told before there is a job. A pipe may let us wait. */
async function begun(inputs: AsyncGenerator<unknown>): Promise<AsyncGenerator<unknown>> {
  const first = await inputs.next();
  return (async function* () {
    if (first.done === true) return;
    yield first.value;
    yield* inputs;
  })();
}

export async function readInputs(
  source: Source,
  format: Format | 'nul',
  revive: Revive,
): Promise<AsyncGenerator<unknown>> {
  if (format === 'lines') return readLines(source);
  if (format === 'nul') return readNulSeparated(source);
  if (format === 'jsonl') return readJsonLines(source, revive);
  // Its parser takes a while to load, and few files are of its kind.
  const { readCsv } = await import('./csv.ts');
  return readCsv(source, format === 'csv' ? ',' : '\t');
}

async function openFile(file: string): Promise<Source & { readonly isWhole: boolean }> {
  let isWhole: boolean;
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new UsageError(`the input ${file} is a directory; name a file in it`);
    isWhole = found.isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`there is no input file ${file}`, { cause: error });
  }
  const stream = createReadStream(file, { highWaterMark: 256 * 1024 });
  await new Promise<void>((resolve, reject) => stream.once('open', () => resolve()).once('error', reject));
  return { name: file, bytes: stream, isWhole };
}
