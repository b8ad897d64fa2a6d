// Run by `npm ci` in the repository, by the first `npx` there, and before tests: writes what consists of many small files as one
// file each. See src/cli/entry/libraries.mjs and src/worker/node/task-program.ts.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { taskProgram } from '../src/worker/node/task-program.ts';
import { bundleLibraries } from './bundled-libraries.ts';
import { bundleTaskProcess } from './bundled-task-process.ts';

const root = path.join(import.meta.dirname, '..');
const cache = path.join(root, 'node_modules/.cache/manyhands');
const folder = path.join(cache, 'libraries');
const list = path.join(folder, 'names.json');
// Written by npm after each installation, with the version of everything that is there.
const installed = path.join(root, 'node_modules/.package-lock.json');

if (!isFresh()) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const names: Record<string, string> = {};
  for (const [library, file] of await bundleLibraries(root, cache)) names[library] = path.relative(folder, file);
  // Last, so that a process never finds names of files that are not there yet.
  writeFileSync(list, JSON.stringify({ versions: versions(), names }));
}
if (taskProgram().endsWith('.ts')) await bundleTaskProcess(root);

/** Programs may be reading them: they are not written again without need. */
function isFresh(): boolean {
  try {
    return JSON.stringify(JSON.parse(readFileSync(list, 'utf8')).versions) === JSON.stringify(versions());
  } catch {
    return false;
  }
}

function versions(): string[] {
  const { packages } = JSON.parse(readFileSync(installed, 'utf8')) as { packages: Record<string, { version: string }> };
  return ['typebox', '@bjorn3/browser_wasi_shim', 'esbuild'].map(
    (name) => `${name}@${packages[`node_modules/${name}`]?.version}`,
  );
}
