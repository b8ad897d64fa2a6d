import { type Fd, WASI } from '@bjorn3/browser_wasi_shim';
import type { CodeRef } from '../../../model/job.ts';
import { STDERR_TAIL_BYTES, TASK_LOG_BYTES } from '../../../model/limits.ts';
import { WASI_GARBAGE_BYTES } from '../../../model/wasi-limits.ts';
import { PREVIEW1, problemOfBytes, problemOfProgram, type WasiResult } from '../../../model/wasm.ts';
import type { WorkerFailure } from '../../failures.ts';
import { ExitError } from '../task-failure.ts';
import { codeFailure, type TaskFunction } from '../task-module.ts';
import { type Command, type Content, commandOf, isBlob, matcherOf } from './command.ts';
import { Drive, inputOf } from './drive.ts';
import { MemoryLimitError, withMemoryLimit } from './memory-limit.ts';
import { Lines, Printed, RefusedError } from './printed.ts';
import { fixedSource, realSource, type Source } from './source.ts';
import { systemCalls } from './system.ts';

/** What a program is run for: its job, and what the platform adds. */
export interface ProgramFacts {
  readonly code: CodeRef;
  /** Bytes that a task may use. */
  readonly memory?: number;
  /** Collects memories that are garbage now; the platform may be unable to. */
  collect?(): void;
}

/** What of a task's context a program uses. */
interface Context {
  readonly index: number;
  blob(sha256: string): Promise<Uint8Array>;
}

/** Compiles a module once; each task is an instance of it. What is wrong with it is the failure of each of its tasks. */
export async function loadProgram(bytes: Uint8Array, facts: ProgramFacts): Promise<TaskFunction | WorkerFailure> {
  const { sourceName } = facts.code;
  const named = `the WebAssembly module ${sourceName}`;
  const problem = problemOfBytes(bytes);
  if (problem !== undefined) return codeFailure(`${named} ${problem}`);
  let module: WebAssembly.Module;
  try {
    const limited = facts.memory === undefined ? bytes : withMemoryLimit(bytes, facts.memory);
    module = await WebAssembly.compile(new Uint8Array(limited));
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof MemoryLimitError)
      return { kind: 'memory', name: 'MemoryError', message: `${named}: ${message}` };
    return codeFailure(`${named} does not compile: ${message.replace(/^WebAssembly\.compile\(\): /, '')}`);
  }
  const wrong = problemOfProgram(WebAssembly.Module.imports(module), WebAssembly.Module.exports(module));
  if (wrong !== undefined) return codeFailure(`${named} ${wrong}`);
  const program = new Program(module, facts);
  return (input, context) => program.run(input, context as Context);
}

class Program {
  readonly #module: WebAssembly.Module;
  readonly #facts: ProgramFacts;
  readonly #name: string;
  /** Of memories that nobody uses any more. */
  #garbage = 0;

  constructor(module: WebAssembly.Module, facts: ProgramFacts) {
    this.#module = module;
    this.#facts = facts;
    this.#name = facts.code.sourceName.split('/').at(-1) ?? 'program';
  }

  run(input: unknown, context: Context): unknown {
    const command = commandOf(input);
    const { stdin, files } = command;
    if (![stdin, ...files.map(([, content]) => content)].some(isBlob)) return this.#start(command, context);
    return this.#fetched(command, context).then((whole) => this.#start(whole, context));
  }

  async #fetched(command: Command, context: Context): Promise<Command> {
    const fetch = async (content: Content) => (isBlob(content) ? await context.blob(content.sha256) : content);
    const files = command.files.map(async ([path, content]) => [path, await fetch(content)] as const);
    return { ...command, stdin: await fetch(command.stdin), files: await Promise.all(files) };
  }

  #start(command: Command, { index }: Context): unknown {
    const { deterministic, sha256 } = this.#facts.code;
    const drive = new Drive(command.files as [string, Uint8Array][]);
    const stdout = new Printed('stdout');
    const lines = new Lines((line) => console.error('%s', line));
    const stderr = new Printed('stderr', (part) => lines.add(part));
    const source = deterministic === true ? fixedSource(sha256, index) : realSource();
    try {
      const fds = [inputOf(command.stdin as Uint8Array), stdout, stderr, drive.open()];
      this.#execute(command, fds, source, stderr);
      if (command.collect === undefined) return withoutLastBreak(textOf(stdout.bytes()));
      const files = this.#collected(drive, command.collect);
      return {
        stdout: textOf(stdout.bytes()),
        stderr: textOf(stderr.bytes()),
        exitCode: 0,
        files,
      } satisfies WasiResult;
    } catch (error) {
      // What it has printed is all that is left of it.
      const printed = new TextDecoder().decode(stdout.tail(TASK_LOG_BYTES));
      if (printed !== '') console.log('%s', printed.replace(/\n$/, ''));
      throw error;
    } finally {
      lines.end();
    }
  }

  /** Returns if the program ended well, and throws what it ended by. */
  #execute({ args, env }: Command, fds: Fd[], source: Source, stderr: Printed): void {
    const words = [this.#name, ...args];
    const wasi = new WASI(words, [...env], fds, { debug: false });
    this.#collectGarbage();
    let memory: WebAssembly.Memory | undefined;
    const calls = systemCalls(() => (memory as WebAssembly.Memory).buffer, words, source);
    const instance = new WebAssembly.Instance(this.#module, {
      [PREVIEW1]: { ...wasi.wasiImport, ...calls },
    });
    memory = instance.exports['memory'] as WebAssembly.Memory;
    let exitCode: number;
    try {
      exitCode = wasi.start(instance as Parameters<WASI['start']>[0]);
    } catch (error) {
      throw this.#trapped(error, memory.buffer.byteLength, stderr);
    } finally {
      this.#garbage += memory.buffer.byteLength;
    }
    if (exitCode === 0) return;
    const message = `${this.#name} exited with code ${exitCode}`;
    throw new ExitError(message + this.#memoryRemark(memory.buffer.byteLength) + lastWords(stderr), exitCode);
  }

  /** A trap of the machine, in the program's own words if it has any; our own refusals are as they are. */
  #trapped(error: unknown, grown: number, stderr: Printed): unknown {
    if (!(error instanceof Error) || error instanceof RefusedError) return error;
    const trapped = new Error(
      `${this.#name} was ended by a trap: ${error.message}${this.#memoryRemark(grown)}${lastWords(stderr)}`,
    );
    trapped.name = error.name;
    const places = (error.stack ?? '').split('\n').filter((line) => /wasm:\/\/|wasm-function/.test(line));
    trapped.stack = [`${error.name}: ${trapped.message}`, ...places].join('\n');
    return trapped;
  }

  /** A program whose memory does not grow any further fails in a way of its own, so this is only a hint. */
  #memoryRemark(grown: number): string {
    const { memory } = this.#facts;
    if (memory === undefined || grown < memory / 2) return '';
    return ` (of the ${mebibytes(memory)} that the job allows, its memory had ${mebibytes(grown)})`;
  }

  #collected(drive: Drive, patterns: readonly string[]): Record<string, string | Uint8Array> {
    const all = drive.list();
    const found = new Map<string, Uint8Array>();
    for (const pattern of patterns) {
      const matcher = matcherOf(pattern);
      const matching = all.filter(([path]) => matcher.test(path));
      if (matching.length === 0) {
        const there =
          all.length === 0
            ? 'no file'
            : all
                .slice(0, LISTED)
                .map(([path]) => path)
                .join(', ');
        throw new RefusedError(`${this.#name} left no file ${pattern}; there is ${there}`);
      }
      for (const [path, bytes] of matching) found.set(path, bytes);
    }
    return Object.fromEntries([...found].map(([path, bytes]) => [path, textOf(bytes)]));
  }

  /** Memories that nobody uses any more must not count as those of the next task. */
  #collectGarbage(): void {
    if (this.#facts.memory === undefined || this.#garbage < WASI_GARBAGE_BYTES) return;
    this.#garbage = 0;
    this.#facts.collect?.();
  }
}

/** Files that a sentence names. */
const LISTED = 10;

/** A text where it is UTF-8. */
function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

/** As a shell's `$(…)`: what is printed ends with a line, what is meant does not. */
function withoutLastBreak(printed: string | Uint8Array): string | Uint8Array {
  return typeof printed === 'string' && printed.endsWith('\n') ? printed.slice(0, -1) : printed;
}

function lastWords(stderr: Printed): string {
  const words = new TextDecoder().decode(stderr.tail(STDERR_TAIL_BYTES)).trim();
  return words === '' ? '' : `; its last words:\n${words}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB`;
}
