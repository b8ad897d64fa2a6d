import type { Runner as RunnerName } from '../../model/job.ts';
import type { Chunk, JobFacts, Runner, SlotEvent } from '../runner.ts';
import type { JsRunner } from './js-runner.ts';

/** A runner that ends what it has begun when the worker leaves. */
export interface ClosableRunner extends Runner {
  close(): void;
}

/**
 * One runner to the session, several in truth: each job goes to the one that its code names. A slot always has its process
 * for JavaScript; what the others need they start when a job asks for it.
 */
export class Runners implements ClosableRunner {
  readonly #js: JsRunner;
  readonly #others: ReadonlyMap<RunnerName, ClosableRunner>;
  readonly #report: (event: SlotEvent) => void;
  /** By slot: who was given its last chunk. */
  readonly #last = new Map<number, ClosableRunner>();

  constructor(js: JsRunner, others: ReadonlyMap<RunnerName, ClosableRunner>, report: (event: SlotEvent) => void) {
    this.#js = js;
    this.#others = others;
    this.#report = report;
  }

  startSlot(slot: number): void {
    this.#last.delete(slot);
    // After the death of another runner's process the one for JavaScript still lives.
    if (this.#js.hasProcess(slot)) this.#report({ kind: 'slotReady', slot });
    else this.#js.startSlot(slot);
  }

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const runner = this.#others.get(job.code.runner) ?? this.#js;
    if (runner === this.#js && !this.#js.hasProcess(slot)) this.#js.startSlot(slot);
    this.#last.set(slot, runner);
    runner.runChunk(slot, chunk, job);
  }

  abortChunk(slot: number, chunk: number): void {
    this.#last.get(slot)?.abortChunk(slot, chunk);
  }

  /** A slot that runs nothing is its process for JavaScript. */
  killSlot(slot: number): void {
    (this.#last.get(slot) ?? this.#js).killSlot(slot);
  }

  /**
   * What the runner for JavaScript says. While another one works on a slot, the death of its idle process there is no
   * news: it would be taken for that of the work. The next task in JavaScript starts it again.
   */
  readonly heardOfJs = (event: SlotEvent): void => {
    const last = this.#last.get(event.slot);
    const isIdle = last !== undefined && last !== this.#js;
    if (isIdle && (event.kind === 'slotDied' || event.kind === 'slotReady')) return;
    this.#report(event);
  };

  forgetJob(job: number): void {
    this.#js.forgetJob(job);
    for (const runner of this.#others.values()) runner.forgetJob(job);
  }

  close(): void {
    this.#js.close();
    for (const runner of this.#others.values()) runner.close();
  }
}
