/**
 * Replacement strings, as people know them from GNU Parallel: `{}`, `{.}`, `{/}`, `{//}`, `{/.}`, `{#}`, `{%}`, and the same
 * with the number or the name of an argument in front, such as `{2.}` or `{name/}`.
 */
export interface Template {
  readonly parts: readonly Part[];
  /** Whether anything in it is replaced. */
  readonly replaces: boolean;
}

type Part = string | Replacement;

interface Replacement {
  /** As it was written. */
  readonly text: string;
  /** Undefined: all arguments, with a space between them. From 1 up; negative ones count from the last. */
  readonly position: number | undefined;
  readonly form: Form | '#' | '%';
}

type Form = '' | '.' | '/' | '//' | '/.';

/** What a task puts in their place. */
export interface Arguments {
  readonly values: readonly string[];
  /** The number of the task, from 1 up. */
  readonly sequence: number;
  /** The number of the slot that it runs on, from 1 up. */
  readonly slot: number;
}

export interface TemplateOptions {
  /** What stands for all arguments instead of `{}`. */
  readonly mark?: string | undefined;
  /** Names of the arguments, in their order. */
  readonly names?: readonly string[] | undefined;
}

export function parseTemplate(text: string, { mark = '{}', names = [] }: TemplateOptions = {}): Template {
  const named = names.filter((name) => name !== '').sort((a, b) => b.length - a.length);
  const which = ['-?[1-9]\\d*', ...named.map((name) => RegExp.escape(name))].join('|');
  const marks = new RegExp(`${RegExp.escape(mark)}|\\{(?:([#%])|(${which})?(\\.|//|/\\.|/|(?<=[^{])))\\}`, 'g');
  const parts: Part[] = [];
  let from = 0;
  for (const found of text.matchAll(marks)) {
    const [whole, counter, argument, form = ''] = found;
    if (found.index > from) parts.push(text.slice(from, found.index));
    from = found.index + whole.length;
    if (counter !== undefined) parts.push({ text: whole, position: undefined, form: counter as '#' | '%' });
    else parts.push({ text: whole, position: positionOf(argument, names), form: form as Form });
  }
  if (from < text.length) parts.push(text.slice(from));
  return { parts, replaces: parts.some((part) => typeof part !== 'string') };
}

function positionOf(argument: string | undefined, names: readonly string[]): number | undefined {
  if (argument === undefined) return undefined;
  const at = names.indexOf(argument);
  return at >= 0 ? at + 1 : Number(argument);
}

/** A word that is to reach its program as it was written, but for what is replaced in it. */
export function quoteWord(word: string, options: TemplateOptions = {}): string {
  const { parts } = parseTemplate(word, options);
  if (parts.length === 0) return "''";
  return parts.map((part) => (typeof part === 'string' ? quoteForShell(part) : part.text)).join('');
}

/** `quote`: what is done to each argument before it is put in; a command line is read by a shell, a file name is not. */
export function fillTemplate({ parts }: Template, given: Arguments, quote: (text: string) => string): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : replacementOf(part, given, quote);
  return text;
}

function replacementOf({ position, form }: Replacement, given: Arguments, quote: (text: string) => string): string {
  if (form === '#') return String(given.sequence);
  if (form === '%') return String(given.slot);
  if (position === undefined) return given.values.map((value) => quote(formed(value, form))).join(' ');
  const value = given.values.at(position > 0 ? position - 1 : position);
  // One that a short last line lacks is nothing at all, not an empty word.
  return value === undefined ? '' : quote(formed(value, form));
}

function formed(value: string, form: Form): string {
  if (form === '') return value;
  if (form === '//') return directoryOf(value);
  const base = form === '.' ? value : value.slice(value.lastIndexOf('/') + 1);
  return form === '/' ? base : base.replace(/\.[^/.]+$/, '');
}

function directoryOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed === '') return path === '' ? '.' : '/';
  const cut = trimmed.lastIndexOf('/');
  if (cut < 0) return '.';
  return trimmed.slice(0, cut).replace(/\/+$/, '') || '/';
}

/** A text as one word of a POSIX shell. */
export function quoteForShell(text: string): string {
  if (/^[\w.+/-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** For words that are meant as they are: file names, and commands that came as arguments. */
export function asIs(text: string): string {
  return text;
}
