import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodeRef } from '../../../model/job.ts';
import { PACKAGES_IDLE } from '../../../model/package-limits.ts';
import { type PackageList, packagesOf, whyNpmFailed } from '../../../model/packages.ts';
import { Installer } from '../installer.ts';
import { isLeftBehind, takeDirectory } from '../owner.ts';
import type { Preparation } from '../prepared-runner.ts';
import { npmEnvironment } from './npm.ts';

const PREFIX = 'packages-';
/** Of one that is being made: it gets its name when it is whole. */
const DRAFT = /^packages-[0-9a-f]{16}\.[0-9a-f]{12}$/;
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--json'];

/** Folders with packages of npm, one for each list: made when the first job with it comes, then kept. */
export class PackageFolders implements Preparation {
  readonly #npm: string;
  readonly #directory: string;
  readonly #installer = new Installer();
  readonly #made = new Map<string, Promise<string>>();

  /** `directory`: where they are made; several workers may share it, at the same time too. */
  constructor(npm: string, directory: string) {
    this.#npm = npm;
    this.#directory = realpathSync(directory);
    removeOld(this.#directory);
  }

  /** Code imports what lies beside it. */
  codePath(folder: string): (sha256: string) => string {
    return (sha256) => join(folder, `${sha256}.mjs`);
  }

  async prepare(file: string, { sha256, sourceName }: CodeRef, say: (line: string) => void): Promise<string> {
    const folder = await this.#folderFor(await readFile(file, 'utf8'), sourceName, say);
    await copyFile(file, this.codePath(folder)(sha256));
    const now = new Date();
    await utimes(folder, now, now);
    return folder;
  }

  close(): void {
    this.#installer.close();
  }

  async #folderFor(code: string, sourceName: string, say: (line: string) => void): Promise<string> {
    let list: PackageList;
    try {
      list = packagesOf(code);
    } catch (error) {
      throw new Error(`the packages of ${sourceName} cannot be read: ${(error as Error).message}`);
    }
    // What is compiled for one Node is not for another.
    const key = createHash('sha256').update(
      JSON.stringify([list.lock ?? list.install, process.versions.modules, process.arch]),
    );
    const name = PREFIX + key.digest('hex').slice(0, 16);
    let made = this.#made.get(name);
    if (made === undefined) {
      made = this.#make(join(this.#directory, name), list, say);
      this.#made.set(name, made);
      // What could not be had may be there the next time.
      made.catch(() => this.#made.delete(name));
    }
    return made.catch((error: Error) => {
      throw new Error(`the packages of ${sourceName} could not be installed: ${error.message}`);
    });
  }

  async #make(folder: string, { install, lock }: PackageList, say: (line: string) => void): Promise<string> {
    if (await stat(folder).catch(() => undefined)) return folder;
    say(`installing ${install.join(', ')}`);
    const draft = `${folder}.${randomBytes(6).toString('hex')}`;
    await mkdir(draft);
    const owned = takeDirectory(draft);
    try {
      await this.#install(draft, { install, ...(lock !== undefined && { lock }) }, say);
      owned?.release();
      await rename(draft, folder).catch(async (error: Error) => {
        // Another worker was faster.
        if (!(await stat(folder).catch(() => undefined))) throw error;
      });
      return folder;
    } finally {
      owned?.release();
      await rm(draft, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    }
  }

  async #install(folder: string, { install, lock }: PackageList, say: (line: string) => void): Promise<void> {
    const root = lock === undefined ? undefined : rootOf(lock);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, ...root }));
    if (lock !== undefined) await writeFile(join(folder, 'package-lock.json'), lock);
    const args = lock === undefined ? ['install', '--no-package-lock', ...QUIET, '--', ...install] : ['ci', ...QUIET];
    await this.#installer.run([process.execPath, this.#npm, ...args], {
      cwd: folder,
      env: npmEnvironment(),
      why: whyNpmFailed,
      // The rest is said by the failure, or an address that is nobody's business.
      say: (line) => /^npm (warn|error) (?!.*(complete log|https?:))/.test(line) && say(line),
    });
    say('installed');
  }
}

/** The packages that a lock is for, as `package.json` names them. */
function rootOf(lock: string): { dependencies?: unknown } {
  try {
    const { packages } = JSON.parse(lock) as { packages?: Record<string, { dependencies?: unknown } | undefined> };
    const dependencies = packages?.['']?.dependencies;
    return dependencies === undefined ? {} : { dependencies };
  } catch {
    throw new Error('the list of versions is no package-lock.json');
  }
}

/** What a worker that was killed had begun, and what nobody has used for long. */
function removeOld(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(directory, name);
    const idle = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    const isOld = DRAFT.test(name) ? isLeftBehind(path) : idle > PACKAGES_IDLE;
    if (isOld) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
