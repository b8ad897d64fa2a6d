import type { Epoch, JobId, LeaseId, Millis, TaskIndex, WorkerId } from './ids.ts';
import { INLINE_CODE_BYTES } from './limits.ts';
import type { Run } from './runs.ts';

/**
 * How a worker executes a task; a worker says in its hello which ones it has. `js`: a module that runs everywhere. `node`:
 * one that needs Node's own parts, which browsers lack. `wasi`: a WebAssembly program of preview 1. `python`: a file of Python.
 * `venv`: one that names what has to be installed for it. `npm`: a module that does.
 */
export type Runner = 'js' | 'node' | 'npm' | 'wasi' | 'python' | 'venv' | 'exec';

/** The task module: fetched once by hash, or carried inline where it is small. */
export interface CodeRef {
  readonly runner: Runner;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** What people call it, such as `square.ts`; never used to find anything. */
  readonly sourceName: string;
  /** Of `wasi`: clock and chance follow from the code and the task's index, so that the same job gives the same bytes. */
  readonly deterministic?: boolean;
  /** Worker labels that must be equal for this code, such as `{ arch: 'arm64' }`; those of the job come on top. */
  readonly requires?: Readonly<Record<string, string>>;
}

/** Whether code travels as text in the messages that name it, and not only as a blob. */
export function travelsInline({ runner, size }: Pick<CodeRef, 'runner' | 'size'>): boolean {
  return runner !== 'wasi' && size <= INLINE_CODE_BYTES;
}

/** Inputs that exist only as numbers: input i is start + i * step. */
export interface RangeInputs {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What the submitter asked for; never changes after the submit. */
export interface JobSpec {
  readonly name: string;
  /** The id of the submitting token: whose fair share the job uses. */
  readonly owner: string;
  readonly code: CodeRef;
  /** Other codes that give the same results: each worker is given the one that is fastest there, as measured. */
  readonly variants?: readonly CodeRef[];
  /** Absent: inputs are stored in blocks. */
  readonly range?: RangeInputs;
  /** Higher first; 0 is usual. */
  readonly priority: number;
  /** Share among jobs of the same priority and owner; 1 is usual. */
  readonly weight: number;
  /** Re-runs after the first charged failure of a task. Lost workers are not charged. */
  readonly retries: number;
  /** Ends the job when more tasks than this have failed. Absent: it ends if its first 20 outcomes all failed. */
  readonly maxFailures?: number;
  /** Time limit of one attempt of one task. */
  readonly timeout?: Millis;
  /** Worker labels that must be equal. */
  readonly requires: Readonly<Record<string, string>>;
  /** CPUs of each task; 1 is usual. A task takes that many slots. */
  readonly cpus: number;
  /** Bytes of memory of each task: matched against the worker's and enforced there. */
  readonly memory?: number;
  /** Named amounts of each task, such as `{ gpu: 1 }`. */
  readonly resources: Readonly<Record<string, number>>;
  /** Late results of an expired attempt are refused. */
  readonly fenced: boolean;
  /** Jobs that must be done before any of its tasks is handed out; where one ends otherwise, it is cancelled. */
  readonly after?: readonly JobId[];
  /** The job whose results are its inputs, in the order of that job's tasks; those that are undefined are left out. */
  readonly source?: JobId;
  /** Its tasks may add others to it: so that these come behind all others, none is handed out before it is closed. */
  readonly spawns?: boolean;
  /** Wall clock, ms since 1970. */
  readonly submittedAt: number;
  /** Made by an interactive `map`/`run` that stays with its client; cancelled when told so by the client. */
  readonly idempotencyKey?: string;
}

/** All that its tasks may be run by; a code is named by its place in this list. */
export function codesOf({ code, variants = [] }: Pick<JobSpec, 'code' | 'variants'>): readonly CodeRef[] {
  return [code, ...variants];
}

/**
 * `active` hands out tasks, `paused` does not; the other three are ends. `failed`: some task failed, or too many did.
 * Drawn in SCHEDULER.md from `scheduler/transitions.ts`.
 */
export type JobState = 'active' | 'paused' | 'done' | 'failed' | 'cancelled';

export function hasEnded(state: JobState): boolean {
  return state !== 'active' && state !== 'paused';
}

/** The moving part of a job; one small row. */
export interface JobProgress {
  readonly state: JobState;
  /** More inputs may come. */
  readonly open: boolean;
  /** Tasks known so far; final once `open` is false, unless its tasks may add others. */
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Tasks that ended because the job did. */
  readonly cancelled: number;
  /** Charged attempts that were followed by another. */
  readonly retried: number;
  /** Attempts lost with their worker. */
  readonly lost: number;
  /** Second copies that slow tasks were given, and tasks taken back from one worker's queue for another; absent: none. */
  readonly copied?: number;
  readonly recalled?: number;
  /** Segments recorded so far: the completion cursor. */
  readonly segments: number;
  /** Raised by `retry`. */
  readonly generation: number;
  /** Sum of task times in microseconds, for means and speed-ups. */
  readonly busyMicros: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  /** Why it ended early, in words. */
  readonly reason?: string;
}

/** What of a job's progress is counted, and so adds up where several servers bring a part of it. */
export type ProgressCounter =
  | 'total'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'retried'
  | 'lost'
  | 'copied'
  | 'recalled'
  | 'segments'
  | 'busyMicros';

/** What one server brought to the progress of a job: of its counters the differences, of all else the new values. */
export interface ProgressChange {
  readonly counted: Readonly<Partial<Record<ProgressCounter, number>>>;
  readonly set: Readonly<Partial<Omit<JobProgress, ProgressCounter>>>;
}

/** Whether its number of tasks may still rise. */
export function mayGrow(
  { spawns }: Pick<JobSpec, 'spawns'>,
  { open, state }: Pick<JobProgress, 'open' | 'state'>,
): boolean {
  return !hasEnded(state) && (open || spawns === true);
}

/** Whether so many inputs are all that a closed job came with: behind them may be what its tasks added. */
export function wasClosedAt(total: number, spec: JobSpec, progress: Pick<JobProgress, 'open' | 'total'>): boolean {
  if (progress.open) return false;
  return spec.spawns === true ? total <= progress.total : total === progress.total;
}

export interface Job {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly progress: JobProgress;
  /**
   * Tasks below this index have been claimed in blocks; a claimed block without a state row has ended. Kept by the
   * store alone: it is raised by `claim` and by every block row that is written (STORE.md, D5).
   */
  readonly claimedTo: TaskIndex;
}

/** Tasks that are not like the others, kept beside their block while they have not ended: `count` of them from `index` on. */
export interface TaskException {
  readonly index: TaskIndex;
  readonly count: number;
  /** Charged failures so far, and the workers where they happened. */
  readonly charged: number;
  readonly failedOn: readonly WorkerId[];
  /** The lease that failed last, so that its failure is not charged twice. */
  readonly failedLease?: LeaseId;
  /** Workers lost under it, and the distinct ones, counted for `poison`. */
  readonly losses: number;
  readonly lostWorkers: readonly WorkerId[];
  /** Not before this wall clock time (ms since 1970), for backoff across restarts. */
  readonly notBeforeAt?: number;
}

/** The state of a claimed block that has not ended; one small row. */
export interface BlockRecord {
  readonly job: JobId;
  /** Index of its first task: (job, first) names the block. */
  readonly first: TaskIndex;
  readonly count: number;
  readonly generation: number;
  /** One bit a task, lowest bit first; absent: none ended. */
  readonly ended?: Uint8Array;
  readonly exceptions: readonly TaskException[];
  /** The server that holds it; 0: nobody, free to be claimed. */
  readonly epoch: Epoch;
  /**
   * Where several servers share a store, a block may be in parts: each says of all tasks but its own that they have ended.
   * Absent: the row that its holder writes. A number: a part that came from elsewhere and is to be absorbed into that row (D20).
   */
  readonly part?: number;
}

/** One small row for a whole batch. */
export interface LeaseRecord {
  readonly lease: LeaseId;
  readonly worker: WorkerId;
  readonly job: JobId;
  /** First index of the block. */
  readonly block: TaskIndex;
  readonly runs: readonly Run[];
  /** Wall clock. */
  readonly grantedAt: number;
  /** After a restart it waits longer for its worker: a browser, which may sleep. */
  readonly patient?: boolean;
}
