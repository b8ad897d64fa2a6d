import type { TaskOutput } from '../tasks/task-output.ts';

/** Levels of nesting that are shown, as on Node. */
const DEPTH = 3;

/** A value in words, for a log. */
export function inspect(value: unknown): string {
  return inner(value, DEPTH, new Set());
}

function inner(value: unknown, depth: number, above: Set<unknown>): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return value.toString();
  if (typeof value === 'function') return `[Function: ${value.name || '(anonymous)'}]`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  if (value instanceof Error) return value.stack?.includes(value.message) ? value.stack : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (above.has(value)) return '[Circular]';
  const name = value.constructor?.name ?? '';
  if (depth === 0) return Array.isArray(value) ? '[Array]' : `[${name || 'Object'}]`;
  const within = new Set(above).add(value);
  const show = (each: unknown): string => inner(each, depth - 1, within);
  if (Array.isArray(value)) return listOf(value.map(show), '[', ']');
  if (ArrayBuffer.isView(value) && 'length' in value) {
    return listOf([...(value as unknown as Iterable<number>)].map(show), `${name}(${value.length}) [`, ']');
  }
  if (value instanceof Set) return listOf([...value].map(show), `Set(${value.size}) {`, '}');
  if (value instanceof Map) {
    const pairs = [...value].map(([key, each]) => `${show(key)} => ${show(each)}`);
    return listOf(pairs, `Map(${value.size}) {`, '}');
  }
  const fields = Object.entries(value).map(
    ([key, each]) => `${/^[\w$]+$/.test(key) ? key : `'${key}'`}: ${show(each)}`,
  );
  return listOf(fields, name === 'Object' || name === '' ? '{' : `${name} {`, '}');
}

/** Items that a list shows, as on Node. */
const ITEMS = 100;

function listOf(items: string[], open: string, close: string): string {
  const shown = items.slice(0, ITEMS);
  if (items.length > ITEMS) shown.push(`... ${items.length - ITEMS} more items`);
  return shown.length === 0 ? open + close : `${open} ${shown.join(', ')} ${close}`;
}

/** The arguments of a call of `console`, in one text. */
export function format(values: readonly unknown[]): string {
  const [first, ...rest] = values;
  if (typeof first !== 'string') return values.map((value) => inspect(value)).join(' ');
  let next = 0;
  const text = first.replace(/%[sdifjoOc%]/g, (mark) => {
    if (mark === '%%') return '%';
    if (next === rest.length) return mark;
    const value = rest[next++];
    if (mark === '%c') return '';
    if (mark === '%d') return String(Number(value));
    if (mark === '%i') return String(Number.parseInt(String(value), 10));
    if (mark === '%f') return String(Number.parseFloat(String(value)));
    if (mark === '%j') return JSON.stringify(value);
    return typeof value === 'string' ? value : inspect(value);
  });
  const others = rest.slice(next).map((value) => (typeof value === 'string' ? value : inspect(value)));
  return [text, ...others].join(' ');
}

const STREAMS = {
  log: 'stdout',
  info: 'stdout',
  debug: 'stdout',
  table: 'stdout',
  dir: 'stdout',
  warn: 'stderr',
  error: 'stderr',
  trace: 'stderr',
} as const;

/** What tasks print goes to the job's log, under the name of the task that prints it, as on Node. */
export function installConsole(output: TaskOutput): void {
  for (const [name, stream] of Object.entries(STREAMS)) {
    const print = (...values: unknown[]): void => output.write(stream, `${format(values)}\n`);
    Object.defineProperty(console, name, { configurable: true, writable: true, enumerable: true, value: print });
  }
}
