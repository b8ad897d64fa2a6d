import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const repository = path.join(import.meta.dirname, '../..');
/** What is measured is what people install: the built package, which needs no compiler in memory. */
const program = path.join(repository, 'dist/cli/entry/manyhands.mjs');

/** A process that is measured. It tells its state in JSON lines. */
export class Measured {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[]) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => this.child.once('close', () => resolve()));
    process.once('exit', this.#kill);
    process.setMaxListeners(0);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The next line that the process prints. */
  async line<Message>(): Promise<Message> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.child.spawnargs.join(' ')} ended before it was ready`);
    return JSON.parse(value) as Message;
  }

  /** Goes on reading, so that the process never waits for us. */
  ignoreLines(): void {
    this.child.stdout?.resume();
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    await this.ended;
    process.off('exit', this.#kill);
  }

  readonly #kill = (): void => {
    this.child.kill('SIGKILL');
  };
}

/** A command of this program, as a user starts it. */
export function manyhands(...args: string[]): Measured {
  return new Measured([process.execPath, program, ...args]);
}

export function script(url: URL, ...args: string[]): Measured {
  return new Measured([process.execPath, ...process.execArgv, url.pathname, ...args]);
}

/** Bytes of a process: what it holds now, and the most it ever held. Linux only. */
export function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** Seconds of CPU that each thread of a process has used, by the thread's name. Linux only. */
export function cpuOfThreads(pid: number): { id: number; name: string; seconds: number }[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id) => {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      return [{ id: Number(id), name, seconds: (Number(fields[11]) + Number(fields[12])) / TICKS }];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}

export function cpuOf(pid: number): number {
  return cpuOfThreads(pid).reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Seconds of CPU of a process and all that it ever started, as far as they are its children or it has waited for them. */
export function cpuOfFamily(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, each) => sum + cpuWithWaitedFor(each), 0);
}

function cpuWithWaitedFor(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / TICKS;
  } catch {
    return 0; // It has ended meanwhile, and its parent has its CPU.
  }
}

/** Bytes that would be free without this process: what it shares is divided among those that share it. Linux only. */
export function ownMemoryOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
  } catch {
    return 0; // It has ended meanwhile.
  }
}

export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Clock ticks a second in /proc, on every Linux that Node runs on. */
const TICKS = 100;
