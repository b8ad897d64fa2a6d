import { VALUE_DEPTH } from '../../model/limits.ts';
import { isTagged, TAG } from './tag.ts';

/**
 * Whether JSON says everything about a value, so that `JSON.stringify` may write it: this is asked of every value of
 * every job, so it keeps no path and gives up at the first doubt. A `false` is not a refusal; `inspect` looks closer.
 */
export function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return isPlainNumber(value);
    case 'object':
      return value === null || isPlainObject(value);
    default:
      return false;
  }
}

function isPlainObject(value: object): boolean {
  try {
    return isPlainTree(value, undefined, 0) && !mimicsTag(value);
  } catch {
    // A getter threw; the closer look will name it.
    return false;
  }
}

/** JSON has no NaN and no infinities, and its reader in JavaScript keeps -0 while others lose the sign. */
export function isPlainNumber(value: number): boolean {
  return value !== 0 ? Number.isFinite(value) : 1 / value > 0;
}

/** The tag object itself, sent by a user, must not be read back as a tagged value. */
export function mimicsTag(value: object): boolean {
  return TAG in value && isTagged(value);
}

/**
 * `seen` holds the objects met so far, because an object that is met twice is shared or part of a cycle, which JSON
 * would copy or never end. A value without inner objects, the common case, never allocates it.
 */
function isPlainTree(value: object, seen: Seen | undefined, depth: number): boolean {
  if (depth > VALUE_DEPTH) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    return Array.isArray(value) && arePlainItems(value, seen, depth);
  }
  if (prototype !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0) return false;
  let met = seen;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item !== 'object' || item === null) {
      if (!isPlainLeaf(item)) return false;
    } else {
      met ??= new Seen(value);
      if (!met.add(item) || !isPlainTree(item, met, depth + 1)) return false;
    }
  }
  return true;
}

function arePlainItems(list: unknown[], seen: Seen | undefined, depth: number): boolean {
  let met = seen;
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index];
    if (typeof item !== 'object' || item === null) {
      if (!isPlainLeaf(item)) return false;
    } else {
      met ??= new Seen(list);
      if (!met.add(item) || !isPlainTree(item, met, depth + 1)) return false;
    }
  }
  return true;
}

function isPlainLeaf(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return isPlainNumber(value);
    default:
      return value === null;
  }
}

/** A set of objects that stays a short array until a value has many: most have two or three. */
class Seen {
  #few: object[] | undefined;
  #many: Set<object> | undefined;

  constructor(first: object) {
    this.#few = [first];
  }

  /** False if the object was here before. */
  add(item: object): boolean {
    if (this.#few !== undefined) {
      if (this.#few.includes(item)) return false;
      if (this.#few.length < 8) {
        this.#few.push(item);
        return true;
      }
      this.#many = new Set(this.#few);
      this.#few = undefined;
    }
    const many = this.#many as Set<object>;
    if (many.has(item)) return false;
    many.add(item);
    return true;
  }
}
