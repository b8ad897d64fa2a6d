import { JSON_DEPTH } from '../model/limits.ts';
import { ProtocolError } from './protocol-error.ts';

/** JSON that a peer sent, looked at before anything else is done with it. */

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError('invalid', 'a message is not JSON');
  }
}

/** Not deeper than JSON_DEPTH, and none of the keys that could reach a prototype (T-14), since unknown fields are ignored. */
export function checkTree(value: unknown): void {
  if (tooDeep(value, JSON_DEPTH)) throw new ProtocolError('invalid', `a message is nested deeper than ${JSON_DEPTH}`);
}

function tooDeep(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && tooDeep(item, left - 1)) return true;
    return false;
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
      throw new ProtocolError('invalid', `a message has the key ${key}`);
    }
    if (tooDeep((value as Readonly<Record<string, unknown>>)[key], left - 1)) return true;
  }
  return false;
}

/** A user's value may have any keys, but no more levels than readers can climb. */
export function nestedDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  if (Array.isArray(value)) return value.some((item) => nestedDeeper(item, depth - 1));
  for (const key of Object.keys(value)) {
    if (nestedDeeper((value as Readonly<Record<string, unknown>>)[key], depth - 1)) return true;
  }
  return false;
}
