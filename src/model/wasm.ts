/** What a program of WebAssembly may be given and gives, and which programs a worker can run (docs/wasi.md). */

import type { BlobRef } from './envelope.ts';

/** A text, in UTF-8, or bytes; or bytes that are in the farm already, as `farm.upload` names them. */
export type WasiContent = string | Uint8Array | BlobRef;

/** An input that says more than arguments. */
export interface WasiCommand {
  readonly args?: readonly (string | number | bigint | boolean)[];
  readonly stdin?: WasiContent;
  /** Its whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** By path, such as `data/words.txt`: what lies in its directory when it starts. */
  readonly files?: Readonly<Record<string, WasiContent>>;
  /** Paths of files that come back, `*` standing for anything within a name; the result is then a {@link WasiResult}. */
  readonly collect?: readonly string[];
}

/** What a program gives whose input has `collect`. What is not UTF-8 comes as bytes. */
export interface WasiResult {
  readonly stdout: string | Uint8Array;
  readonly stderr: string | Uint8Array;
  readonly exitCode: number;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

/** The type of a `.wasm` module as a task: `farm.map<WasiTask>(new URL('./tool.wasm', import.meta.url), inputs)`. */
export type WasiTask = (
  input:
    | string
    | number
    | bigint
    | boolean
    | readonly (string | number | bigint | boolean)[]
    | Uint8Array
    | WasiCommand
    | undefined,
) => string | Uint8Array | WasiResult;

/** The module whose functions a program imports. */
export const PREVIEW1 = 'wasi_snapshot_preview1';

/** The functions of preview 1, all of which a worker has. */
export const PREVIEW1_FUNCTIONS: readonly string[] = [
  ...['args_get', 'args_sizes_get', 'clock_res_get', 'clock_time_get', 'environ_get', 'environ_sizes_get'],
  ...['fd_advise', 'fd_allocate', 'fd_close', 'fd_datasync', 'fd_fdstat_get', 'fd_fdstat_set_flags'],
  ...['fd_fdstat_set_rights', 'fd_filestat_get', 'fd_filestat_set_size', 'fd_filestat_set_times', 'fd_pread'],
  ...['fd_prestat_dir_name', 'fd_prestat_get', 'fd_pwrite', 'fd_read', 'fd_readdir', 'fd_renumber', 'fd_seek'],
  ...['fd_sync', 'fd_tell', 'fd_write', 'path_create_directory', 'path_filestat_get', 'path_filestat_set_times'],
  ...['path_link', 'path_open', 'path_readlink', 'path_remove_directory', 'path_rename', 'path_symlink'],
  ...['path_unlink_file', 'poll_oneoff', 'proc_exit', 'proc_raise', 'random_get', 'sched_yield'],
  ...['sock_accept', 'sock_recv', 'sock_send', 'sock_shutdown'],
];

/** One name that a compiled module imports or exports. */
interface WasmName {
  readonly module?: string;
  readonly name: string;
  readonly kind: string;
}

/** Names that are listed in a sentence; more are counted. */
const LISTED = 5;

/** Why a compiled module is no program that a worker can run, to be said after its name; undefined: it is one. */
export function problemOfProgram(imports: readonly WasmName[], exports: readonly WasmName[]): string | undefined {
  const unknown = imports.filter(
    ({ module, name, kind }) => module !== PREVIEW1 || kind !== 'function' || !PREVIEW1_FUNCTIONS.includes(name),
  );
  if (unknown.length > 0) return `imports ${listed(unknown)}, which workers do not have: ${ADVICE}`;
  const has = (wanted: string, kind: string): boolean =>
    exports.some((each) => each.name === wanted && each.kind === kind);
  if (!has('_start', 'function')) {
    return `exports no _start, so it is a library and no program: ${ADVICE}, with a main function`;
  }
  return has('memory', 'memory') ? undefined : `exports no memory, by which a program and WASI speak: ${ADVICE}`;
}

const ADVICE = 'compile it for WASI preview 1 (wasm32-wasip1, formerly wasm32-wasi)';

function listed(names: readonly WasmName[]): string {
  const shown = names.slice(0, LISTED).map(({ module, name }) => `${module}.${name}`);
  const more = names.length - shown.length;
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
}

/** Why bytes that do not compile are no module, as far as their first eight tell; undefined: they look like one. */
export function problemOfBytes(bytes: Uint8Array): string | undefined {
  const [zero, a, s, m, version, , layer] = bytes;
  if (zero !== 0 || a !== 0x61 || s !== 0x73 || m !== 0x6d)
    return 'is no WebAssembly: it does not begin as a module does';
  if (layer === 1) return `is a component of preview 2 or later, and workers run core modules: ${ADVICE}`;
  return version === 1 ? undefined : `has version ${version} of WebAssembly, and workers know version 1`;
}
