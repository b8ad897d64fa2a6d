import { readFileSync, statfsSync } from 'node:fs';
import { COMMAND_GRACE, COMMAND_ROOM_BYTES, COMMANDS_TIME } from '../../../model/exec-limits.ts';
import { countRuns, indexesOf } from '../../../model/runs.ts';
import { CommandTemplate, type ExecCode, readExecCode } from '../../exec/exec-code.ts';
import type { WorkerFailure } from '../../failures.ts';
import { type Chunk, DISK_FULL, type JobFacts } from '../../runner.ts';
import type { RunnerHost } from '../other-runners.ts';
import type { ClosableRunner } from '../runners.ts';
import { type ChunkInputs, openInputs } from './chunk-inputs.ts';
import { ChunkPart } from './chunk-part.ts';
import { CommandShell } from './command-shell.ts';
import { CommandWatch } from './command-watch.ts';
import { type CommandHost, runCommand } from './run-command.ts';

interface Place {
  readonly slot: number;
  shell: CommandShell | undefined;
  /** Handed over and not reported; the first runs. */
  readonly chunks: { readonly chunk: Chunk; readonly job: JobFacts }[];
  isBusy: boolean;
  /** A command runs, and has not only files to wait for. */
  isRunning: boolean;
  /** The session wants the running chunk to end, and the slot with it. */
  isKilled: boolean;
}

interface KnownCode {
  readonly sha256: string;
  readonly code: ExecCode;
  readonly template: CommandTemplate;
}

/** Code that is no command. */
interface CodeFault {
  readonly sha256: string;
  readonly failure: WorkerFailure;
}

/** Runs commands, one after the other in each slot. */
export class ExecRunner implements ClosableRunner {
  readonly #host: RunnerHost;
  readonly #commands: CommandHost;
  readonly #env: Readonly<Record<string, string>>;
  readonly #places = new Map<number, Place>();
  readonly #codes = new Map<number, KnownCode | CodeFault>();
  #closed = false;

  constructor(host: RunnerHost, env: Readonly<Record<string, string>>) {
    this.#host = host;
    this.#env = env;
    const { name, root, blobs, options } = host;
    const { directory, taskUser: user } = options;
    this.#commands = { worker: name, root, directory, user, blobs, watch: new CommandWatch() };
  }

  /** A slot has always its process for JavaScript, which says that it is ready; a shell is started by its first command. */
  startSlot(): void {}

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    let place = this.#places.get(slot);
    if (place === undefined) {
      place = { slot, shell: undefined, chunks: [], isBusy: false, isRunning: false, isKilled: false };
      this.#places.set(slot, place);
    }
    place.chunks.push({ chunk, job });
    if (!place.isBusy) void this.#work(place);
  }

  abortChunk(slot: number, chunk: number): void {
    const place = this.#places.get(slot);
    if (place?.chunks[0]?.chunk.id === chunk) place.shell?.terminate();
  }

  /** The command is asked to end, and after a while made to; the slot's death is told when it has ended. */
  killSlot(slot: number): void {
    const place = this.#places.get(slot);
    if (place === undefined) return this.#host.report({ kind: 'slotDied', slot, cause: 'exit', lastWords: '' });
    place.isKilled = true;
    if (!place.isRunning) return this.#die(place);
    const { shell } = place;
    shell?.terminate();
    setTimeout(() => {
      if (place.isKilled && place.shell === shell) void shell?.kill();
    }, COMMAND_GRACE).unref();
  }

  forgetJob(job: number): void {
    this.#codes.delete(job);
  }

  close(): void {
    this.#closed = true;
    this.#commands.watch.close();
    for (const { shell } of this.#places.values()) void shell?.kill();
  }

  #die(place: Place): void {
    // Another takes its place, so that what still goes on for this one is of no consequence.
    this.#places.delete(place.slot);
    place.chunks.length = 0;
    void place.shell?.kill();
    this.#host.report({ kind: 'slotDied', slot: place.slot, cause: 'exit', signal: 'SIGTERM', lastWords: '' });
  }

  async #work(place: Place): Promise<void> {
    place.isBusy = true;
    for (let next = place.chunks[0]; next !== undefined && !this.#closed; next = place.chunks[0]) {
      await this.#runChunk(place, next.chunk, next.job);
    }
    place.isBusy = false;
  }

  /** Reports how its tasks ended; those that time or room was lacking for are given back. */
  async #runChunk(place: Place, chunk: Chunk, job: JobFacts): Promise<void> {
    const { slot } = place;
    const known = this.#codeOf(job);
    let part = new ChunkPart();
    if ('failure' in known) {
      const { failure } = known;
      for (const count = countRuns(chunk.runs); part.done < count && part.hasRoom; ) part.append(failure);
    } else {
      const inputs = openInputs(chunk, job, known.code, this.#commands);
      try {
        if (inputs.waits !== undefined) {
          this.#host.report({ kind: 'chunkWaiting', slot, chunk: chunk.id });
          await inputs.waits;
          if (!this.#isCurrent(place)) return;
          if (inputs.full) return this.#giveBack(place, chunk);
          this.#host.report({ kind: 'chunkStarted', slot, chunk: chunk.id });
        }
        // Once a command has begun, nobody knows whether it failed because of that.
        if (!hasRoom(this.#host.root)) return this.#giveBack(place, chunk);
        part = await this.#runTasks(place, chunk, job, known, inputs);
      } finally {
        inputs.release();
      }
    }
    if (!this.#isCurrent(place)) return;
    place.chunks.shift();
    this.#host.report({ kind: 'chunkDone', slot, chunk: chunk.id, ...part.finish(performance.now()) });
    if (place.isKilled) this.#die(place);
  }

  /** Nothing of it has begun; another worker's disk may have room. */
  #giveBack(place: Place, chunk: Chunk): void {
    place.chunks.shift();
    this.#host.report({ kind: 'chunkReturned', slot: place.slot, chunk: chunk.id, reason: DISK_FULL });
  }

  /** Returns what is not reported yet: a command that turns out to be long keeps nothing waiting, before it or behind. */
  async #runTasks(
    place: Place,
    chunk: Chunk,
    job: JobFacts,
    known: KnownCode,
    inputs: ChunkInputs,
  ): Promise<ChunkPart> {
    const { slot } = place;
    const count = countRuns(chunk.runs);
    let part = new ChunkPart();
    let position = 0;
    let begunAt = 0;
    let isCut = false;
    const cut = (): void => {
      if (!this.#isCurrent(place) || !place.isRunning) return;
      isCut = true;
      this.#host.report({ kind: 'chunkCut', slot, chunk: chunk.id, ...part.finish(begunAt) });
      part = new ChunkPart(begunAt);
    };
    const timer = count > 1 ? setTimeout(cut, COMMANDS_TIME) : undefined;
    for (const index of indexesOf(chunk.runs)) {
      const input = inputs.at(position, index);
      position += 1;
      if ('kind' in input) part.append(input);
      else {
        place.isRunning = true;
        begunAt = performance.now();
        const task = { ...known, ...input, job, index, lease: chunk.lease, slot };
        const isStopped = (): boolean => place.isKilled;
        const outcome = await runCommand(this.#commands, this.#shellOf(place), task, isStopped);
        part.append(outcome);
        place.isRunning = false;
      }
      if (isCut || !part.hasRoom || place.isKilled || part.isLong) break;
    }
    clearTimeout(timer);
    return part;
  }

  #isCurrent(place: Place): boolean {
    return !this.#closed && this.#places.get(place.slot) === place;
  }

  #shellOf(place: Place): CommandShell {
    if (place.shell === undefined || place.shell.gone)
      place.shell = new CommandShell(this.#host.root, this.#env, this.#commands.user);
    return place.shell;
  }

  #codeOf(job: JobFacts): KnownCode | CodeFault {
    const known = this.#codes.get(job.job);
    const { sha256 } = job.code;
    if (known?.sha256 === sha256) return known;
    let read: KnownCode | CodeFault;
    try {
      const code = readExecCode(readFileSync(this.#host.codePath(job.code), 'utf8'));
      read = { sha256, code, template: new CommandTemplate(code) };
    } catch (error) {
      const failure = { kind: 'error', name: 'TaskCodeError', message: (error as Error).message } as const;
      read = { sha256, failure };
    }
    this.#codes.set(job.job, read);
    return read;
  }
}

function hasRoom(directory: string): boolean {
  const { blocks, bsize, bfree, bavail } = statfsSync(directory);
  // Some file systems do not tell; some of the room is for root alone.
  return blocks === 0 || (process.getuid?.() === 0 ? bfree : bavail) * bsize >= COMMAND_ROOM_BYTES;
}
