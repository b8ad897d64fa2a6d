import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CodeRef } from '../../../model/job.ts';
import { Installer } from '../installer.ts';
import type { Preparation } from '../prepared-runner.ts';

/**
 * Whether this Python can make virtual environments: that of some systems lacks a part of itself. Seen from where it lies, since
 * a worker that starts has no time to ask it; of one that does not lie as usual it is told when the first is made.
 */
export function makesEnvironments(python: string): boolean {
  const program = realpathSync(python);
  const library = join(dirname(dirname(program)), 'lib', basename(program));
  return !/^python3\.\d+$/.test(basename(program)) || !existsSync(library) || existsSync(join(library, 'ensurepip'));
}

const reader = fileURLToPath(new URL('./entry/requirements.py', import.meta.url));

/** Virtual environments of a worker, one for each list of requirements: made when the first job with it comes, then kept. */
export class Environments implements Preparation {
  readonly #python: string;
  readonly #directory: string;
  readonly #installer = new Installer();
  readonly #made = new Map<string, Promise<string>>();

  /** `directory`: where they are made; it goes with the worker. */
  constructor(python: string, directory: string) {
    this.#python = python;
    this.#directory = directory;
  }

  /** The Python of the environment that a file asks for. `say` hears what pip says. Rejects with one sentence. */
  async prepare(file: string, { sourceName }: CodeRef, say: (line: string) => void): Promise<string> {
    const named = await this.#run([this.#python, reader, file], () => {}).catch((error: Error) => {
      throw new Error(`the requirements of ${sourceName} cannot be read: ${error.message}`);
    });
    const requirements = (JSON.parse(named) as string[]).map((each) => each.trim()).sort();
    // pip would take it for an option.
    const odd = requirements.find((each) => each.startsWith('-'));
    if (odd !== undefined)
      throw new Error(`the requirements of ${sourceName} have ${odd}, which is the name of no package`);
    const key = createHash('sha256').update(JSON.stringify(requirements)).digest('hex').slice(0, 16);
    let made = this.#made.get(key);
    if (made === undefined) {
      made = this.#make(join(this.#directory, `venv-${key}`), requirements, say);
      this.#made.set(key, made);
      // What could not be had may be there the next time.
      made.catch(() => this.#made.delete(key));
    }
    return made.catch((error: Error) => {
      throw new Error(`the requirements of ${sourceName} could not be installed: ${error.message}`);
    });
  }

  close(): void {
    this.#installer.close();
  }

  async #make(path: string, requirements: readonly string[], say: (line: string) => void): Promise<string> {
    await rm(path, { recursive: true, force: true });
    say(`making an environment for ${requirements.join(', ')}`);
    await this.#run([this.#python, '-m', 'venv', path], say).catch((error: Error) => {
      throw new Error(
        `its python3 makes no virtual environments (on Debian: apt install python3-venv): ${error.message}`,
      );
    });
    const program = join(path, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
    const options = ['--disable-pip-version-check', '--no-input', '--no-color', '--progress-bar', 'off'];
    await this.#run([program, '-m', 'pip', 'install', ...options, '--', ...requirements], say);
    return program;
  }

  /** Without where the owner of the worker gets packages from. */
  #run(command: readonly [string, ...string[]], say: (line: string) => void): Promise<string> {
    return this.#installer.run(command, {
      say: (line) => line.startsWith('Looking in ') || say(line),
      why: (_, last) => last.replace(/^ERROR: /, ''),
    });
  }
}
