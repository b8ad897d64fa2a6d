import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { BuildFailure } from './failure.ts';

/** Programs of the system that a build runs, with the package of Debian that brings each. */
const PACKAGES = {
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'apt-helper': 'apt',
  'dpkg-deb': 'dpkg',
  tar: 'tar',
  npm: 'npm',
  'grub-mkimage': 'grub-common',
  xorriso: 'xorriso',
  mformat: 'mtools',
  mcopy: 'mtools',
} as const;

type Tool = keyof typeof PACKAGES;

/** Says of all that is missing at once what to install. */
export function requireTools(...tools: Tool[]): void {
  const missing = tools.filter((tool) => !isInPath(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))];
  throw new BuildFailure(
    `building the boot image needs ${missing.join(', ')}: install ${packages.length > 1 ? 'them' : 'it'} with "apt-get install --no-install-recommends ${packages.join(' ')}"`,
  );
}

/** Its standard output. What it says of a failure becomes what the build says. */
export function run(tool: Tool, args: readonly string[], options: SpawnSyncOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    maxBuffer: 1 << 28,
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error === undefined && status === 0) return String(stdout);
  const words = error?.message ?? String(stderr).trim();
  throw new BuildFailure(`"${tool} ${args.join(' ')}" failed${status === null ? '' : ` (${status})`}: ${words}`);
}

function isInPath(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, tool)));
}
