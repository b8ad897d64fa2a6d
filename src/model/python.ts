import type { Runner } from './job.ts';

/**
 * What a worker says among its runners if it can run Python once it is given Pyodide: a server that has it counts the
 * worker among those that run `python`.
 */
export const PYODIDE = 'pyodide';

/** What Pyodide is made of, by the names under which it looks for it. */
export const PYODIDE_FILES = [
  'pyodide.mjs',
  'pyodide.asm.mjs',
  'pyodide.asm.wasm',
  'python_stdlib.zip',
  'pyodide-lock.json',
] as const;

export type PyodideFile = (typeof PYODIDE_FILES)[number];

/** The Pyodide that a server gives to its workers; each file is at `/v1/pyodide/SHA256`. */
export interface PyodideManifest {
  readonly version: string;
  readonly files: Readonly<Record<PyodideFile, { readonly sha256: string; readonly size: number }>>;
}

/**
 * The memory of a Pyodide that has just started, compressed by gzip, at `/v1/pyodide/snapshot`: who begins with it starts in a
 * tenth of the time. It can be done without, so it is no part of the manifest.
 */
export const PYODIDE_SNAPSHOT = 'snapshot';

/** Why a task does not run on a farm for one program alone, on a machine that has nothing to run it. */
export function needsPython(sourceName: string): string {
  return `${sourceName} needs Python: install python3, or Pyodide beside manyhands (npm install pyodide)`;
}

/** Whether a file says what it needs installed, as scripts of Python do (PEP 723): comments between two marks, in TOML. */
export function namesRequirements(code: string): boolean {
  const [, block = ''] = /^# \/\/\/ script[ \t]*\r?\n((?:#(?: .*)?\r?\n)*?)# \/\/\/[ \t]*\r?$/m.exec(code) ?? [];
  const toml = block.replace(/^# ?/gm, '');
  return /^dependencies\s*=\s*\[[^\]]*["']/m.test(toml);
}

/** Whether such code is a file of Python, by whatever it is run. */
export function isPython(runner: Runner | undefined): boolean {
  return runner === 'python' || runner === 'venv';
}
