import { VALUE_DEPTH } from '../../model/limits.ts';
import { mimicsTag } from './plain.ts';
import { ValueError } from './value-error.ts';

/** What a close look at a value found; a value that can't be sent at all is thrown out as a {@link ValueError}. */
export type Verdict = 'plain' | 'tagged';

const typedArrays = new Set([
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
]);

/** What to send instead of the things that people most often try to send. */
const advice: Record<string, string> = {
  Promise: 'await it first',
  RegExp: 'send its source and flags as strings',
  URL: 'send its href',
  URLSearchParams: 'send its text, String(it)',
  ArrayBuffer: 'send new Uint8Array(it)',
  SharedArrayBuffer: 'send a copy of its bytes, new Uint8Array(it)',
  DataView: 'send a Uint8Array of its bytes',
  Number: 'send the plain number',
  String: 'send the plain string',
  Boolean: 'send the plain boolean',
  WeakMap: 'send a Map',
  WeakSet: 'send a Set',
  Arguments: 'send [...it]',
};

/** The slow look at the few values that {@link isPlain} doubts. */
export function inspect(value: unknown): Verdict {
  const inspector = new Inspector();
  inspector.look(value, 0);
  if (inspector.cycleAt !== undefined && inspector.errorAt !== undefined) {
    const cycle = `value${inspector.cycleAt}`;
    throw new ValueError(
      inspector.errorAt,
      `is an Error in a value that contains itself (at ${cycle}); send the error's message, or break the cycle`,
    );
  }
  const isTag = typeof value === 'object' && value !== null && inspector.verdict === 'plain' && mimicsTag(value);
  return isTag ? 'tagged' : inspector.verdict;
}

class Inspector {
  verdict: Verdict = 'plain';
  errorAt: string | undefined;
  cycleAt: string | undefined;
  #protoKeyAt: string | undefined;
  readonly #path: string[] = [];
  readonly #open = new Set<object>();
  readonly #seen = new Set<object>();

  look(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return;
      case 'number':
        if (!Number.isFinite(value) || Object.is(value, -0)) this.#needsTag();
        return;
      case 'undefined':
      case 'bigint':
        this.#needsTag();
        return;
      case 'function':
        throw this.#refuse(`is a function${named(value.name)}; send data and define the function inside the task`);
      case 'symbol':
        throw this.#refuse('is a symbol; send a string');
      default:
        if (value !== null) this.#lookAtObject(value as object, depth);
    }
  }

  #lookAtObject(value: object, depth: number): void {
    if (this.#seen.has(value)) {
      if (this.#open.has(value)) this.cycleAt ??= this.#at();
      this.#needsTag();
      return;
    }
    if (depth > VALUE_DEPTH) {
      throw this.#refuse(`lies deeper than ${VALUE_DEPTH} levels; send a flatter value, such as a list of rows`);
    }
    this.#seen.add(value);
    this.#open.add(value);
    this.#lookInside(value, depth + 1);
    this.#open.delete(value);
  }

  #lookInside(value: object, depth: number): void {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    if (isError(value)) {
      this.#lookInError(value, depth);
    } else if (Array.isArray(value)) {
      // The prototype of every realm's arrays is an array itself, that of a subclass is not.
      if (!Array.isArray(Object.getPrototypeOf(value))) throw this.#refuseInstance(value, kind);
      this.#lookInArray(value, depth);
    } else if (isBareObject(value)) {
      this.#lookInObject(value as Record<string, unknown>, depth);
    } else {
      this.#lookInBuiltIn(value, kind, depth);
    }
  }

  #lookInBuiltIn(value: object, kind: string, depth: number): void {
    this.#needsTag();
    const above = ancestry(value);
    if (kind === 'Map' && above === 2) {
      this.#lookInMap(value as Map<unknown, unknown>, depth);
    } else if (kind === 'Set' && above === 2) {
      this.#lookInSet(value as Set<unknown>, depth);
    } else if (typedArrays.has(kind) && ArrayBuffer.isView(value)) {
      // A Node Buffer is a Uint8Array one step further down, and arrives as a Uint8Array.
      if (above !== 3 && value.constructor?.name !== 'Buffer') throw this.#refuseInstance(value, kind);
    } else if (kind !== 'Date' || above !== 2) {
      throw this.#refuseInstance(value, kind);
    }
  }

  #lookInObject(value: Record<string, unknown>, depth: number): void {
    if (Object.getPrototypeOf(value) === null) this.#needsTag();
    const symbol = Object.getOwnPropertySymbols(value)[0];
    if (symbol !== undefined) throw this.#refuse(`has the key ${String(symbol)}; use string keys`);
    for (const key of Object.keys(value)) {
      this.#path.push(pathKey(key));
      if (key === '__proto__') this.#protoKey();
      this.look(this.#read(value, key), depth);
      this.#path.pop();
    }
  }

  #lookInArray(list: readonly unknown[], depth: number): void {
    let keys: Iterable<number> = list.keys();
    // The holes of a sparse list may outnumber its items by millions, so only what is there is visited.
    if (!isDense(list)) {
      this.#needsTag();
      keys = Object.keys(list)
        .map(Number)
        .filter((key) => Number.isInteger(key));
    }
    for (const index of keys) {
      this.#path.push(`[${index}]`);
      this.look(list[index], depth);
      this.#path.pop();
    }
  }

  #lookInMap(map: Map<unknown, unknown>, depth: number): void {
    let position = 0;
    for (const [key, item] of map) {
      this.#path.push(`.keys()[${position}]`);
      this.look(key, depth);
      this.#path[this.#path.length - 1] = `.get(${mapKey(key, position)})`;
      this.look(item, depth);
      this.#path.pop();
      position += 1;
    }
  }

  #lookInSet(set: Set<unknown>, depth: number): void {
    let position = 0;
    for (const item of set) {
      this.#path.push(`.values()[${position}]`);
      this.look(item, depth);
      this.#path.pop();
      position += 1;
    }
  }

  #lookInError(error: Error, depth: number): void {
    this.errorAt ??= this.#at();
    this.#needsTag();
    for (const key of ['cause', 'errors'] as const) {
      if (!Object.hasOwn(error, key)) continue;
      this.#path.push(`.${key}`);
      this.look(this.#read(error as unknown as Record<string, unknown>, key), depth);
      this.#path.pop();
    }
  }

  #read(holder: Record<string, unknown>, key: string): unknown {
    try {
      return holder[key];
    } catch (error) {
      throw this.#refuse(`could not be read: its getter threw "${(error as Error)?.message ?? error}"`);
    }
  }

  #needsTag(): void {
    this.verdict = 'tagged';
    if (this.#protoKeyAt !== undefined) this.#refuseProtoKey();
  }

  /** Plain JSON carries a key named `__proto__` as an own property; the tagged form has no safe way to. */
  #protoKey(): void {
    this.#protoKeyAt ??= this.#at();
    if (this.verdict === 'tagged') this.#refuseProtoKey();
  }

  #refuseProtoKey(): never {
    throw new ValueError(
      this.#protoKeyAt as string,
      'is a key named __proto__ in a value that is not plain JSON; rename the key, or send a Map',
    );
  }

  #refuseInstance(value: object, kind: string): ValueError {
    const hint = advice[kind];
    if (hint !== undefined) return this.#refuse(`is ${article(kind)}; ${hint}`);
    const name = className(value);
    const what = name === undefined ? 'an object with a prototype of its own' : `an instance of ${name}`;
    return this.#refuse(`is ${what}; send a plain object with the data it needs, such as { ...it }`);
  }

  #refuse(problem: string): ValueError {
    return new ValueError(this.#at(), problem);
  }

  #at(): string {
    const path = this.#path;
    // Nobody reads a path of a thousand steps; both ends tell where it is.
    if (path.length <= 24) return path.join('');
    return `${path.slice(0, 12).join('')}…${path.slice(-4).join('')}`;
  }
}

/** Errors of another realm (a vm context, a frame) are errors too; older browsers only know `instanceof`. */
export function isError(value: unknown): value is Error {
  const test = (Error as unknown as { isError?: (value: unknown) => boolean }).isError;
  return test === undefined ? value instanceof Error : test(value) || value instanceof Error;
}

/** An object literal of this realm or another, or an object without a prototype. */
function isBareObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** The number of prototypes above an object: a subclass of Map has one more than a Map of any realm. */
function ancestry(value: object): number {
  let count = 0;
  let prototype = Object.getPrototypeOf(value);
  while (prototype !== null) {
    count += 1;
    prototype = Object.getPrototypeOf(prototype);
  }
  return count;
}

function isDense(list: readonly unknown[]): boolean {
  for (let index = 0; index < list.length; index += 1) if (!(index in list)) return false;
  return true;
}

function className(value: object): string | undefined {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : undefined;
}

function named(name: string): string {
  return name === '' ? '' : ` (${name})`;
}

function article(kind: string): string {
  return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

function pathKey(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function mapKey(key: unknown, position: number): string {
  if (typeof key === 'string') return JSON.stringify(key);
  return typeof key === 'object' && key !== null ? `key ${position}` : String(key);
}
