// Run by `npm ci` in the repository: writes the libraries of many small files as one file each, for src/cli/entry/libraries.mjs.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleLibraries } from './bundled-libraries.ts';

const root = path.join(import.meta.dirname, '..');
const cache = path.join(root, 'node_modules/.cache/manyhands');
const folder = path.join(cache, 'libraries');

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const names: Record<string, string> = {};
for (const [library, file] of await bundleLibraries(root, cache)) names[library] = path.relative(folder, file);
// Last, so that a process never finds names of files that are not there yet.
writeFileSync(path.join(folder, 'names.json'), JSON.stringify(names));
