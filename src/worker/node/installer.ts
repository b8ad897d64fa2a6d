import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { INSTALL_LOG_LINES, INSTALL_TIME } from '../../model/python-limits.ts';
import { leashed } from './confinement.ts';

/** What is said of a program that failed: by what it printed, and the last line that it wrote to stderr. */
type Why = (printed: string, last: string) => string;

export interface Installing {
  /** Hears what the program says, line by line; not all of it where it says very much. */
  readonly say?: (line: string) => void;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly why?: Why;
}

/** Runs the programs that install something for tasks: as the worker's own user, with all of its environment. */
export class Installer {
  readonly #stopped = new AbortController();

  close(): void {
    this.#stopped.abort();
  }

  /** What the program printed. Rejects with its last words if it fails. */
  run([program, ...args]: readonly [string, ...string[]], about: Installing = {}): Promise<string> {
    const { say = () => {}, cwd, env, why = (_, last) => last } = about;
    return new Promise((resolve, reject) => {
      const child: ChildProcess = spawn(...leashed(program, args), {
        ...(cwd !== undefined && { cwd }),
        ...(env && { env }),
        stdio: ['ignore', 'pipe', 'pipe'],
        signal: this.#stopped.signal,
        timeout: INSTALL_TIME,
        windowsHide: true,
      });
      let printed = '';
      let last = '';
      let left = INSTALL_LOG_LINES;
      const hear = (line: string): void => {
        if (line.trim() !== '' && left-- > 0) say(line);
      };
      createInterface(child.stdout!).on('line', (line) => {
        printed += `${line}\n`;
        hear(line);
      });
      createInterface(child.stderr!).on('line', (line) => {
        if (line.trim() !== '') last = line.trim();
        hear(line);
      });
      child.on('error', (error) => reject(new Error(error.message)));
      child.on('close', (code, signal) => {
        if (code === 0) return resolve(printed);
        const words = why(printed, last);
        reject(new Error(words === '' ? `${program} ended (${signal ?? code})` : words));
      });
    });
  }
}
