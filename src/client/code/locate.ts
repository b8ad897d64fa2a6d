import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TaskCodeError } from './task-code-error.ts';

/** A task module on this machine. */
export interface Located {
  readonly path: string;
  /** What names in it are told from. */
  readonly base: string;
  /** The path from there, as its user would write it. */
  readonly sourceName: string;
}

/** Finds a task module. Throws a TaskCodeError where there is none. */
export function locate(module: URL | string, cwd: string): Located {
  const path = pathOf(module, cwd);
  const base = baseOf(path, cwd);
  assertFile(path, cwd);
  return { path, base, sourceName: slashed(relative(base, path)) };
}

function pathOf(module: URL | string, cwd: string): string {
  if (typeof module === 'string' && !module.startsWith('file:')) return resolve(cwd, module);
  const url = new URL(module);
  if (url.protocol !== 'file:') {
    throw new TaskCodeError(
      `a task module must be a file on this machine, but ${url.href} is not: save it, and give new URL('./its-name.ts', import.meta.url)`,
    );
  }
  return fileURLToPath(url);
}

/** Paths are told from the working directory, or, for a module outside of it, from the module's own package. */
function baseOf(path: string, cwd: string): string {
  if (path.startsWith(cwd.endsWith(sep) ? cwd : cwd + sep)) return cwd;
  const folder = dirname(path);
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
  }
  return folder;
}

function assertFile(path: string, cwd: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  const shown = slashed(relative(cwd, path)) || path;
  if (stat === undefined) {
    throw new TaskCodeError(`the task module ${shown} does not exist (looked in ${dirname(path)})`);
  }
  const what = stat.isDirectory() ? 'a directory; name the file in it' : 'not a file';
  if (!stat.isFile()) throw new TaskCodeError(`the task module ${shown} is ${what}`);
}

function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}
