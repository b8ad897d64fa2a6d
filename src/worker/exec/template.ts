import { baseOf, type Change, changeOf, withoutExtensions } from './plus.ts';

/**
 * Replacement strings, as people know them from GNU Parallel: `{}`, `{.}`, `{/}`, `{//}`, `{/.}`, `{#}`, `{%}`, the same
 * with the number or the name of an argument in front, such as `{2.}` or `{name/}`, and on request those of `--plus`.
 */
export interface Template {
  readonly parts: readonly Part[];
  /** Whether anything in it is replaced. */
  readonly replaces: boolean;
  /** A word with `{}` in it stands there once for each argument; else all arguments stand in its place. */
  readonly repeats: boolean;
}

type Part = string | Replacement;

interface Replacement {
  /** As it was written. */
  readonly text: string;
  /** Undefined: all arguments, with a space between them. From 1 up; negative ones count from the last. */
  readonly position: number | undefined;
  readonly what: Change | 'sequence' | 'slot';
  /** Digits of a number, at least. */
  readonly width?: number;
}

const BASE_FORMS: Readonly<Record<string, Change>> = {
  '': (value) => value,
  '.': withoutExtension,
  '/': baseOf,
  '//': directoryOf,
  '/.': (value) => withoutExtension(baseOf(value)),
};

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
  /** Each word with `{}` in it stands there once for each argument. */
  readonly repeats?: boolean | undefined;
  /** The replacement strings of `--plus` are known. */
  readonly plus?: boolean | undefined;
  /** Commands of the job, for `{##}`; undefined: not known yet. */
  readonly total?: number | undefined;
}

export function parseTemplate(text: string, options: TemplateOptions = {}): Template {
  const { mark = '{}', names = [], plus = false, repeats = false } = options;
  const named = names.filter((name) => name !== '').sort((a, b) => b.length - a.length);
  const number = '-?[1-9]\\d*';
  const which = [number, ...named.map((name) => RegExp.escape(name))].join('|');
  const base = `${RegExp.escape(mark)}|\\{(?:(?<counter>[#%])|(?<which>${which})?(?<form>\\.|//|/\\.|/|(?<=[^{])))\\}`;
  const marks = new RegExp(plus ? `${base}|\\{(?<place>${number})?(?<more>[^{}]+)\\}` : base, 'g');
  const parts: Part[] = [];
  let from = 0;
  for (let found = marks.exec(text); found !== null; found = marks.exec(text)) {
    const part = partOf(found[0], found.groups ?? {}, names, options.total);
    // Braces of somebody else, in which one of ours may stand.
    if (part === undefined) marks.lastIndex = found.index + 1;
    else {
      if (found.index > from) parts.push(text.slice(from, found.index));
      from = marks.lastIndex;
      parts.push(part);
    }
  }
  if (from < text.length) parts.push(text.slice(from));
  return { parts, replaces: parts.some((part) => typeof part !== 'string'), repeats };
}

function partOf(
  text: string,
  { counter, which, form = '', place, more }: Record<string, string | undefined>,
  names: readonly string[],
  total: number | undefined,
): Part | undefined {
  if (counter !== undefined) return { text, position: undefined, what: counter === '#' ? 'sequence' : 'slot' };
  if (more === undefined) return { text, position: positionOf(which, names), what: BASE_FORMS[form] as Change };
  if (place === undefined && (more === '##' || more === '0#')) {
    // Until then it only matters that something is replaced.
    if (total === undefined) return { text, position: undefined, what: 'sequence' };
    const digits = String(total);
    return more === '##' ? digits : { text, position: undefined, what: 'sequence', width: digits.length };
  }
  const what = changeOf(more);
  return what && { text, position: positionOf(place, names), what };
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
export function fillTemplate(template: Template, given: Arguments, quote: (text: string) => string): string {
  if (!template.repeats || given.values.length < 2) return filled(template.parts, given, quote);
  let text = '';
  for (const group of groupsOf(template.parts)) text += eachFilled(group, given, quote).join(' ');
  return text;
}

/** A text for each argument, where all of them are meant; else one. */
export function fillForEach({ parts }: Template, given: Arguments, quote: (text: string) => string): string[] {
  return eachFilled(parts, given, quote);
}

function eachFilled(parts: readonly Part[], given: Arguments, quote: (text: string) => string): string[] {
  const isForAll = parts.some((part) => typeof part !== 'string' && isOfAll(part));
  if (!isForAll || given.values.length < 2) return [filled(parts, given, quote)];
  return given.values.map((value) => filled(parts, given, quote, [value]));
}

/** What lies between two spaces; a tab begins a group and belongs to it. */
function groupsOf(parts: readonly Part[]): Part[][] {
  const groups: Part[][] = [[]];
  for (const part of parts) {
    if (typeof part !== 'string') groups.at(-1)?.push(part);
    else {
      for (const piece of part.split(/( )|(?=\t)/).filter((each) => each !== undefined && each !== '')) {
        if (piece === ' ') groups.push([' '], []);
        else if (piece.startsWith('\t')) groups.push([piece]);
        else groups.at(-1)?.push(piece);
      }
    }
  }
  return groups;
}

/** `all`: the arguments that are meant where none is named. */
function filled(
  parts: readonly Part[],
  given: Arguments,
  quote: (text: string) => string,
  all: readonly string[] = given.values,
): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : replacementOf(part, given, quote, all);
  return text;
}

function replacementOf(
  { position, what, width = 0 }: Replacement,
  given: Arguments,
  quote: (text: string) => string,
  all: readonly string[],
): string {
  if (what === 'sequence') return String(given.sequence).padStart(width, '0');
  if (what === 'slot') return String(given.slot);
  if (position === undefined) return all.map((value) => quote(what(value))).join(' ');
  const value = given.values.at(position > 0 ? position - 1 : position);
  // One that a short last line lacks is nothing at all, not an empty word.
  return value === undefined ? '' : quote(what(value));
}

function isOfAll({ position, what }: Replacement): boolean {
  return position === undefined && typeof what !== 'string';
}

function withoutExtension(value: string): string {
  return withoutExtensions(value, 1);
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
