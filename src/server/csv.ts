import { valueText } from '../protocol/values/value.ts';

/** Lines of a CSV file end so (RFC 4180). */
export const CSV_BREAK = '\r\n';

/** What a spreadsheet takes for the beginning of a formula, and the wide forms that some take for the same. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i;
/** What tears a field apart, here or in a spreadsheet that separates by other signs. */
const UNSAFE = /[",;\t\r\n']|^\s|\s$/;

/**
 * A text as a field. One that a spreadsheet would run gets an apostrophe before it, which is how people tell a spreadsheet
 * to leave a text alone; so do texts that begin with one, and thus nothing is lost. A number written as text is no formula.
 */
export function csvText(text: string): string {
  if (text === '') return '""';
  const isRun = (FORMULA.test(text) && !NUMBER.test(text)) || text.startsWith("'");
  return csvQuoted(isRun ? `'${text}` : text);
}

/** A field that says what it should, with quotes where they are needed. */
function csvQuoted(text: string): string {
  return UNSAFE.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A value as a field: nothing for undefined, texts and numbers as themselves, all else in its JSON form. */
export function csvField(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return csvText(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString();
  if (value instanceof Uint8Array) return csvText(Buffer.from(value).toString('base64'));
  return csvQuoted(valueText(value));
}

/** The fields of a value, where it has any: an object as people write it, not a list, a date or a map. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? (value as Record<string, unknown>) : undefined;
}
