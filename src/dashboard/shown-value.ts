import { PAGE_VALUE_CHARACTERS } from '../model/page-limits.ts';

/** What a page shows of a value. */
export interface ShownValue {
  readonly text: string;
  /** There is more of it than is shown. */
  readonly isCut: boolean;
}

/** A value in its JSON form (VALUES.md) as text for people: plain JSON as it is, everything else as JavaScript would say it. */
export function shownWhole(json: unknown, limit = PAGE_VALUE_CHARACTERS): ShownValue {
  const tag = tagOf(json);
  const text = tag === undefined ? JSON.stringify(json, null, 2) : new TaggedText(tag.list, limit).of(tag.position);
  return text.length <= limit ? { text, isCut: false } : { text: text.slice(0, limit), isCut: true };
}

/** The same on one line, for a table's cell. */
export function shownOnOneLine(json: unknown, limit: number): string {
  const tag = tagOf(json);
  const text = tag === undefined ? JSON.stringify(json, null, 1) : new TaggedText(tag.list, limit).of(tag.position);
  // Line breaks only stand between things: those inside of texts are written as two characters.
  const line = text.slice(0, 4 * limit).replace(/\n\s*/g, ' ');
  return line.length <= limit ? line : `${line.slice(0, limit - 1)}…`;
}

const CONSTANTS: Readonly<Record<number, string>> = {
  [-1]: 'undefined',
  [-2]: '(hole)',
  [-3]: 'NaN',
  [-4]: 'Infinity',
  [-5]: '-Infinity',
  [-6]: '-0',
};

function tagOf(json: unknown): { list: readonly unknown[]; position: number } | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const keys = Object.keys(json);
  if (keys.length !== 1 || keys[0] !== '$mh') return undefined;
  const inside = (json as { $mh: unknown }).$mh;
  if (Array.isArray(inside)) return { list: inside, position: 0 };
  return typeof inside === 'number' ? { list: [], position: inside } : undefined;
}

/** Follows the positions of a tagged value. What is shared is written again each time, so the length is watched. */
class TaggedText {
  readonly #list: readonly unknown[];
  readonly #limit: number;
  readonly #above = new Set<number>();
  #length = 0;

  constructor(list: readonly unknown[], limit: number) {
    this.#list = list;
    this.#limit = limit;
  }

  of(position: unknown, indent = ''): string {
    if (typeof position !== 'number') return '?';
    const constant = CONSTANTS[position];
    if (constant !== undefined) return constant;
    if (this.#above.has(position)) return '(circular)';
    if (this.#length > this.#limit) return '…';
    this.#above.add(position);
    const text = this.#item(this.#list[position], indent);
    this.#above.delete(position);
    this.#length += text.length;
    return text;
  }

  #item(item: unknown, indent: string): string {
    if (Array.isArray(item)) return this.#array(item, indent);
    if (typeof item !== 'object' || item === null) return JSON.stringify(item) ?? '?';
    const fields = Object.entries(item).map(([key, position]) => [JSON.stringify(key), position] as const);
    return this.#block('{', this.#pairs(fields, ': ', indent), '}', indent);
  }

  #array(item: readonly unknown[], indent: string): string {
    const [kind, ...rest] = item;
    if (typeof kind !== 'string') {
      const positions = kind === -7 ? rest.slice(1).filter((_, i) => i % 2 === 1) : item;
      return this.#block('[', this.#each(positions, indent), ']', indent);
    }
    switch (kind) {
      case 'Date':
        return rest[0] === '' ? 'Date(invalid)' : `Date(${String(rest[0])})`;
      case 'BigInt':
        return `${String(rest[0])}n`;
      case 'Map':
        return this.#block('Map {', this.#entries(rest, indent), '}', indent);
      case 'Set':
        return this.#block('Set {', this.#each(rest, indent), '}', indent);
      case 'null':
        return this.#block(
          '{',
          this.#pairs(
            chunks(rest).map(([key, position]) => [JSON.stringify(key) ?? '?', position] as const),
            ': ',
            indent,
          ),
          '}',
          indent,
        );
      case 'Error':
        return this.#error(rest[0]);
      case 'ArrayBuffer':
        return `${bytesIn(rest[0])} bytes`;
      default:
        return `${kind} of ${this.of(rest[0], indent)}`;
    }
  }

  #error(position: unknown): string {
    const fields = this.#list[Number(position)] as Record<string, number> | undefined;
    const [name, message, stack] = ['name', 'message', 'stack'].map((field) => this.#list[fields?.[field] ?? -1]);
    return typeof stack === 'string' ? stack : `${String(name)}: ${String(message)}`;
  }

  #each(positions: readonly unknown[], indent: string): string[] {
    return positions.map((position) => this.of(position, `${indent}  `));
  }

  #entries(positions: readonly unknown[], indent: string): string[] {
    const named = chunks(positions).map(([key, value]) => [this.of(key, `${indent}  `), value] as const);
    return this.#pairs(named, ' → ', indent);
  }

  #pairs(pairs: readonly (readonly [string, unknown])[], between: string, indent: string): string[] {
    return pairs.map(([key, position]) => `${key}${between}${this.of(position, `${indent}  `)}`);
  }

  #block(open: string, parts: readonly string[], close: string, indent: string): string {
    if (parts.length === 0) return `${open}${close}`;
    return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;
  }
}

function chunks(list: readonly unknown[]): [unknown, unknown][] {
  return Array.from({ length: Math.floor(list.length / 2) }, (_, i) => [list[2 * i], list[2 * i + 1]]);
}

function bytesIn(base64: unknown): number {
  const text = String(base64);
  return Math.floor((text.replace(/=+$/, '').length * 3) / 4);
}
