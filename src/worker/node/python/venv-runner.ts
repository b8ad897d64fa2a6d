import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CodeRef } from '../../../model/job.ts';
import { LOG_MESSAGE_BYTES } from '../../../model/limits.ts';
import { countRuns } from '../../../model/runs.ts';
import { failureColumn } from '../../failures.ts';
import type { Chunk, JobFacts, SlotEvent } from '../../runner.ts';
import { codeFailure } from '../../tasks/task-module.ts';
import type { RunnerHost } from '../other-runners.ts';
import type { ClosableRunner } from '../runners.ts';
import { Environments } from './environments.ts';
import type { PythonRunner } from './python-runner.ts';

/**
 * Whether this Python can make virtual environments: that of some systems lacks a part of itself. Seen from where it lies, since
 * a worker that starts has no time to ask it; of one that does not lie as usual it is told when the first is made.
 */
export function makesEnvironments(python: string): boolean {
  const program = realpathSync(python);
  const library = join(dirname(dirname(program)), 'lib', basename(program));
  return !/^python3\.\d+$/.test(basename(program)) || !existsSync(library) || existsSync(join(library, 'ensurepip'));
}

type RunnerOf = (program: string, report: (event: SlotEvent) => void) => PythonRunner;

/** Runs files of Python that name requirements, each with the `python3` of an environment that has these. */
export class VenvRunner implements ClosableRunner {
  readonly #host: RunnerHost;
  readonly #environments: Environments;
  readonly #runnerOf: RunnerOf;
  /** By the program of their environment. */
  readonly #runners = new Map<string, PythonRunner>();
  /** By the hash of the file. */
  readonly #programs = new Map<string, string>();
  /** By slot: whose tasks it had last, and the chunks that wait for their environment. */
  readonly #last = new Map<number, PythonRunner>();
  readonly #waiting = new Map<number, Set<Chunk>>();

  constructor(python: string, host: RunnerHost, runnerOf: RunnerOf) {
    this.#host = host;
    this.#environments = new Environments(python, host.root);
    this.#runnerOf = runnerOf;
  }

  /** Nothing: a process is started when a job asks for it. */
  startSlot(): void {}

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const program = this.#programs.get(job.code.sha256);
    if (program !== undefined) return this.#hand(program, slot, chunk, job);
    const waiting = this.#waiting.get(slot) ?? new Set();
    this.#waiting.set(slot, waiting.add(chunk));
    this.#host.report({ kind: 'chunkWaiting', slot, chunk: chunk.id });
    this.#prepare(job.code, slot, chunk).then(
      (ready) => {
        this.#programs.set(job.code.sha256, ready);
        if (!this.#waiting.get(slot)?.delete(chunk)) return;
        this.#hand(ready, slot, chunk, job);
        this.#host.report({ kind: 'chunkStarted', slot, chunk: chunk.id });
      },
      (error: Error) => {
        if (this.#waiting.get(slot)?.delete(chunk)) this.#fail(slot, chunk, error.message);
      },
    );
  }

  abortChunk(slot: number, chunk: number): void {
    this.#last.get(slot)?.abortChunk(slot, chunk);
  }

  killSlot(slot: number): void {
    // Its environment is made all the same: others will want it.
    const isWaiting = (this.#waiting.get(slot)?.size ?? 0) > 0;
    this.#waiting.delete(slot);
    if (isWaiting) this.#host.report({ kind: 'slotDied', slot, cause: 'exit', lastWords: 'it was ended' });
    else this.#last.get(slot)?.killSlot(slot);
  }

  forgetJob(job: number): void {
    for (const runner of this.#runners.values()) runner.forgetJob(job);
  }

  close(): void {
    this.#waiting.clear();
    this.#environments.close();
    for (const runner of this.#runners.values()) runner.close();
  }

  #hand(program: string, slot: number, chunk: Chunk, job: JobFacts): void {
    let runner = this.#runners.get(program);
    if (runner === undefined) {
      runner = this.#runnerOf(program, this.#host.report);
      this.#runners.set(program, runner);
    }
    this.#last.set(slot, runner);
    runner.runChunk(slot, chunk, job);
  }

  #prepare(code: CodeRef, slot: number, chunk: Chunk): Promise<string> {
    const say = (line: string): void => {
      if (!this.#waiting.get(slot)?.has(chunk)) return;
      const text = `${line.slice(0, LOG_MESSAGE_BYTES - 1)}\n`;
      this.#host.report({ kind: 'taskLog', slot, chunk: chunk.id, position: 0, stream: 'stderr', text });
    };
    return this.#environments.pythonFor(this.#host.codePath(code), code.sourceName, say);
  }

  #fail(slot: number, chunk: Chunk, reason: string): void {
    const done = countRuns(chunk.runs);
    const column = failureColumn(codeFailure(reason), done);
    this.#host.report({ kind: 'chunkDone', slot, chunk: chunk.id, done, micros: 0, column });
  }
}
