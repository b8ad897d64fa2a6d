import { Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import { InputError } from './input-error.ts';
import type { Source } from './lines.ts';

/** Objects of strings, named by the header line. Lines without anything on them are left out. */
export async function* readCsv(source: Source, delimiter: ',' | '\t'): AsyncGenerator<Record<string, string>> {
  const parser = parse({
    bom: true,
    delimiter,
    // Tab separated files quote nothing: a quote in one is a quote.
    quote: delimiter === ',' ? '"' : null,
    skip_empty_lines: true,
    columns: (header: string[]) => checked(source, header),
  });
  const bytes = Readable.from(source.bytes);
  // An error of the source would otherwise never reach the reader of the parser.
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  try {
    for await (const record of parser) yield record as Record<string, string>;
  } catch (error) {
    throw explain(source, error);
  } finally {
    bytes.destroy();
  }
}

function checked(source: Source, header: string[]): string[] {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new InputError(source.name, 1, `names the column "${twice}" twice`);
  const unnamed = header.findIndex((name) => name.trim() === '');
  if (unnamed >= 0) throw new InputError(source.name, 1, `has no name for column ${unnamed + 1}`);
  return header;
}

function explain(source: Source, error: unknown): unknown {
  const { code, lines, record, columns } = error as CsvError & Record<string, unknown>;
  if (typeof code !== 'string' || !code.startsWith('CSV_')) return error;
  const line = typeof lines === 'number' ? lines : undefined;
  if (code === 'CSV_RECORD_INCONSISTENT_COLUMNS' && Array.isArray(record) && Array.isArray(columns)) {
    return new InputError(source.name, line, `has ${record.length} fields, but the header has ${columns.length}`, {
      cause: error,
    });
  }
  if (code === 'CSV_QUOTE_NOT_CLOSED') {
    return new InputError(source.name, undefined, 'a quote that opens a field is never closed', { cause: error });
  }
  return new InputError(source.name, line, (error as Error).message, { cause: error });
}
