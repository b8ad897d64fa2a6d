import { parse } from 'csv-parse/browser/esm/sync';
import { ReadFault } from '../read-fault.ts';
import type { Options } from './csv-parse.d.ts';

/**
 * The lines of a table as objects of texts, named by the first line, as `manyhands run` reads it. Throws a
 * {@link ReadFault} with the line.
 */
export function readTable(text: string, delimiter: ',' | '\t'): Record<string, string>[] {
  try {
    const options: Options = {
      bom: true,
      delimiter,
      // Tab separated files quote nothing: a quote in one is a quote.
      quote: delimiter === ',' ? '"' : null,
      skip_empty_lines: true,
      columns: checked,
    };
    return parse(text, options) as Record<string, string>[];
  } catch (error) {
    throw explained(error);
  }
}

function checked(header: string[]): string[] {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new ReadFault(`the column "${twice}" is there twice`, 1);
  const unnamed = header.findIndex((name) => name.trim() === '');
  if (unnamed >= 0) throw new ReadFault(`column ${unnamed + 1} has no name`, 1);
  return header;
}

function explained(error: unknown): unknown {
  const { code, lines, record, columns, message } = error as Error & Record<string, unknown>;
  if (typeof code !== 'string' || !code.startsWith('CSV_')) return error;
  const line = typeof lines === 'number' ? lines : undefined;
  if (code === 'CSV_RECORD_INCONSISTENT_COLUMNS' && Array.isArray(record) && Array.isArray(columns)) {
    return new ReadFault(`there are ${record.length} fields, but the header has ${columns.length}`, line);
  }
  if (code === 'CSV_QUOTE_NOT_CLOSED') return new ReadFault('a quote that opens a field is never closed');
  return new ReadFault(message.replace(/ (on|at) line \d+$/, ''), line);
}
