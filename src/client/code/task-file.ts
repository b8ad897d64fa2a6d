import { extname } from 'node:path';
import { bundleModule } from './bundle.ts';
import { pythonModule } from './python.ts';
import type { TaskModule } from './task-module.ts';
import { wasmModule } from './wasm.ts';

/** Makes code of a file, by its name: a WebAssembly program, a file of Python, or else a module in TypeScript or JavaScript. */
export function codeOfFile(file: URL | string, cwd: string = process.cwd()): Promise<TaskModule> {
  const name = file instanceof URL ? file.pathname : file;
  const extension = extname(name).toLowerCase();
  if (extension === '.wasm') return wasmModule(file, cwd);
  return extension === '.py' ? pythonModule(file, cwd) : bundleModule(file, cwd);
}
