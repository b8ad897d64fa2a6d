import { readFile } from 'node:fs/promises';
import { problemOfBytes, problemOfProgram } from '../../model/wasm.ts';
import { locate } from './locate.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TaskModule } from './task-module.ts';

/**
 * Reads a WebAssembly program. What can be told of it here is told before anything is sent: throws a TaskCodeError that
 * names the file, and what is wrong with it.
 */
export async function wasmModule(file: URL | string, cwd: string): Promise<TaskModule> {
  const { path, sourceName } = locate(file, cwd);
  const bytes = new Uint8Array(await readFile(path));
  const problem = problemOfBytes(bytes) ?? (await problemOfModule(bytes));
  if (problem !== undefined) throw new TaskCodeError(`the WebAssembly module ${sourceName} ${problem}`);
  return { code: bytes, sourceName, runner: 'wasi' };
}

async function problemOfModule(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  try {
    const module = await WebAssembly.compile(bytes);
    return problemOfProgram(WebAssembly.Module.imports(module), WebAssembly.Module.exports(module));
  } catch (error) {
    return `does not compile: ${(error as Error).message.replace(/^WebAssembly\.compile\(\): /, '')}`;
  }
}
