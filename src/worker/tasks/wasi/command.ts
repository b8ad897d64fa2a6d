import type { BlobRef } from '../../../model/envelope.ts';
import type { WasiContent } from '../../../model/wasm.ts';

/** What a program is started with, once an input has been understood. */
export interface Command {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly stdin: Content;
  readonly files: readonly (readonly [path: string, content: Content])[];
  /** Undefined: what it prints is all that is asked for. */
  readonly collect: readonly string[] | undefined;
}

/** Bytes, or the blob that holds them. */
export type Content = Uint8Array | BlobRef;

const KEYS = ['args', 'stdin', 'env', 'files', 'collect'];

/** Reads an input as docs/wasi.md says. Throws a TypeError that says what it should be. */
export function commandOf(input: unknown): Command {
  const nothing = { args: [], env: [], stdin: new Uint8Array(), files: [], collect: undefined };
  if (input === undefined) return nothing;
  if (input instanceof Uint8Array) return { ...nothing, stdin: input };
  if (isWord(input)) return { ...nothing, args: [String(input)] };
  if (Array.isArray(input)) return { ...nothing, args: wordsOf(input, 'the input') };
  if (!isRecord(input)) {
    throw new TypeError(
      `the input of a WebAssembly program is a text, a number, a list of them, bytes, or an object, not ${named(input)}`,
    );
  }
  const stranger = Object.keys(input).find((key) => !KEYS.includes(key));
  if (stranger !== undefined) {
    throw new TypeError(
      `the input of a WebAssembly program has ${KEYS.join(', ')}, and no ${JSON.stringify(stranger)}`,
    );
  }
  const { args = [], stdin = '', env = {}, files = {}, collect } = input;
  return {
    args: Array.isArray(args)
      ? wordsOf(args, 'args')
      : isWord(args)
        ? [String(args)]
        : refuse('args', 'a list of texts', args),
    env: environmentOf(env),
    stdin: contentOf(stdin, 'stdin'),
    files: isRecord(files) ? Object.entries(files).map(fileOf) : refuse('files', 'an object of texts and bytes', files),
    collect: collect === undefined ? undefined : patternsOf(collect),
  };
}

/** Which of the collected paths a pattern means: `*` is anything within a name. */
export function matcherOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?*+()[\]{}/-]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`);
}

export function isBlob(content: Content): content is BlobRef {
  return !(content instanceof Uint8Array);
}

function isWord(value: unknown): value is string | number | bigint | boolean {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}

function wordsOf(list: readonly unknown[], what: string): string[] {
  return list.map((word, i) =>
    isWord(word) ? noNul(String(word), `${what}[${i}]`) : refuse(`${what}[${i}]`, 'a text or a number', word),
  );
}

function environmentOf(env: unknown): string[] {
  if (!isRecord(env)) return refuse('env', 'an object of texts', env);
  return Object.entries(env).map(([name, value]) => {
    if (name === '' || name.includes('=')) throw new TypeError(`env has a name that is none: ${JSON.stringify(name)}`);
    if (typeof value !== 'string') return refuse(`env.${name}`, 'a text', value);
    return noNul(`${name}=${value}`, `env.${name}`);
  });
}

function contentOf(content: unknown, what: string): Content {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  if (content instanceof Uint8Array) return content;
  if (isRecord(content) && typeof content['sha256'] === 'string') return content as unknown as BlobRef & WasiContent;
  return refuse(what, 'a text, bytes, or a blob of the farm', content);
}

function fileOf([path, content]: [string, unknown]): readonly [string, Content] {
  return [pathOf(path, 'files has the name'), contentOf(content, `files[${JSON.stringify(path)}]`)];
}

function patternsOf(collect: unknown): string[] {
  if (!Array.isArray(collect)) return refuse('collect', 'a list of names of files', collect);
  return collect.map((pattern, i) => {
    if (typeof pattern !== 'string') return refuse(`collect[${i}]`, 'the name of a file', pattern);
    return pathOf(pattern, 'collect has the name');
  });
}

/** A path inside of the program's directory, in its plain form. */
function pathOf(path: string, what: string): string {
  const names = path.replace(/^\.\//, '').split('/');
  const isPlain = names.every((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0'));
  if (!isPlain) {
    throw new TypeError(`${what} ${JSON.stringify(path)}, which is no path below a directory, such as data/words.txt`);
  }
  return names.join('/');
}

function noNul(text: string, what: string): string {
  if (text.includes('\0')) throw new TypeError(`${what} holds the character NUL, which ends a text for a program`);
  return text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function refuse(what: string, is: string, value: unknown): never {
  throw new TypeError(`${what} of a WebAssembly program's input must be ${is}, not ${named(value)}`);
}

function named(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value !== 'object' || value === null) return String(value);
  const { name } = value.constructor ?? {};
  return name === 'Object' || name === undefined ? 'an object' : `a ${name}`;
}
