import { hash } from 'node:crypto';
import { constants, readFileSync, writeFileSync } from 'node:fs';
import { lstat, rename } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import { PYODIDE_SNAPSHOT } from '../../model/python.ts';
import type { TaskPlatform } from '../tasks/executor.ts';
import type { PythonSlot, Sources } from '../tasks/python/python-slot.ts';
import type { StoredBlob } from '../tasks/task-channel.ts';
import { loadTask } from '../tasks/task-module.ts';
import { digestFile } from './digest-file.ts';

/** Where this program's own files lie: their lines say nothing to the author of a task. */
const folder = new URL('../', import.meta.url);
/** As an address, and as the path that stands in a map of sources. */
const own = [folder.href, fileURLToPath(folder)];

const sources = new URL('../tasks/python/entry/slot.py', import.meta.url);

/** What tasks need of a process of Node: modules and blobs are files. */
export function nodePlatform(directories: { blobs: string; own: string }): TaskPlatform {
  /** Where task modules lie: a path that means nothing to their author. */
  let code = '';
  const words = {
    inspect: (thrown: unknown) => inspect(thrown, { depth: 2 }),
    authorsLines: (stack: string) => authorsLines(stack, code),
  };
  let python: Promise<PythonSlot> | undefined;
  const platform: TaskPlatform = {
    words,
    async load(order, _, host) {
      const { module: path, code: ref, memory, pyodide } = order;
      code = dirname(path) + sep;
      if (pyodide !== undefined) {
        python ??= pythonSlot(pyodide, platform);
        return (await python).load(order, readFileSync(path), host);
      }
      if (ref.runner !== 'wasi') return loadTask(() => import(pathToFileURL(path).href), ref.sourceName, words);
      const { loadProgram } = await import('../tasks/wasi/program.ts');
      return loadProgram(readFileSync(path), { code: ref, ...(memory !== undefined && { memory }), collect });
    },
    readBlob: (sha256) => readBlob(join(directories.blobs, sha256)),
    storeBlob: (bytes) => storeBlob(directories.own, bytes),
    soon: setImmediate,
  };
  return platform;
}

/** Both are loaded only where a task is in Python. `directory`: where the files of Pyodide lie. */
async function pythonSlot(directory: string, platform: TaskPlatform): Promise<PythonSlot> {
  const { PythonSlot, SOURCES } = await import('../tasks/python/python-slot.ts');
  const { startPyodide } = await import('../tasks/python/pyodide.ts');
  const open = async () => {
    const loader = (await import(pathToFileURL(join(directory, 'pyodide.mjs')).href)) as object;
    // It asks Node for the numbers of flags of files, in a way that tasks are not permitted.
    Object.defineProperty(process, 'binding', { configurable: true, value: () => ({ fs: constants }) });
    const pyodide = await startPyodide(loader, { indexURL: directory }, readSnapshot(directory));
    const texts = SOURCES.map((name) => [name, readFileSync(new URL(`${name}.py`, sources), 'utf8')]);
    return { pyodide, sources: Object.fromEntries(texts) as Sources };
  };
  return new PythonSlot(open, platform);
}

/** Nothing, where there is none, or it came to harm. */
function readSnapshot(directory: string): Uint8Array | undefined {
  try {
    return gunzipSync(readFileSync(join(directory, PYODIDE_SNAPSHOT)));
  } catch {
    return undefined;
  }
}

/** The collector of garbage, which a program has to ask for by a flag; this one may be set while it runs. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

let files = 0;

/** Each time another file: the worker removes one when it has uploaded it, which may be just now, with the same bytes. */
export function storeBlob(directory: string, bytes: Uint8Array): StoredBlob {
  const file = ++files;
  writeFileSync(join(directory, resultFile(file)), bytes);
  return { sha256: hash('sha256', bytes, 'hex'), size: bytes.length, file };
}

/**
 * A file that a task wrote becomes one that the worker uploads. It gets another name first, so that nobody who goes by
 * the old one changes it meanwhile.
 */
export async function takeFile(directory: string, path: string): Promise<StoredBlob> {
  const file = ++files;
  const taken = join(directory, resultFile(file));
  const found = await lstat(path);
  if (!found.isFile()) throw new TypeError(`ctx.keep takes a file, which ${path} is not`);
  await rename(path, taken).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_ACCESS_DENIED') throw error;
    throw new TypeError(`ctx.keep takes a file in the task's own directory, which ${path} is not`);
  });
  return { ...(await digestFile(taken)), file };
}

/** The name of such a file in the directory of its process. */
export function resultFile(file: number): string {
  return `result-${file}`;
}

/** As a plain Uint8Array: what a task gets must be the same in every runtime. */
export function readBlob(path: string): Uint8Array {
  const file = readFileSync(path);
  return new Uint8Array(file.buffer, file.byteOffset, file.length);
}

function authorsLines(stack: string, code: string): string {
  return stack
    .split('\n')
    .filter((line) => !(/^\s+at /.test(line) && [...own, 'node:internal'].some((place) => line.includes(place))))
    .map((line) => (/^\s+at /.test(line) ? line.replace(pathToFileURL(code).href, '').replace(code, '') : line))
    .join('\n');
}
