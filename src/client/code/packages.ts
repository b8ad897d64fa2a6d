import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { LOCK_TIME } from '../../model/package-limits.ts';
import { type PackageList, whyNotInstall, whyNpmFailed, withPackages } from '../../model/packages.ts';
import { TaskCodeError } from './task-code-error.ts';
import type { TextModule } from './task-module.ts';

/** By the list: a program submits many jobs with the same one. */
const known = new Map<string, Promise<PackageList>>();

/** Throws a TypeError for what npm must not be asked for. */
export function checkPackages(install: readonly string[]): void {
  const why = install.length === 0 ? 'the list of packages to install is empty' : whyNotInstall(install);
  if (why !== undefined) throw new TypeError(why);
}

/** A module for workers that install what it names. Which versions these are is found out here, so all workers have the same. */
export async function naming(module: TextModule, install: readonly string[]): Promise<TextModule> {
  const key = JSON.stringify(install);
  let locked = known.get(key);
  if (locked === undefined) {
    locked = lock(install);
    known.set(key, locked);
    // It may be published a moment later.
    locked.catch(() => known.delete(key));
  }
  return { ...module, code: withPackages(module.code, await locked), runner: 'npm' };
}

async function lock(install: readonly string[]): Promise<PackageList> {
  const folder = await mkdtemp(join(tmpdir(), 'manyhands-lock-'));
  try {
    await writeFile(join(folder, 'package.json'), '{"private":true}');
    // Workers ask the registry of their own owners.
    const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--omit-lockfile-registry-resolved', '--json'];
    await npm(folder, ['install', '--package-lock-only', '--ignore-scripts', ...quiet, '--', ...install]);
    const made = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as { name?: string };
    // It is that of the folder, which is another one each time: the same packages shall give the same code.
    return { install, lock: JSON.stringify({ ...made, name: 'task' }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function npm(cwd: string, args: readonly string[]): Promise<void> {
  const isWindows = process.platform === 'win32';
  const child = spawn('npm', [...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: LOCK_TIME,
    shell: isWindows,
    windowsHide: true,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'ENOENT' ? 'npm is not here, which comes with Node' : `npm cannot be started: ${message}`;
      reject(new TaskCodeError(`the versions of the packages cannot be looked up: ${why}`));
    });
    child.on('close', resolve);
  });
  const [said, code] = await Promise.all([text(child.stdout).catch(() => ''), ended]);
  if (code !== 0) throw new TaskCodeError(`the packages cannot be had: ${whyNpmFailed(said)}`);
}
