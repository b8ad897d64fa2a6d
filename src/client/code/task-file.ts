import { extname } from 'node:path';
import { bundleModule } from './bundle.ts';
import type { TaskModule } from './task-module.ts';
import { wasmModule } from './wasm.ts';

/** Makes code of a file, by its name: a WebAssembly program, or else a module in TypeScript or JavaScript. */
export function codeOfFile(file: URL | string, cwd: string = process.cwd()): Promise<TaskModule> {
  const name = file instanceof URL ? file.pathname : file;
  return extname(name).toLowerCase() === '.wasm' ? wasmModule(file, cwd) : bundleModule(file, cwd);
}
