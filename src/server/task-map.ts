import type { JobId, TaskIndex } from '../model/ids.ts';
import { hasEnded, type JobProgress } from '../model/job.ts';
import { TASK_MAP_CELLS, TASK_MAP_TIME, TASK_MAPS, TIMELINE_STEP, TIMELINE_STEP_BYTES } from '../model/past-limits.ts';
import type { SegmentRecord } from '../model/records.ts';
import type { Run } from '../model/runs.ts';
import type { TaskMap } from '../model/task-map.ts';
import type { InFlight } from '../scheduler/in-flight.ts';
import { failedRuns } from '../store/reopen.ts';
import type { Store } from '../store/store.ts';

/** How many tasks of each cell have ended, and have failed, as far as segments have been read. */
class Tallied {
  /** Tasks of a cell. */
  readonly size: number;
  readonly ended: Uint16Array;
  readonly failed: Uint16Array;
  generation: number;
  /** Segments that are in it. */
  read = 0;

  constructor(total: number, generation: number) {
    let size = 1;
    while (Math.ceil(total / size) > TASK_MAP_CELLS) size *= 2;
    this.size = size;
    // A job that is still open grows; then there is room for as many again.
    const cells = Math.min(TASK_MAP_CELLS, 2 * Math.ceil(total / size));
    this.ended = new Uint16Array(cells);
    this.failed = new Uint16Array(cells);
    this.generation = generation;
  }

  holds(total: number): boolean {
    return Math.ceil(total / this.size) <= this.ended.length;
  }

  take(segment: SegmentRecord): void {
    const failures = failedRuns(segment);
    add(this.ended, this.size, segment.runs, 1);
    // What failed before a retry has been opened again.
    if (segment.generation < this.generation) add(this.ended, this.size, failures, -1);
    else add(this.failed, this.size, failures, 1);
    this.read = segment.seq;
  }

  /** The failed tasks are open again. */
  retried(generation: number): void {
    if (generation === this.generation) return;
    this.generation = generation;
    for (let i = 0; i < this.failed.length; i++) this.ended[i] = (this.ended[i] as number) - (this.failed[i] as number);
    this.failed.fill(0);
  }
}

function add(cells: Uint16Array, size: number, runs: readonly Run[], by: 1 | -1): void {
  for (const { start, count } of runs) {
    const end = start + count;
    for (let at = start; at < end; ) {
      const cell = Math.floor(at / size);
      const next = Math.min(end, (cell + 1) * size);
      cells[cell] = (cells[cell] as number) + by * (next - at);
      at = next;
    }
  }
}

/**
 * Maps of the jobs that somebody looks at. They are read from the segments, a little with each question, and go on where
 * they were: what is recorded costs nothing more because of them.
 */
export class TaskMaps {
  readonly #store: () => Pick<Store, 'readBatches'>;
  readonly #clock: () => number;
  /** The one asked for last is the last. */
  readonly #maps = new Map<JobId, Tallied>();

  constructor(store: () => Pick<Store, 'readBatches'>, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
  }

  /** `count` tasks from `from` on, in at most `cells` cells. */
  async of(
    job: JobId,
    progress: JobProgress,
    running: readonly InFlight[],
    { from, count, cells }: { from: TaskIndex; count: number; cells: number },
  ): Promise<TaskMap> {
    const tallied = this.#open(job, progress);
    await this.#read(job, tallied, progress);
    const shown = Math.max(0, Math.min(count, progress.total - from));
    const factor = Math.max(1, Math.ceil(shown / cells / tallied.size));
    const cell = factor * tallied.size;
    const first = Math.floor(from / tallied.size) * tallied.size;
    const length = shown === 0 ? 0 : Math.ceil((shown + from - first) / cell);
    const busy = busyCells(running, first, cell, length);
    const states = Array.from({ length }, (_, i) => {
      const start = first + i * cell;
      const tasks = Math.min(cell, progress.total - start);
      return stateOf(sums(tallied, start / tallied.size, factor), tasks, busy.has(i), hasEnded(progress.state));
    });
    const { total, segments: batches } = progress;
    return { job, total, from: first, cell, states: states.join(''), read: Math.min(tallied.read, batches), batches };
  }

  #open(job: JobId, { total, generation }: JobProgress): Tallied {
    const known = this.#maps.get(job);
    const tallied = known?.holds(total) ? known : new Tallied(total, generation);
    tallied.retried(generation);
    this.#maps.delete(job);
    this.#maps.set(job, tallied);
    for (const oldest of this.#maps.keys()) {
      if (this.#maps.size <= TASK_MAPS) break;
      this.#maps.delete(oldest);
    }
    return tallied;
  }

  /** As much as there is time for; whoever asks again goes on. Two who ask at once read the same, and one of them takes it. */
  async #read(job: JobId, tallied: Tallied, { segments }: JobProgress): Promise<void> {
    const end = this.#clock() + TASK_MAP_TIME;
    while (tallied.read < segments && this.#clock() < end) {
      const query = { after: tallied.read, step: 1, limit: TIMELINE_STEP };
      const found = await this.#store().readBatches(job, query, TIMELINE_STEP_BYTES);
      if (found.length === 0) return;
      for (const { segment } of found) if (segment.seq === tallied.read + 1) tallied.take(segment);
    }
  }
}

interface Sums {
  readonly ended: number;
  readonly failed: number;
}

function sums({ ended, failed }: Tallied, first: number, factor: number): Sums {
  let all = 0;
  let bad = 0;
  for (let i = first; i < first + factor; i++) {
    all += ended[i] ?? 0;
    bad += failed[i] ?? 0;
  }
  return { ended: all, failed: bad };
}

function busyCells(running: readonly InFlight[], from: TaskIndex, cell: number, length: number): Set<number> {
  const busy = new Set<number>();
  for (const { runs } of running) {
    for (const { start, count } of runs) {
      const last = Math.min(length - 1, Math.floor((start + count - 1 - from) / cell));
      for (let i = Math.max(0, Math.floor((start - from) / cell)); i <= last; i++) busy.add(i);
    }
  }
  return busy;
}

/** The most telling of what is in a cell: a failure, then what runs, then how much has ended. */
function stateOf({ ended, failed }: Sums, tasks: number, isBusy: boolean, isOver: boolean): string {
  if (failed > 0) return 'f';
  if (ended >= tasks) return 'd';
  if (isBusy && !isOver) return 'r';
  if (ended > 0) return String(Math.min(9, Math.max(1, Math.floor((ended / tasks) * 10))));
  return isOver ? 'c' : 'w';
}
