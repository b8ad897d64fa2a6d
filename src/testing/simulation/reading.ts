import type { TaskRecord } from '../../client/outcomes.ts';
import { isFailure } from '../../model/envelope.ts';
import type { TaskIndex } from '../../model/ids.ts';
import type { JobProgress } from '../../model/job.ts';
import { indexesOf, type Run } from '../../model/runs.ts';
import { type Column, readColumn, statusOf } from '../../protocol/column.ts';
import type { JobPlan } from './plan.ts';
import { resultFor, valueFor } from './tasks.ts';
import type { World } from './world.ts';

const decoder = new TextDecoder();

/**
 * What a program has read of a job's results, kept where its crash does not reach: each outcome must come once, in the
 * order that was asked for, and be right (S7).
 */
export class Reading {
  /** Where the next stream goes on. */
  after: number | string | undefined;
  /** By index, whether it failed. */
  readonly outcomes = new Map<TaskIndex, boolean>();
  /** Indexes of the block at hand in index order: its mark has not come, so the next stream sends it again. */
  readonly #unmarked: TaskIndex[] = [];
  readonly #world: World;
  readonly #plan: JobPlan;
  readonly #number: number;
  readonly #job: number;
  readonly #taskAt: (index: TaskIndex) => number;
  #lastIndex = -1;
  #marked: TaskIndex = 0;

  /** `taskAt`: which task stands where, in a job that grows. */
  constructor(world: World, plan: JobPlan, number: number, job: number, taskAt: (index: TaskIndex) => number) {
    this.#world = world;
    this.#plan = plan;
    this.#number = number;
    this.#job = job;
    this.#taskAt = taskAt;
  }

  /** The process that read is gone, and with it what it had not written down. */
  goOn(): void {
    for (const index of this.#unmarked) this.outcomes.delete(index);
    this.#unmarked.length = 0;
  }

  /** Failed tasks are run again: what has come of them counts no more. */
  again(): void {
    for (const [index, failed] of this.outcomes) if (failed) this.outcomes.delete(index);
    if (this.#plan.order === 'completion') return;
    this.outcomes.clear();
    this.#unmarked.length = 0;
    this.after = undefined;
    this.#lastIndex = -1;
    this.#marked = 0;
  }

  batch(runs: readonly Run[], packed: Uint8Array | Column, cursor: number): void {
    const column = packed instanceof Uint8Array ? readColumn(packed) : packed;
    const text = decoder.decode(column.bytes);
    const inOrder = this.#plan.order === 'completion';
    if (inOrder && cursor !== Number(this.after ?? 0) + 1)
      this.#fail(`segment ${cursor} came after segment ${this.after ?? 0}`);
    let position = 0;
    let at = 0;
    for (const index of indexesOf(runs)) {
      const end = at + (column.lengths[position] as number);
      this.#outcome(index, statusOf(column, position), text.slice(at, end));
      at = end;
      position++;
      if (inOrder) continue;
      this.#unmarked.push(index);
      if (index < this.#marked) this.#fail(`task ${index} came after the mark ${this.#marked}`);
    }
    if (inOrder) this.after = cursor;
  }

  mark(next: TaskIndex): void {
    this.#unmarked.length = 0;
    this.#marked = next;
    this.after = next;
  }

  record(record: TaskRecord<unknown>, cursor: string): void {
    const { index } = record;
    if (record.status === 'cancelled') return this.#fail(`a stream told of the cancelled task ${index}`);
    if (this.#plan.order === 'index' && index <= this.#lastIndex)
      this.#fail(`task ${index} came after task ${this.#lastIndex}`);
    this.#lastIndex = index;
    this.#note(index, record.status === 'failed');
    if (record.status === 'done') {
      const wanted = valueFor(this.#plan, this.#number, this.#taskAt(index));
      if (record.value !== wanted) this.#fail(`task ${index} gave ${String(record.value)}, not ${String(wanted)}`);
    }
    this.after = cursor;
  }

  /** The stream has ended: nothing is missing and nothing too much. */
  ended(progress: JobProgress): void {
    let failed = 0;
    for (const each of this.outcomes.values()) if (each) failed++;
    const done = this.outcomes.size - failed;
    if (done !== progress.done || failed !== progress.failed)
      this.#fail(`${done} done and ${failed} failed tasks came; there are ${progress.done} and ${progress.failed}`);
  }

  #outcome(index: TaskIndex, status: number, text: string): void {
    this.#note(index, isFailure(status));
    if (isFailure(status)) return;
    const wanted = resultFor(this.#plan, this.#number, this.#taskAt(index));
    if (status !== wanted.status || text !== wanted.text)
      this.#fail(`task ${index} gave ${status} ${text}, not ${wanted.status} ${wanted.text}`);
  }

  #note(index: TaskIndex, failed: boolean): void {
    if (this.outcomes.has(index)) this.#fail(`task ${index} came twice`);
    this.outcomes.set(index, failed);
  }

  #fail(what: string): void {
    this.#world.fail('S7', `the results of job ${this.#job} (${this.#plan.reading}, ${this.#plan.order}): ${what}`);
  }
}
