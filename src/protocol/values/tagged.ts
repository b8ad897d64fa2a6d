import { type StringifyOptions, stringify, unflatten } from 'devalue';
import { isError } from './inspect.ts';
import { TAG } from './tag.ts';
import { ValueError } from './value-error.ts';

/** What travels of an Error. Own fields of the user's are left out: they often hold sockets, requests and the like. */
interface ErrorForm {
  name: string;
  message: string;
  stack?: string;
  code?: string | number;
  cause?: unknown;
  errors?: unknown;
}

const nativeErrors: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

const reducers = {
  Error: (value: unknown): ErrorForm | false => isError(value) && toErrorForm(value),
};

/** Kinds that the library could read but that no value of ours has: bytes that ask for them are forged. */
const foreignKinds = ['RegExp', 'URL', 'URLSearchParams', 'DataView', 'Object'].concat(
  ['Duration', 'Instant', 'PlainDate', 'PlainTime', 'PlainDateTime', 'PlainMonthDay', 'PlainYearMonth'].map(temporal),
  temporal('ZonedDateTime'),
);

const revivers: Record<string, (value: unknown) => unknown> = { Error: fromErrorForm };
for (const kind of foreignKinds) {
  revivers[kind] = () => {
    throw new ValueError('', `is tagged as ${kind}, which is not one of the kinds of VALUES.md`);
  };
}

const options = {
  operations: {
    // A view over a part of a bigger buffer, or over shared memory, travels as its own bytes and nothing else.
    viewInfo: (view: ArrayBufferView & { length?: number }) => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      const whole = view.byteLength === view.buffer.byteLength && view.buffer instanceof ArrayBuffer;
      const buffer = whole ? view.buffer : bytes.slice().buffer;
      const { byteLength } = view;
      return { buffer, byteOffset: 0, byteLength, length: view.length ?? byteLength, bufferByteLength: byteLength };
    },
  },
} as unknown as StringifyOptions;

/** The JSON text of the tag object for a value that `inspect` has let through. */
export function stringifyTagged(value: unknown): string {
  try {
    return `{"${TAG}":${stringify(value, reducers, options)}}`;
  } catch (error) {
    const { message, path } = error as { message: string; path?: string };
    throw new ValueError(path ?? '', `could not be written: ${message}`);
  }
}

/** The value inside a parsed tag object. */
export function reviveTagged(tagged: { [TAG]: unknown }): unknown {
  const flat = tagged[TAG];
  if (typeof flat !== 'number' && !Array.isArray(flat)) throw notTagged();
  try {
    return unflatten(flat, revivers);
  } catch (error) {
    if (error instanceof ValueError) throw error;
    throw notTagged((error as Error).message);
  }
}

function notTagged(detail?: string): ValueError {
  const why = detail === undefined ? '' : ` (${detail})`;
  return new ValueError('', `has ${TAG} as its only key but is not a tagged value as in VALUES.md${why}`);
}

function toErrorForm(error: Error): ErrorForm {
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  const form: ErrorForm = { name: String(name), message: String(message) };
  if (typeof stack === 'string') form.stack = stack;
  if (typeof code === 'string' || typeof code === 'number') form.code = code;
  if (Object.hasOwn(error, 'cause')) form.cause = error.cause;
  if (Object.hasOwn(error, 'errors')) form.errors = (error as AggregateError).errors;
  return form;
}

function fromErrorForm(form: unknown): Error {
  if (typeof form !== 'object' || form === null) throw new ValueError('', 'has an Error without its fields');
  const { name, message, stack, code, cause, errors } = form as Partial<ErrorForm>;
  const error = construct(String(name ?? 'Error'), String(message ?? ''), errors);
  if (name !== undefined && error.name !== name) define(error, 'name', String(name));
  if (typeof stack === 'string') define(error, 'stack', stack);
  if (typeof code === 'string' || typeof code === 'number') (error as { code?: string | number }).code = code;
  if (Object.hasOwn(form, 'cause')) define(error, 'cause', cause);
  return error;
}

function construct(name: string, message: string, errors: unknown): Error {
  const text = message === '' ? undefined : message;
  if (Array.isArray(errors)) {
    const aggregate = name === 'AggregateError' ? new AggregateError([], text) : new Error(text);
    define(aggregate, 'errors', errors);
    return aggregate;
  }
  const Native = Object.hasOwn(nativeErrors, name) ? nativeErrors[name] : undefined;
  return new (Native ?? Error)(text);
}

/** As the language itself adds these fields to an error: there, but not listed by `for in`. */
function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}

function temporal(kind: string): string {
  return `Temporal.${kind}`;
}
