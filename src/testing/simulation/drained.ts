import { PrivateFields } from './private-fields.ts';

/** How far the walk goes: deeper than anything is nested. */
const DEEPEST = 12;

/** Collections that are not empty, as `path: how many`, of an object and all that it leads to. */
export function leftIn(root: object, name: string, skip: ReadonlySet<unknown>): Map<string, number> {
  const left = new Map<string, number>();
  const fields = new PrivateFields();
  const seen = new Set<unknown>(skip);
  const walk = (value: unknown, path: string, depth: number): void => {
    if (typeof value !== 'object' || value === null || seen.has(value) || depth > DEEPEST) return;
    seen.add(value);
    if (ArrayBuffer.isView(value) || value instanceof Promise || value instanceof WeakMap) return;
    if (value instanceof Map || value instanceof Set) {
      if (value.size > 0) left.set(path, value.size);
      return;
    }
    if (Array.isArray(value)) {
      if (value.length > 0) left.set(path, value.length);
      return;
    }
    for (const [key, each] of Object.entries(value)) walk(each, `${path}.${key}`, depth + 1);
    if (Object.getPrototypeOf(value) === Object.prototype) return;
    for (const [key, each] of fields.of(value)) walk(each, `${path}.${key}`, depth + 1);
  };
  try {
    walk(root, name, 0);
  } finally {
    fields.close();
  }
  return left;
}
