import type { Chunk, JobFacts, SlotEvent } from '../runner.ts';
import type { BlobFiles } from './blob-files.ts';
import type { Confinement } from './confinement.ts';
import { JsRunner } from './js-runner.ts';
import type { ClosableRunner } from './runners.ts';
import type { CommandOf } from './task-process.ts';

/** Runs tasks in processes beside those for JavaScript that each slot has: one for each slot that has had such a job. */
export class SideRunner implements ClosableRunner {
  readonly #processes: JsRunner;
  /** Chunks handed over and not reported yet, by slot. */
  readonly #open = new Map<number, number>();
  readonly #report: (event: SlotEvent) => void;

  /** `command`: what starts a process; that of a task process of Node, if there is none. */
  constructor(
    confinement: Confinement,
    blobs: BlobFiles,
    codePath: (sha256: string) => string,
    report: (event: SlotEvent) => void,
    command?: CommandOf,
  ) {
    this.#report = report;
    const heard = (event: SlotEvent): void => this.#heard(event);
    this.#processes = new JsRunner(confinement, blobs, codePath, heard, command && { command });
  }

  /** Nothing: a process is started when a job asks for it. */
  startSlot(): void {}

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    this.#open.set(slot, (this.#open.get(slot) ?? 0) + 1);
    if (!this.#processes.hasProcess(slot)) this.#processes.startSlot(slot);
    this.#processes.runChunk(slot, chunk, job);
  }

  abortChunk(slot: number, chunk: number): void {
    this.#processes.abortChunk(slot, chunk);
  }

  killSlot(slot: number): void {
    this.#processes.killSlot(slot);
  }

  forgetJob(job: number): void {
    this.#processes.forgetJob(job);
  }

  close(): void {
    this.#processes.close();
  }

  /** The slot is another runner's while nothing of ours runs on it: the death of an idle process is no news then. */
  #heard(event: SlotEvent): void {
    const open = this.#open.get(event.slot) ?? 0;
    if (event.kind === 'slotReady' || (event.kind === 'slotDied' && open === 0)) return;
    if (event.kind === 'chunkDone' || event.kind === 'chunkReturned') this.#open.set(event.slot, open - 1);
    if (event.kind === 'slotDied') this.#open.delete(event.slot);
    this.#report(event);
  }
}
