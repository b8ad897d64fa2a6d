import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, LeaseId, Millis } from '../model/ids.ts';
import type { CodeRef, RangeInputs } from '../model/job.ts';
import type { Run } from '../model/runs.ts';
import type { Spawned } from '../model/spawned.ts';

/** What a worker knows of a job: its notice, with the defaults filled in. */
export interface JobFacts {
  readonly job: JobId;
  readonly name: string;
  readonly code: CodeRef;
  /** Absent: inputs come with the tasks. */
  readonly range?: RangeInputs;
  /** Time limit of one task. */
  readonly timeout?: Millis;
  /** Bytes for one task. */
  readonly memory?: number;
  /** Slots that each task takes; 1 is usual. */
  readonly cpus: number;
  readonly resources: Readonly<Record<string, number>>;
  /** Its tasks may add others to it. */
  readonly spawns?: boolean;
}

/** Some tasks of one lease, to be run in order on one slot. */
export interface Chunk {
  readonly id: number;
  readonly lease: LeaseId;
  readonly runs: readonly Run[];
  /** The inputs in the order of `runs`; absent for ranges. */
  readonly column: PackedColumn | undefined;
  /** The farm's name, for `ctx.key`. */
  readonly farm: string;
}

/**
 * How tasks are executed: the session asks, the runner answers with {@link SlotEvent}s. A slot is a process (Node) or a
 * Worker (browsers) that runs one chunk after the other. A runner may be given a second chunk for a slot while the
 * first runs; it always belongs to the same job.
 */
export interface Runner {
  /** Makes the slot's process; `slotReady` or `slotDied` follows. */
  startSlot(slot: number): void;
  runChunk(slot: number, chunk: Chunk, job: JobFacts): void;
  /** Tells the running chunk's task that nobody wants it any more (`ctx.signal`). */
  abortChunk(slot: number, chunk: number): void;
  /** Ends the process at once, whatever it does; `slotDied` follows. */
  killSlot(slot: number): void;
  forgetJob(job: JobId): void;
}

/** Why a chunk is returned: for people, and for those who ask the server why a task waits. */
export const DISK_FULL = 'its disk is full';

/** How a slot's process came to its end. */
export interface SlotDeath {
  readonly kind: 'slotDied';
  readonly slot: number;
  /** `memory`: at a memory limit, the process's own or the job's. */
  readonly cause: 'exit' | 'memory';
  readonly exitCode?: number;
  readonly signal?: string;
  /** The last lines it wrote to stderr, or why it could not be started. */
  readonly lastWords: string;
}

export type SlotEvent =
  | { readonly kind: 'slotReady'; readonly slot: number }
  /** The chunk waits for its blobs, or for its results to be stored: its time does not count until it starts. */
  | { readonly kind: 'chunkWaiting'; readonly slot: number; readonly chunk: number }
  /**
   * The slot makes ready what stays for later chunks too, such as an interpreter: this chunk's time does not count until it
   * starts, and it is no reason to end the slot.
   */
  | { readonly kind: 'slotLoading'; readonly slot: number; readonly chunk: number }
  /** What the chunk needs is loaded: from here its time counts. */
  | { readonly kind: 'chunkStarted'; readonly slot: number; readonly chunk: number }
  /**
   * The chunk is over: its first `done` tasks have ended as the column says, in `micros` together; the rest have not
   * been started, because time or room for results ran out. `spawned`: what they gave their job, by their places in the
   * chunk; it follows the outcomes in the column.
   */
  | {
      readonly kind: 'chunkDone';
      readonly slot: number;
      readonly chunk: number;
      readonly done: number;
      readonly micros: number;
      readonly column: PackedColumn;
      readonly spawned?: Spawned;
    }
  /**
   * The chunk turns out to be long: its first `done` tasks have ended as the column says, the next one runs and is all that
   * is left of the chunk, and those behind it have not been started.
   */
  | {
      readonly kind: 'chunkCut';
      readonly slot: number;
      readonly chunk: number;
      readonly done: number;
      readonly micros: number;
      readonly column: PackedColumn;
    }
  /** This device cannot run it now, whatever it is, and nothing of it has an outcome: another may. Why, for people. */
  | { readonly kind: 'chunkReturned'; readonly slot: number; readonly chunk: number; readonly reason: string }
  | {
      readonly kind: 'taskLog';
      readonly slot: number;
      readonly chunk: number;
      /** The task's place in the chunk. */
      readonly position: number;
      readonly stream: 'stdout' | 'stderr' | 'log';
      readonly text: string;
    }
  | {
      readonly kind: 'taskProgress';
      readonly slot: number;
      readonly chunk: number;
      readonly position: number;
      readonly fraction: number;
      readonly text?: string;
    }
  | SlotDeath;
