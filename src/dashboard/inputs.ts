import { breakOf } from '../client/json-form.ts';
import { ReadFault } from './read-fault.ts';

/** One input a task, each as a line of JSON. */
export type InputLines = readonly string[];

export const INPUT_FORMS = {
  csv: 'a table: each line below the first is an input',
  tsv: 'a table: each line below the first is an input',
  ndjson: 'each line is an input, in JSON',
  json: 'each item of its list is an input',
  lines: 'each line is an input, as text',
} as const;
export type InputForm = keyof typeof INPUT_FORMS;

const FORM_OF: Readonly<Record<string, InputForm>> = {
  csv: 'csv',
  tsv: 'tsv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  json: 'json',
};

/** By how the name of a file ends, as for `manyhands run`. */
export function formOf(name: string): InputForm {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return (Object.hasOwn(FORM_OF, ending) ? FORM_OF[ending] : undefined) ?? 'lines';
}

/** A line that is JSON means that value, any other line itself. */
export function typedInputs(text: string): InputLines {
  return linesIn(text)
    .filter((line) => line.trim() !== '')
    .map((line) => {
      try {
        JSON.parse(line);
        return line.trim();
      } catch {
        return JSON.stringify(line);
      }
    });
}

export function textInputs(text: string): InputLines {
  return linesIn(text).map((line) => JSON.stringify(line));
}

/** Strict: a line that is no JSON, an empty one too, is a fault. */
export function ndjsonInputs(text: string): InputLines {
  return linesIn(text).map((line, i) => {
    if (line.trim() === '') throw new ReadFault('it is empty, and each line must be one JSON value', i + 1);
    parsed(line, i + 1);
    return line;
  });
}

/** The items of a list, or all of it as the one input. */
export function jsonInputs(text: string): InputLines {
  const value = parsed(text, 1);
  return Array.isArray(value) ? value.map((item) => JSON.stringify(item)) : [JSON.stringify(value)];
}

/** The value of a text that begins in this line. */
function parsed(text: string, first: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const found = breakOf(text);
    if (found === undefined) throw new ReadFault(`this is not JSON: ${(error as Error).message}`, first);
    throw new ReadFault(`this is not JSON: ${found.problem}`, first + found.line - 1, found.column);
  }
}

/** The last line break ends the last line. */
function linesIn(text: string): string[] {
  if (text === '') return [];
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

export interface RangeInputs {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** From one number to another, both included, as `seq` counts. */
export function rangeInputs(from: string, to: string, step: string): RangeInputs {
  const [first, last, stride] = [
    [from, 'from'],
    [to, 'to'],
    [step, 'in steps of'],
  ].map(([text = '', name]) => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(number)) throw new ReadFault(`"${name}" must be a whole number`);
    return number;
  }) as [number, number, number];
  if (stride === 0) throw new ReadFault('in steps of 0 it would never get there');
  const count = Math.floor((last - first) / stride) + 1;
  if (count < 1) throw new ReadFault(`from ${first} to ${last} in steps of ${stride} there is nothing`);
  return { start: first, step: stride, count };
}
