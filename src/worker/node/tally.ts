import type { Chunk, JobFacts, Runner, SlotEvent } from '../runner.ts';

/** What a worker does, in numbers for people beside it. */
export interface WorkFigures {
  /** Slots that run something. */
  readonly busy: number;
  /** Tasks that have ended here, well or not. */
  readonly done: number;
}

/** A runner that counts what goes through it. */
export class Tally implements Runner {
  readonly #runner: Runner;
  /** By slot: chunks that were handed over and are not over. */
  readonly #chunks = new Map<number, number>();
  #done = 0;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  get figures(): WorkFigures {
    return { busy: [...this.#chunks.values()].filter((count) => count > 0).length, done: this.#done };
  }

  /** What the runner reports. */
  note(event: SlotEvent): void {
    const { slot } = event;
    if (event.kind === 'chunkDone' || event.kind === 'chunkCut') this.#done += event.done;
    if (event.kind === 'chunkDone' || event.kind === 'chunkReturned')
      this.#chunks.set(slot, Math.max(0, (this.#chunks.get(slot) ?? 0) - 1));
    if (event.kind === 'slotDied') this.#chunks.delete(slot);
  }

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    this.#chunks.set(slot, (this.#chunks.get(slot) ?? 0) + 1);
    this.#runner.runChunk(slot, chunk, job);
  }

  startSlot(slot: number): void {
    this.#runner.startSlot(slot);
  }

  abortChunk(slot: number, chunk: number): void {
    this.#runner.abortChunk(slot, chunk);
  }

  killSlot(slot: number): void {
    this.#runner.killSlot(slot);
  }

  forgetJob(job: number): void {
    this.#runner.forgetJob(job);
  }
}
