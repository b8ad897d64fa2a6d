import { existsSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { taskProgram } from './task-program.ts';
import type { TaskUser } from './task-user.ts';

/** What task processes may do. */
export interface Confinement {
  /** Holds the directories of the processes; they cannot see it, nor each other. */
  readonly root: string;
  /** Task modules; readable. */
  readonly code: string;
  /** Input blobs; readable. */
  readonly blobs: string;
  readonly network: boolean;
  /** Native code may be loaded, which nothing here keeps from anything. */
  readonly addons?: boolean;
  /** Their whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absent: that of the worker. */
  readonly user?: TaskUser;
}

/** Everything the program of a task process itself is made of. */
const program = [packageOf(import.meta.filename), ...['devalue', '@bjorn3/browser_wasi_shim'].flatMap(installed)];

/** The program and its arguments. `heap`: MiB that objects may take. */
export function commandOf(confinement: Confinement, directory: string, heap: number | undefined): [string, string[]] {
  const { code, blobs, network, addons = false } = confinement;
  const flags = [
    '--permission',
    ...[...program, code, blobs, directory].map((path) => `--allow-fs-read=${withSlash(path)}`),
    `--allow-fs-write=${withSlash(directory)}`,
    // Versions before 25 know no such flag and deny no network.
    ...(network && knows('--allow-net') ? ['--allow-net'] : []),
    // Python (Pyodide) waits for promises; versions from 25 on can without it.
    ...(Number.parseInt(process.versions.node, 10) < 25 ? ['--experimental-wasm-jspi'] : []),
    // SQLite does not ask the permission model which files it may open, and addons ask nobody.
    addons ? '--allow-addons' : '--no-addons',
    '--no-experimental-sqlite',
    '--enable-source-maps',
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
    ...(heap === undefined ? [] : [`--max-old-space-size=${heap}`]),
  ];
  return leashed(process.execPath, [...flags, taskProgram(), blobs]);
}

/** The program and its arguments such that it ends when this process does. */
export function leashed(program: string, args: readonly string[]): [string, string[]] {
  return leash === undefined ? [program, [...args]] : [leash, ['--pdeathsig', 'KILL', '--', program, ...args]];
}

/**
 * A task process ends by itself when its worker is gone, unless a task never returns: then only the kernel can end it.
 * Linux does so for programs started by `setpriv`, which most distributions have.
 */
const leash = process.platform === 'linux' ? findProgram('setpriv') : undefined;

export function findProgram(name: string): string | undefined {
  const found = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name));
  return found.find((path) => isAbsolute(path) && existsSync(path));
}

/** Whether this runtime can keep tasks off the network. */
export function canDenyNetwork(): boolean {
  return knows('--allow-net');
}

function knows(flag: string): boolean {
  return process.allowedNodeEnvironmentFlags.has(flag);
}

/** A directory, so that everything below it is meant. */
function withSlash(path: string): string {
  return path.endsWith(sep) ? path : path + sep;
}

/** Where a library lies; nowhere, if it is a part of the program itself. */
function installed(library: string): string[] {
  try {
    return [packageOf(fileURLToPath(import.meta.resolve(library)))];
  } catch {
    return [];
  }
}

function packageOf(file: string): string {
  for (let at = dirname(file); dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
  }
  return dirname(file);
}
