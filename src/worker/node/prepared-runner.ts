import type { CodeRef } from '../../model/job.ts';
import { LOG_MESSAGE_BYTES } from '../../model/limits.ts';
import { INSTALL_AGAIN } from '../../model/python-limits.ts';
import { countRuns } from '../../model/runs.ts';
import { failureColumn } from '../failures.ts';
import type { Chunk, JobFacts, SlotEvent } from '../runner.ts';
import { codeFailure } from '../tasks/task-module.ts';
import type { RunnerHost } from './other-runners.ts';
import type { ClosableRunner } from './runners.ts';

/** What has to be there before tasks of some code run, and is made when the first of them comes. */
export interface Preparation {
  /** Where it is, for `file`, the code that needs it. `say` hears how it goes. Rejects with one sentence. */
  prepare(file: string, code: CodeRef, say: (line: string) => void): Promise<string>;
  close(): void;
}

/** Makes what runs tasks in such a place. */
type RunnerOf = (place: string, report: (event: SlotEvent) => void) => ClosableRunner;

/** Runs code that names what has to be installed for it, each where that is. */
export class PreparedRunner implements ClosableRunner {
  readonly #host: RunnerHost;
  readonly #preparation: Preparation;
  readonly #runnerOf: RunnerOf;
  /** By their place. */
  readonly #runners = new Map<string, ClosableRunner>();
  /** By the hash of the code. */
  readonly #places = new Map<string, string>();
  /** By the hash of the code: why it has no place, and until when nobody tries again. */
  readonly #failed = new Map<string, { readonly why: string; readonly until: number }>();
  /** By slot: whose tasks it had last, and the chunks that wait for their place. */
  readonly #last = new Map<number, ClosableRunner>();
  readonly #waiting = new Map<number, Set<Chunk>>();

  constructor(host: RunnerHost, preparation: Preparation, runnerOf: RunnerOf) {
    this.#host = host;
    this.#preparation = preparation;
    this.#runnerOf = runnerOf;
  }

  /** Nothing: a process is started when a job asks for it. */
  startSlot(): void {}

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const place = this.#places.get(job.code.sha256);
    if (place !== undefined) return this.#hand(place, slot, chunk, job);
    const waiting = this.#waiting.get(slot) ?? new Set();
    this.#waiting.set(slot, waiting.add(chunk));
    this.#host.report({ kind: 'chunkWaiting', slot, chunk: chunk.id });
    this.#prepare(job.code, slot, chunk).then(
      (ready) => {
        this.#places.set(job.code.sha256, ready);
        if (!this.#waiting.get(slot)?.delete(chunk)) return;
        this.#hand(ready, slot, chunk, job);
        this.#host.report({ kind: 'chunkStarted', slot, chunk: chunk.id });
      },
      (error: Error) => {
        this.#noteFailure(job.code.sha256, error.message);
        if (this.#waiting.get(slot)?.delete(chunk)) this.#fail(slot, chunk, error.message);
      },
    );
  }

  abortChunk(slot: number, chunk: number): void {
    this.#last.get(slot)?.abortChunk(slot, chunk);
  }

  killSlot(slot: number): void {
    // Its place is made all the same: others will want it.
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
    this.#preparation.close();
    for (const runner of this.#runners.values()) runner.close();
  }

  #hand(place: string, slot: number, chunk: Chunk, job: JobFacts): void {
    let runner = this.#runners.get(place);
    if (runner === undefined) {
      runner = this.#runnerOf(place, this.#host.report);
      this.#runners.set(place, runner);
    }
    this.#last.set(slot, runner);
    runner.runChunk(slot, chunk, job);
  }

  #prepare(code: CodeRef, slot: number, chunk: Chunk): Promise<string> {
    const say = (line: string): void => {
      if (!this.#waiting.get(slot)?.has(chunk)) return;
      const text = `${line.slice(0, LOG_MESSAGE_BYTES - 1)}\n`;
      const about = { slot, chunk: chunk.id, position: 0 } as const;
      this.#host.report({ ...about, kind: 'taskLog', stream: 'stderr', text });
      this.#host.report({ ...about, kind: 'taskProgress', fraction: 0, text: line.slice(0, 256) });
    };
    const failed = this.#failed.get(code.sha256);
    if (failed !== undefined && performance.now() < failed.until) return Promise.reject(new Error(failed.why));
    this.#failed.delete(code.sha256);
    return this.#preparation.prepare(this.#host.codePath(code), code, say);
  }

  /** Not again by what only follows from the first one. */
  #noteFailure(sha256: string, why: string): void {
    if (!this.#failed.has(sha256)) this.#failed.set(sha256, { why, until: performance.now() + INSTALL_AGAIN });
  }

  #fail(slot: number, chunk: Chunk, reason: string): void {
    const done = countRuns(chunk.runs);
    const column = failureColumn(codeFailure(reason), done);
    this.#host.report({ kind: 'chunkDone', slot, chunk: chunk.id, done, micros: 0, column });
  }
}
