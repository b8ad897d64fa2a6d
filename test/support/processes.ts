import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { repository } from './directories.ts';
import { waitFor, within } from './wait.ts';

export interface StartOptions {
  cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Written to the standard input, which is then closed. Without it the input is empty. `'open'` keeps it open. */
  input?: string | Uint8Array | 'open';
}

export interface Exit {
  /** The exit code, or null when a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The commands that start the program from its sources, whatever `node` the PATH holds. */
export const manyhands = [process.execPath, path.join(repository, 'src/cli/entry/manyhands.mjs')];

/** A process of a test. It and everything it started are gone when the test ends. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly #command: string;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #ended = false;

  constructor(command: string[], { cwd = repository, env = {}, input }: StartOptions = {}) {
    this.#command = command.map((part) => path.relative(repository, part) || part).join(' ');
    const [program, ...args] = command;
    if (program === undefined) throw new Error('a command needs at least a program');
    // `detached` makes the child the leader of a session of its own, by which its descendants are found and killed.
    this.child = spawn(program, args, {
      cwd,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (bytes: Buffer) => this.#stdout.push(bytes));
    this.child.stderr?.on('data', (bytes: Buffer) => this.#stderr.push(bytes));
    // A process may end without reading its input; that is no error of the test.
    this.child.stdin?.on('error', () => {});
    if (input !== undefined && input !== 'open') this.child.stdin?.end(input);
    const exit = Promise.withResolvers<Exit>();
    this.exited = exit.promise;
    this.exited.catch(() => {});
    this.child.on('error', (error) => {
      this.#ended = true;
      exit.reject(error);
    });
    this.child.on('close', (code, signal) => {
      this.#ended = true;
      exit.resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
    });
    living.add(this);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`not started: ${this.#command}`);
    return this.child.pid;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString('utf8');
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString('utf8');
  }

  /** Waits until the output (both streams, or the one named) matches, and returns the match. */
  async output(pattern: RegExp, { stream, timeout = 10_000 }: { stream?: 'stdout' | 'stderr'; timeout?: number } = {}) {
    try {
      const text = () => (stream ? this[stream] : `${this.stdout}\n${this.stderr}`);
      return await waitFor(() => pattern.exec(text()) ?? this.#failIfEnded(pattern), { what: `${pattern}`, timeout });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.describe()}`, { cause: error });
    }
  }

  #failIfEnded(pattern: RegExp): null {
    if (this.#ended) throw new Error(`the process ended (${this.child.exitCode}) without printing ${pattern}`);
    return null;
  }

  /** Waits for the end; a process that does not end in time fails the test with what it had printed. */
  async exit(timeout = 30_000): Promise<Exit> {
    try {
      return await within(this.exited, timeout, this.#command);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.describe()}`, { cause: error });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** To the standard input, which must be open; on a terminal these are keys. */
  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Kills the process and all its descendants at once, and waits until its output has closed. */
  async kill(): Promise<void> {
    this.killNow();
    await within(this.exited, 10_000, `the death of ${this.#command}`).catch(() => {});
    living.delete(this);
  }

  /** The same for an exit handler, which cannot wait. */
  killNow(): void {
    if (this.child.pid === undefined) return;
    for (const pid of treeOf(this.child.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }
  }

  describe(): string {
    return `$ ${this.#command}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`;
  }
}

const living = new Set<Running>();
process.on('exit', () => {
  for (const running of living) running.killNow();
});

/** Starts a command; it is killed with everything it started when the test ends. */
export function start(t: Cleanup, command: string[], options?: StartOptions): Running {
  const running = new Running(command, options);
  cleanUp(t, () => running.kill());
  return running;
}

/** Starts `manyhands` with these arguments, from the sources. */
export function startManyhands(t: Cleanup, args: string[], options?: StartOptions): Running {
  return start(t, [...manyhands, ...args], options);
}

/** Runs a command to its end. */
export async function run(
  t: Cleanup,
  command: string[],
  options: StartOptions & { timeout?: number } = {},
): Promise<Exit> {
  const { timeout, ...rest } = options;
  return await start(t, command, rest).exit(timeout);
}

/** Runs `manyhands` with these arguments to its end, from the sources. */
export async function runManyhands(
  t: Cleanup,
  args: string[],
  options?: StartOptions & { timeout?: number },
): Promise<Exit> {
  return await run(t, [...manyhands, ...args], options);
}

/** The process and those it started, also when they left its process group or lost their parent. */
export function treeOf(root: number): number[] {
  const tree = new Set([root]);
  if (process.platform !== 'linux') return [-root, root];
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(statOf);
  for (let before = 0; before < tree.size; ) {
    before = tree.size;
    for (const { pid, parent, session } of processes) {
      if (tree.has(parent) || session === root) tree.add(pid);
    }
  }
  return [...tree];
}

/** A zombie has ended, and is only waited for. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

function statOf(name: string): { pid: number; parent: number; session: number }[] {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'utf8');
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    const [, parent, , session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return [{ pid: Number(name), parent: Number(parent), session: Number(session) }];
  } catch {
    return [];
  }
}
