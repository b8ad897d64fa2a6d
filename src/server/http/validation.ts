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
  const [first] = Value.Errors(shape, value) as unknown as { instancePath?: string; message?: string }[];
  const where = first?.instancePath ? `${what} at ${first.instancePath}` : what;
  throw new Problem('invalid', `${where} ${first?.message ?? 'is not as it should be'}`);
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
