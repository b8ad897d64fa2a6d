// Makes the tarball that `npm pack` at the root makes, from a copy, so that nobody who works in the repository
// at the same moment sees the published package.json.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const ingredients =
  /^(src|scripts|tsconfig\.\w+\.json|[\w-]+\.d\.ts|package\.json|\.npmrc|README\.md|CHANGELOG\.md|LICENSE)$/;

/** Packs into `directory` (which must be empty) and returns the tarball's path. */
export function makeTarball(directory: string): string {
  const copy = path.join(directory, 'copy');
  mkdirSync(copy, { recursive: true });
  for (const name of readdirSync(root)) {
    if (ingredients.test(name)) cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
  const result = spawnSync('npm', ['pack', '--silent', '--pack-destination', directory], {
    cwd: copy,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'));
  if (result.status !== 0 || tarball === undefined) {
    throw new Error(`npm pack failed (${result.status}):\n${result.stdout}${result.stderr}`);
  }
  return path.join(directory, tarball);
}
