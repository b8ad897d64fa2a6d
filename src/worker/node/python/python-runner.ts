import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Chunk, JobFacts, SlotEvent } from '../../runner.ts';
import type { BlobFiles } from '../blob-files.ts';
import { type Confinement, findProgram, leashed } from '../confinement.ts';
import { JsRunner } from '../js-runner.ts';
import type { ClosableRunner } from '../runners.ts';

const host = fileURLToPath(new URL('./entry/host.py', import.meta.url));

/** Where this machine's own Python is; undefined: it has none. */
export function findPython(): string | undefined {
  return findProgram('python3');
}

/** Runs files of Python in processes of `python3`, one for each slot that has had such a job. */
export class PythonRunner implements ClosableRunner {
  readonly #processes: JsRunner;
  /** Chunks handed over and not reported yet, by slot. */
  readonly #open = new Map<number, number>();
  readonly #report: (event: SlotEvent) => void;

  constructor(
    python: string,
    confinement: Confinement,
    blobs: BlobFiles,
    codePath: (sha256: string) => string,
    report: (event: SlotEvent) => void,
  ) {
    this.#report = report;
    let program: string | undefined;
    const command = ({ blobs: directory }: Confinement): [string, string[]] => {
      program ??= realProgram(python);
      return leashed(program, ['-B', host, directory]);
    };
    this.#processes = new JsRunner(confinement, blobs, codePath, (event) => this.#heard(event), { command });
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
    if (event.kind === 'chunkDone') this.#open.set(event.slot, open - 1);
    if (event.kind === 'slotDied') this.#open.delete(event.slot);
    this.#report(event);
  }
}

/** Programs named python3 may be scripts that look for the real one by an environment that tasks do not get. */
function realProgram(python: string): string {
  const { stdout } = spawnSync(python, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  const found = stdout?.trim() ?? '';
  return found === '' ? python : found;
}
