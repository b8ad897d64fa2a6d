// npm runs this around `npm pack` and `npm publish`. In the repository package.json points to the sources and pins a
// Node for those who work on it; in the package it points to the compiled files and brings no Node.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const manifest = path.join(root, 'package.json');
const saved = path.join(root, 'package.json.repository');

interface Manifest {
  exports: Record<string, string>;
  bin: Record<string, string>;
  [field: string]: unknown;
}

/** Fields that serve only those who work on the repository. */
const PRIVATE = ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts'];

function published(repository: Manifest): Manifest {
  const result: Manifest = { ...repository, exports: {}, bin: {} };
  for (const field of PRIVATE) delete result[field];
  const exports: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(repository.exports)) {
    exports[name] = file.endsWith('.ts') ? { types: built(file, '.d.ts'), default: built(file, '.js') } : file;
  }
  for (const [name, file] of Object.entries(repository.bin)) result.bin[name] = built(file, path.extname(file));
  return { ...result, exports: exports as Record<string, string> };
}

function built(source: string, extension: string): string {
  const file = source.replace(/^(\.\/)?src\//, '$1dist/').replace(/\.\w+$/, extension);
  if (!existsSync(path.join(root, file))) fail(`package.json names ${source}, but the build made no ${file}`);
  return file;
}

function fail(message: string): never {
  console.error(`pack: ${message}`);
  process.exit(1);
}

function restore(): void {
  if (existsSync(saved)) renameSync(saved, manifest);
}

const step = process.argv[2];
if (step === 'before') {
  // A pack that was interrupted has left its own package.json behind.
  restore();
  const { status } = spawnSync(process.execPath, [path.join(import.meta.dirname, 'build.ts')], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) fail('the build failed');
  const text = JSON.stringify(published(JSON.parse(readFileSync(manifest, 'utf8'))), null, 2);
  copyFileSync(manifest, saved);
  writeFileSync(manifest, `${text}\n`);
} else if (step === 'after') {
  restore();
} else {
  fail('usage: node scripts/pack.ts before|after (npm pack calls it)');
}
