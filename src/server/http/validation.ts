import type { TSchema } from 'typebox';
import Value from 'typebox/value';
import { Problem } from '../problem.ts';
import { PARAMETERS } from './route.ts';

/** The parameters of a path, converted to what their names stand for. */
export function checkParameters(
  path: string,
  found: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const checked: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(found)) {
    const shape = PARAMETERS[name as keyof typeof PARAMETERS] as TSchema | undefined;
    if (shape === undefined) throw new Error(`${path} has a parameter without a shape: ${name}`);
    const value = convert(shape, text);
    if (!Value.Check(shape, value)) throw new Problem('invalid', `${short(text)} in the path is not a ${name}`);
    checked[name] = value;
  }
  return checked;
}

/** A flag without a value is true; unknown names are refused, since a misspelt option would silently do nothing. */
export function checkQuery(shape: TSchema | undefined, query: URLSearchParams): Record<string, unknown> {
  const properties = ((shape as { properties?: Record<string, TSchema> } | undefined)?.properties ?? {}) as Record<
    string,
    TSchema
  >;
  const values: Record<string, unknown> = {};
  for (const [name, text] of query) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) throw new Problem('invalid', `there is no query parameter ${short(name)} here`);
    if (Object.hasOwn(values, name)) throw new Problem('invalid', `the query parameter ${name} is there twice`);
    values[name] = text === '' && (property as { type?: string }).type === 'boolean' ? true : convert(property, text);
  }
  if (shape !== undefined) check(shape, values, 'the query');
  return values;
}

export function check(shape: TSchema, value: unknown, what: string): void {
  if (Value.Check(shape, value)) return;
  throw new Problem('invalid', complaint(Value.Errors(shape, value) as unknown as Complaint[], what));
}

/**
 * Keys that could reach a prototype are refused wherever our own code reads an object; what belongs to users (`values`)
 * is passed on as it is. (T-14)
 */
export function refusePrototypeKeys(body: unknown, what: string, values: readonly string[] = []): void {
  if (typeof body !== 'object' || body === null) return;
  for (const [key, member] of Object.entries(body)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
      throw new Problem('invalid', `${what} has the key ${key}`);
    }
    if (!values.includes(key)) refusePrototypeKeys(member, what);
  }
}

interface Complaint {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: {
    readonly type?: string | readonly string[];
    readonly allowedValue?: unknown;
    readonly requiredProperties?: readonly string[];
  };
}

/** One sentence of what a validator says in many: of alternatives, the one that fits best is the one it got deepest into. */
function complaint(all: readonly Complaint[], what: string): string {
  const depth = ({ instancePath }: Complaint) => instancePath.split('/').length;
  const [first, ...others] = all;
  if (first === undefined) return `${what} is not as it should be`;
  const deepest = others.reduce((best, each) => (depth(each) > depth(best) ? each : best), first);
  const here = all.filter((each) => each.instancePath === deepest.instancePath);
  const where = deepest.instancePath === '' ? what : `${what} at ${deepest.instancePath}`;
  const required = here.find((each) => each.keyword === 'required')?.params.requiredProperties;
  if (required !== undefined) return `${where} needs ${required.join(', ')}`;
  if (here.some((each) => each.keyword === 'boolean')) {
    const at = deepest.instancePath.lastIndexOf('/');
    const parent = at === 0 ? what : `${what} at ${deepest.instancePath.slice(0, at)}`;
    return `${parent} has an unknown field: ${deepest.instancePath.slice(at + 1)}`;
  }
  const constants = here
    .filter((each) => each.keyword === 'const')
    .map((each) => JSON.stringify(each.params.allowedValue));
  if (constants.length > 0) return `${where} must be ${oneOf(constants)}`;
  const types = here.filter((each) => each.keyword === 'type').map((each) => String(each.params.type));
  if (types.length > 0) return `${where} must be ${oneOf(types)}`;
  return `${where} ${deepest.message}`;
}

function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Text of a URL as the number or truth it may stand for. Only a spelling that is written back the same counts. */
function convert(shape: TSchema, text: string | undefined): unknown {
  const { type } = shape as { type?: string };
  if (text === undefined) return undefined;
  if (type === 'integer' || type === 'number') {
    const number = Number(text);
    return String(number) === text ? number : text;
  }
  if (type === 'boolean')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  return text;
}

function short(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 40));
}
