import { extname } from 'node:path';
import { packageNamed } from '../../model/packages.ts';
import { bundleModule } from './bundle.ts';
import { locate } from './locate.ts';
import { pythonModule } from './python.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TaskModule } from './task-module.ts';
import { wasmModule } from './wasm.ts';

/** Makes code of a file, by its name: a WebAssembly program, a file of Python, or else a module in TypeScript or JavaScript. */
export async function codeOfFile(
  file: URL | string,
  cwd: string = process.cwd(),
  install?: readonly string[],
): Promise<TaskModule> {
  const name = file instanceof URL ? file.pathname : file;
  const extension = extname(name).toLowerCase();
  if (install !== undefined) return moduleWithPackages(file, extension, cwd, install);
  if (extension === '.wasm') return wasmModule(file, cwd);
  return extension === '.py' ? pythonModule(file, cwd) : bundleModule(file, cwd);
}

async function moduleWithPackages(
  file: URL | string,
  extension: string,
  cwd: string,
  install: readonly string[],
): Promise<TaskModule> {
  if (extension === '.wasm' || extension === '.py') {
    const { sourceName } = locate(file, cwd);
    const advice = extension === '.py' ? '; it names its packages itself (docs/python.md)' : '';
    throw new TaskCodeError(`packages of npm are for modules in JavaScript, and ${sourceName} is none${advice}`);
  }
  const { checkPackages, naming } = await import('./packages.ts');
  checkPackages(install);
  return naming(await bundleModule(file, cwd, install.map(packageNamed)), install);
}
