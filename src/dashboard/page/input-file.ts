import { PAGE_FILE_BYTES } from '../../model/result-limits.ts';
import { bytes } from '../figures.ts';
import { formOf, type InputForm, type InputLines, jsonInputs, ndjsonInputs, textInputs } from '../inputs.ts';
import { ReadFault } from '../read-fault.ts';
import { loadReaders } from './readers.ts';

/** A file that somebody picked, and what is in it. */
export interface InputFile {
  readonly name: string;
  readonly form: InputForm;
  readonly lines: InputLines;
}

/** Reads a file of inputs. Throws a {@link ReadFault} that says what is wrong with it, and in which line. */
export async function readInputFile(file: File): Promise<InputFile> {
  if (file.size > PAGE_FILE_BYTES) {
    const most = bytes(PAGE_FILE_BYTES);
    throw new ReadFault(`it has ${bytes(file.size)}, and a page takes up to ${most}: use manyhands run --inputs`);
  }
  const form = formOf(file.name);
  const lines = await linesOf(form, decode(new Uint8Array(await file.arrayBuffer())));
  if (lines.length === 0) throw new ReadFault('there are no inputs in it');
  return { name: file.name, form, lines };
}

async function linesOf(form: InputForm, text: string): Promise<InputLines> {
  switch (form) {
    case 'json':
      return jsonInputs(text);
    case 'ndjson':
      return ndjsonInputs(text);
    case 'lines':
      return textInputs(text);
    case 'csv':
    case 'tsv': {
      const { readTable } = await loadReaders();
      return readTable(text, form === 'csv' ? ',' : '\t').map((row) => JSON.stringify(row));
    }
  }
}

/** Takes the byte order mark away. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ReadFault('it is not UTF-8 text: save it as UTF-8');
  }
}
