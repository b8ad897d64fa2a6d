import { join } from 'node:path';
import type { PackedColumn } from '../../model/envelope.ts';
import { LOG_MESSAGE_BYTES, PROCESS_MODULES } from '../../model/limits.ts';
import type { Spawned } from '../../model/spawned.ts';
import { type Chunk, DISK_FULL, type JobFacts, type Runner, type SlotEvent } from '../runner.ts';
import { blobsIn, notStored } from '../tasks/blobs.ts';
import type { FromTask, StoredBlob } from '../tasks/task-channel.ts';
import { checkedMessage } from '../tasks/task-messages.ts';
import type { BlobFiles, HeldBlob } from './blob-files.ts';
import type { Confinement } from './confinement.ts';
import { resultFile } from './task-platform.ts';
import {
  type CommandOf,
  type MemoryLimit,
  memoryLimitOf,
  TaskProcess,
  type TaskProcessEvents,
} from './task-process.ts';

/** A chunk that was handed over, and the blobs that are files as long as it is not over. */
interface Handed {
  readonly chunk: Chunk;
  readonly held: HeldBlob[];
}

interface Place {
  readonly number: number;
  process: TaskProcess | undefined;
  /** Chunks handed over and not reported yet, the running one first. */
  readonly chunks: Handed[];
  /** Blobs that tasks asked for and have not read yet, by the number of the request. */
  readonly asked: Map<number, HeldBlob>;
  /** What must be over before anything more is done for this slot: transfers of blobs, in their order. */
  toProcess: Promise<void> | undefined;
  fromProcess: Promise<void> | undefined;
}

/** Runs task modules in processes, one for each slot: of Node, unless another command is given that speaks as they do. */
export class JsRunner implements Runner {
  readonly #confinement: Confinement;
  readonly #blobs: BlobFiles;
  readonly #codePath: (sha256: string) => string;
  readonly #report: (event: SlotEvent) => void;
  readonly #command: CommandOf | undefined;
  readonly #pyodide: (() => string) | undefined;
  readonly #places = new Map<number, Place>();
  #closed = false;

  /** `pyodide`: where it lies, for jobs in Python that are given to processes of Node. */
  constructor(
    confinement: Confinement,
    blobs: BlobFiles,
    codePath: (sha256: string) => string,
    report: (event: SlotEvent) => void,
    { command, pyodide }: { command?: CommandOf; pyodide?: () => string } = {},
  ) {
    this.#confinement = confinement;
    this.#blobs = blobs;
    this.#codePath = codePath;
    this.#report = report;
    this.#command = command;
    this.#pyodide = pyodide;
  }

  /** The processes, for people who look. */
  get pids(): number[] {
    return [...this.#places.values()].flatMap(({ process }) => process?.pid ?? []);
  }

  hasProcess(slot: number): boolean {
    return this.#places.get(slot)?.process !== undefined;
  }

  startSlot(slot: number): void {
    if (this.#closed) return;
    const place: Place = this.#places.get(slot) ?? {
      number: slot,
      process: undefined,
      chunks: [],
      asked: new Map(),
      toProcess: undefined,
      fromProcess: undefined,
    };
    this.#places.set(slot, place);
    try {
      this.#spawn(place, undefined);
    } catch (error) {
      // No directory can be made for it, or no process: later perhaps.
      const lastWords = `could not be started: ${(error as Error).message}`;
      setImmediate(() => this.#report({ kind: 'slotDied', slot, cause: 'exit', lastWords }));
    }
  }

  #spawn(place: Place, limit: MemoryLimit | undefined): TaskProcess {
    const events: TaskProcessEvents = {
      message: (header, bytes) => this.#heard(place, process, header, bytes),
      raw: (stream, text) => this.#raw(place, process, stream, text),
      died: (death) => {
        const tell = (): void => {
          process.clean();
          if (place.process !== process) return;
          place.process = undefined;
          for (const handed of place.chunks.splice(0)) letGo(handed);
          this.#report({ kind: 'slotDied', slot: place.number, ...death });
        };
        // Results that it had finished are stored first: its death is no reason to lose them.
        if (place.fromProcess === undefined) tell();
        else place.fromProcess = place.fromProcess.then(tell);
      },
    };
    const process = new TaskProcess(this.#confinement, limit, events, this.#command);
    place.process = process;
    place.asked.clear();
    return process;
  }

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const place = this.#places.get(slot);
    if (place?.process === undefined) return;
    const wanted = blobsIn(chunk.column);
    const held = wanted.map((blob) => this.#blobs.hold(blob));
    const handed: Handed = { chunk, held };
    place.chunks.push(handed);
    const process = this.#processFor(place, job);
    const hand = (missing?: Record<string, string>): void => {
      if (place.process !== process) return;
      this.#hand(process, chunk, job, missing);
      if (wanted.length > 0) this.#report({ kind: 'chunkStarted', slot, chunk: chunk.id });
    };
    if (wanted.length === 0 && place.toProcess === undefined) return hand();
    if (wanted.length > 0) this.#report({ kind: 'chunkWaiting', slot, chunk: chunk.id });
    const turn = (place.toProcess ?? Promise.resolve()).then(async () => {
      const missing: Record<string, string> = {};
      const problems = await Promise.all(held.map(({ problem }) => problem));
      if (place.toProcess === turn) place.toProcess = undefined;
      // Nothing of it has begun: the process may go on with what it has.
      if (held.some(({ full }) => full) && place.process === process) return this.#return(place, [handed]);
      problems.forEach((problem, i) => {
        const blob = wanted[i];
        if (problem !== undefined && blob !== undefined) missing[blob.sha256] = problem;
      });
      hand(missing);
    });
    place.toProcess = turn;
  }

  /** A process with the job's memory limit, and not one that is full of modules. */
  #processFor(place: Place, job: JobFacts): TaskProcess {
    const limit = memoryLimitOf(job, this.#pyodide !== undefined);
    const old = place.process as TaskProcess;
    const full = old.modules.size >= PROCESS_MODULES && !old.modules.has(job.code.sha256);
    if ((old.isLimitedBy(limit) && !full) || place.chunks.length > 1) return old;
    try {
      return this.#spawn(place, limit);
    } catch {
      // No directory can be made for another: the death of this one is told, and the slot tries again.
      return old;
    } finally {
      old.kill();
    }
  }

  /** Another worker may be able to run these; this one is not, for want of room on its disk. */
  #return(place: Place, all: readonly Handed[]): void {
    for (const handed of all) {
      letGo(handed);
      const at = place.chunks.indexOf(handed);
      if (at < 0) continue;
      place.chunks.splice(at, 1);
      this.#report({ kind: 'chunkReturned', slot: place.number, chunk: handed.chunk.id, reason: DISK_FULL });
    }
  }

  /** A task that has begun is ended with its process, and so is what waits behind it there. */
  #giveUp(place: Place, process: TaskProcess): void {
    if (place.process !== process) return;
    try {
      this.#spawn(place, undefined);
    } catch {
      // The death of the old one is told.
    }
    process.kill();
    this.#return(place, [...place.chunks]);
  }

  #hand(process: TaskProcess, chunk: Chunk, job: JobFacts, missing?: Record<string, string>): void {
    const { id, lease, runs, farm, column } = chunk;
    // What came before with another code has ended: only chunks with the same code wait behind each other.
    if (process.jobs.get(job.job) !== job.code.sha256) {
      process.jobs.set(job.job, job.code.sha256);
      process.modules.add(job.code.sha256);
      const { code, memory, range, spawns } = job;
      process.send({
        kind: 'job',
        job: job.job,
        module: this.#codePath(code.sha256),
        code,
        ...(code.runner === 'python' && this.#pyodide !== undefined && { pyodide: this.#pyodide() }),
        ...(memory !== undefined && { memory }),
        ...(range && { range }),
        ...(spawns && { spawns }),
      });
    }
    process.send({ kind: 'chunk', id, job: job.job, lease, runs, farm, ...(missing && { missing }) }, column);
  }

  abortChunk(slot: number, chunk: number): void {
    this.#places.get(slot)?.process?.send({ kind: 'abort', chunk });
  }

  killSlot(slot: number): void {
    this.#places.get(slot)?.process?.kill();
  }

  forgetJob(job: number): void {
    for (const { process } of this.#places.values()) {
      if (process?.jobs.delete(job)) process.send({ kind: 'forget', job });
    }
  }

  /** Ends all processes; nothing is reported any more. */
  close(): void {
    this.#closed = true;
    for (const place of this.#places.values()) {
      place.process?.kill();
      place.process = undefined;
      for (const handed of place.chunks.splice(0)) letGo(handed);
    }
  }

  #heard(place: Place, process: TaskProcess, header: unknown, bytes: Uint8Array): void {
    if (place.process !== process) return;
    const message = checkedMessage(header, bytes, place.chunks);
    switch (message.kind) {
      case 'ready':
        // A process that replaced another one is not news.
        if (place.chunks.length === 0) this.#report({ kind: 'slotReady', slot: place.number });
        return;
      case 'loading':
        return this.#report({ kind: 'slotLoading', slot: place.number, chunk: message.chunk });
      case 'started':
        return this.#report({ kind: 'chunkStarted', slot: place.number, chunk: message.chunk });
      case 'done':
        return this.#done(place, process, message, bytes);
      case 'full':
        return this.#giveUp(place, process);
      case 'log':
        return this.#report({ ...message, kind: 'taskLog', slot: place.number });
      case 'progress':
        return this.#report({ ...message, kind: 'taskProgress', slot: place.number });
      case 'wantBlob':
        return void this.#lendBlob(place, process, message);
      case 'readBlob':
        place.asked.get(message.request)?.release();
        place.asked.delete(message.request);
        return;
      case 'giveBlob':
        return void this.#upload(process, message.blob).then((problem) => answer(process, message.request, problem));
    }
  }

  #done(place: Place, process: TaskProcess, message: FromTask & { kind: 'done' }, bytes: Uint8Array): void {
    const over = place.chunks.shift();
    if (over !== undefined) letGo(over);
    const { chunk, done, micros, blobs, spawned } = message;
    const tell = (column: PackedColumn, more?: Spawned): void =>
      this.#report({
        kind: 'chunkDone',
        slot: place.number,
        chunk,
        done,
        micros,
        column,
        ...(more && { spawned: more }),
      });
    if (blobs === undefined && place.fromProcess === undefined) return tell(bytes, spawned);
    this.#report({ kind: 'chunkWaiting', slot: place.number, chunk });
    // The message that names a blob leaves after the blob is stored (P15).
    const turn = (place.fromProcess ?? Promise.resolve()).then(async () => {
      const uploads = (blobs ?? []).map((blob) => this.#upload(process, blob));
      const problem = (await Promise.all(uploads)).find((each) => each !== undefined);
      if (problem === undefined) tell(bytes, spawned);
      else tell(notStored(done, problem));
      if (place.fromProcess === turn) place.fromProcess = undefined;
    });
    place.fromProcess = turn;
  }

  #upload(process: TaskProcess, blob: StoredBlob): Promise<string | undefined> {
    return this.#blobs.upload(blob, join(process.directory, resultFile(blob.file ?? 0)));
  }

  /** It stays a file until the task has read it, or is over: which one asked is known by what runs. */
  async #lendBlob(place: Place, process: TaskProcess, message: FromTask & { kind: 'wantBlob' }): Promise<void> {
    const { request, sha256 } = message;
    const held = this.#blobs.hold({ sha256 });
    const [running] = place.chunks;
    running?.held.push(held);
    place.asked.set(request, held);
    const problem = await held.problem;
    if (held.full) this.#giveUp(place, process);
    answer(process, request, problem);
    if (running === undefined || !place.chunks.includes(running)) held.release();
  }

  #raw(place: Place, process: TaskProcess, stream: 'stdout' | 'stderr', text: string): void {
    const [first] = place.chunks;
    if (place.process !== process || first === undefined) return;
    const { id } = first.chunk;
    this.#report({
      kind: 'taskLog',
      slot: place.number,
      chunk: id,
      position: 0,
      stream,
      text: text.slice(0, LOG_MESSAGE_BYTES),
    });
  }
}

function answer(process: TaskProcess, request: number, problem: string | undefined): void {
  process.send({ kind: 'blob', request, ...(problem !== undefined && { error: problem }) });
}

function letGo({ held }: Handed): void {
  for (const { release } of held) release();
}
