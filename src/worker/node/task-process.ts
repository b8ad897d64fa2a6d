import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rm, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { MEMORY_WATCH_INTERVAL, STDERR_TAIL_BYTES, TASK_PROCESS_BYTES } from '../../model/limits.ts';
import { PYODIDE_PROCESS_BYTES, WASI_PROCESS_BYTES } from '../../model/wasi-limits.ts';
import type { JobFacts, SlotDeath } from '../runner.ts';
import type { ToTask } from '../tasks/task-channel.ts';
import { encodeChannelFrame, FROM_WORKER, FrameReader, TO_WORKER } from './channel.ts';
import type { Confinement } from './confinement.ts';
import { commandOf } from './confinement.ts';
import { giveTo } from './task-user.ts';

/** What makes a process: the program and its arguments. `heap`: MiB that objects of JavaScript may take. */
export type CommandOf = (confinement: Confinement, directory: string, heap: number | undefined) => [string, string[]];

export interface TaskProcessEvents {
  /** Throws where the message cannot be one: then the process is killed. */
  message(header: unknown, bytes: Uint8Array): void;
  /** Output that did not go through the task's console: of native code, or of the runtime itself. */
  raw(stream: 'stdout' | 'stderr', text: string): void;
  /** Everything it had said has been passed on. */
  died(death: Omit<SlotDeath, 'slot' | 'kind'>): void;
}

/** Bytes that one task may use. */
export interface MemoryLimit {
  /** Of objects of JavaScript; undefined: as much as there is. */
  readonly heap: number | undefined;
  /** Of all that is in memory. */
  readonly resident: number;
}

/**
 * The limit of a job's processes. A WebAssembly program has its own, so its process is only kept from growing without end.
 * `pyodide`: what is in Python runs in WebAssembly too, and beside it lies all that Pyodide is.
 */
export function memoryLimitOf({ memory, code }: JobFacts, pyodide: boolean): MemoryLimit | undefined {
  if (memory === undefined) return undefined;
  if (code.runner === 'wasi') return { heap: undefined, resident: memory + WASI_PROCESS_BYTES };
  if (code.runner === 'python' && pyodide) return { heap: undefined, resident: memory + PYODIDE_PROCESS_BYTES };
  return { heap: memory, resident: memory + TASK_PROCESS_BYTES };
}

const MiB = 1024 * 1024;

/** One process in which tasks run. It knows nothing of tasks: it carries frames, and watches over memory and death. */
export class TaskProcess {
  /** Its own directory, the only one it may write to. */
  readonly directory: string;
  /** Undefined: what the machine has. */
  readonly #limit: MemoryLimit | undefined;
  /** Jobs that it was told of, and the code of each that it was told last. */
  readonly jobs = new Map<number, string>();
  /** Modules it has loaded: they are never unloaded. */
  readonly modules = new Set<string>();
  readonly #child: ChildProcess;
  readonly #input: Socket;
  readonly #events: TaskProcessEvents;
  #tail = '';
  #overMemory = false;
  #broken: string | undefined;
  #watch: NodeJS.Timeout | undefined;
  #gone = false;

  constructor(
    confinement: Confinement,
    limit: MemoryLimit | undefined,
    events: TaskProcessEvents,
    command: CommandOf = commandOf,
  ) {
    this.#limit = limit;
    this.#events = events;
    this.directory = mkdtempSync(join(confinement.root, 'task-'));
    giveTo(confinement.user, this.directory);
    const [program, args] = command(confinement, this.directory, limit?.heap && Math.ceil(limit.heap / MiB));
    this.#child = spawn(program, args, {
      cwd: this.directory,
      env: { ...confinement.env },
      ...confinement.user,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.#input = this.#child.stdio[FROM_WORKER] as Socket;
    // Writing to a process that is dying is no error; its death is told by its exit.
    this.#input.on('error', () => {});
    const frames = new FrameReader(({ header, bytes }) => this.#events.message(header, bytes));
    const output = this.#child.stdio[TO_WORKER] as Socket;
    output.on('data', (bytes: Buffer) => this.#read(frames, bytes));
    output.on('error', () => {});
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#events.raw('stdout', bytes.toString()));
    this.#child.stderr?.on('data', (bytes: Buffer) => this.#noteStderr(bytes.toString()));
    this.#child.on('error', (error) => this.#end(null, null, `could not be started: ${error.message}`));
    this.#child.on('close', (code, signal) => this.#end(code, signal));
    this.#protect();
  }

  isLimitedBy(limit: MemoryLimit | undefined): boolean {
    return this.#limit?.heap === limit?.heap && this.#limit?.resident === limit?.resident;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToTask, bytes?: Uint8Array): void {
    this.#input.write(encodeChannelFrame(message, bytes));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #read(frames: FrameReader, bytes: Buffer): void {
    if (this.#broken !== undefined) return;
    try {
      frames.push(bytes);
    } catch (error) {
      // A task wrote to the channel itself.
      this.#broken = `it said what no task process says (${(error as Error).message})`;
      this.kill();
    }
  }

  #noteStderr(text: string): void {
    this.#tail = (this.#tail + text).slice(-STDERR_TAIL_BYTES);
    this.#events.raw('stderr', text);
  }

  /** If the machine runs out of memory, the kernel shall take the task and not the worker; a job's own limit is watched. */
  #protect(): void {
    const pid = this.#child.pid;
    if (pid === undefined || process.platform !== 'linux') return;
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, '500');
    } catch {
      // Not permitted, or gone already.
    }
    // The heap has its limit by a flag; buffers lie outside of it and are only seen in the resident set.
    const most = this.#limit?.resident;
    if (most === undefined) return;
    this.#watch = setInterval(() => {
      if (residentBytes(pid) <= most) return;
      this.#overMemory = true;
      this.kill();
    }, MEMORY_WATCH_INTERVAL);
    this.#watch.unref();
  }

  #end(code: number | null, signal: string | null, problem?: string): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#watch);
    const outOfHeap = /JavaScript heap out of memory|Array buffer allocation failed|ERR_WORKER_OUT_OF_MEMORY/.test(
      this.#tail,
    );
    this.#events.died({
      cause: this.#overMemory || (outOfHeap && code !== 0) ? 'memory' : 'exit',
      ...(code !== null && { exitCode: code }),
      ...(signal !== null && { signal }),
      lastWords: problem ?? this.#broken ?? this.#tail,
    });
  }

  /** Takes its directory away, once nothing in it is needed any more. */
  clean(): void {
    rm(this.directory, { recursive: true, force: true, maxRetries: 3 }, () => {});
  }
}

function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}
