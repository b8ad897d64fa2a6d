import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { readCsv } from './csv.ts';
import { readJsonLines } from './jsonl.ts';
import { readLines, type Source } from './lines.ts';

export const FORMATS = ['lines', 'jsonl', 'csv', 'tsv'] as const;
export type Format = (typeof FORMATS)[number];

const BY_EXTENSION: Readonly<Record<string, Format>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'tsv',
};

/** An argument that is JSON means that value; any other text means itself. */
export function parseInput(argument: string, revive: (parsed: unknown) => unknown): unknown {
  try {
    return revive(JSON.parse(argument));
  } catch {
    return argument;
  }
}

/** Opens a file, or standard input for `-`, at once: a wrong name must be told before a job is made for it. */
export async function openInputs(
  file: string,
  format: Format | undefined,
  revive: (parsed: unknown) => unknown,
): Promise<AsyncIterable<unknown>> {
  const source = file === '-' ? { name: 'standard input', bytes: process.stdin } : await openFile(file);
  return readInputs(source, format ?? BY_EXTENSION[extname(file).toLowerCase()] ?? 'lines', revive);
}

export function readInputs(
  source: Source,
  format: Format,
  revive: (parsed: unknown) => unknown,
): AsyncGenerator<unknown> {
  switch (format) {
    case 'lines':
      return readLines(source);
    case 'jsonl':
      return readJsonLines(source, revive);
    case 'csv':
      return readCsv(source, ',');
    case 'tsv':
      return readCsv(source, '\t');
  }
}

async function openFile(file: string): Promise<Source> {
  try {
    if ((await stat(file)).isDirectory()) throw new UsageError(`the input ${file} is a directory; name a file in it`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`there is no input file ${file}`, { cause: error });
  }
  const stream = createReadStream(file, { highWaterMark: 256 * 1024 });
  await new Promise<void>((resolve, reject) => stream.once('open', () => resolve()).once('error', reject));
  return { name: file, bytes: stream };
}
