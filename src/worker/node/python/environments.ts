import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { INSTALL_LOG_LINES, INSTALL_TIME } from '../../../model/python-limits.ts';
import { leashed } from '../confinement.ts';

const reader = fileURLToPath(new URL('./entry/requirements.py', import.meta.url));

/** Virtual environments of a worker, one for each list of requirements: made when the first job with it comes, then kept. */
export class Environments {
  readonly #python: string;
  readonly #directory: string;
  readonly #stopped = new AbortController();
  readonly #made = new Map<string, Promise<string>>();

  /** `directory`: where they are made; it goes with the worker. */
  constructor(python: string, directory: string) {
    this.#python = python;
    this.#directory = directory;
  }

  /** The Python of the environment that a file asks for. `say` hears what pip says. Rejects with one sentence. */
  async pythonFor(file: string, sourceName: string, say: (line: string) => void): Promise<string> {
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
    this.#stopped.abort();
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

  /** What a program printed. Rejects with the last words of one that failed. */
  #run([program, ...args]: readonly [string, ...string[]], say: (line: string) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const child: ChildProcess = spawn(...leashed(program, args), {
        stdio: ['ignore', 'pipe', 'pipe'],
        signal: this.#stopped.signal,
        timeout: INSTALL_TIME,
        windowsHide: true,
      });
      let printed = '';
      let words = '';
      let left = INSTALL_LOG_LINES;
      const hear = (line: string): void => {
        // Where the owner of the worker gets packages from is not told.
        if (line.trim() !== '' && !line.startsWith('Looking in ') && left-- > 0) say(line);
      };
      createInterface(child.stdout!).on('line', (line) => {
        printed += `${line}\n`;
        hear(line);
      });
      createInterface(child.stderr!).on('line', (line) => {
        if (line.trim() !== '') words = line.replace(/^ERROR: /, '').trim();
        hear(line);
      });
      child.on('error', (error) => reject(new Error(error.message)));
      child.on('close', (code, signal) => {
        if (code === 0) resolve(printed);
        else reject(new Error(words === '' ? `${program} ended (${signal ?? code})` : words));
      });
    });
  }
}
