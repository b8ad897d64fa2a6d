import type { TaskRecord } from '../../client/outcomes.ts';
import { isFailure } from '../../model/envelope.ts';
import type { TaskIndex } from '../../model/ids.ts';
import type { JobProgress } from '../../model/job.ts';
import { indexesOf, type Run } from '../../model/runs.ts';
import { type Column, readColumn, statusOf } from '../../protocol/column.ts';
import type { Observer } from './observer.ts';
import type { JobPlan } from './plan.ts';
import { resultFor, valueFor } from './tasks.ts';
import type { World } from './world.ts';

const decoder = new TextDecoder();
/** In a cursor it stands above the number of the segment how often the store failed over. */
const HISTORY = 2 ** 32;

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
  readonly #observer: Observer;
  /** When it began. */
  readonly #failovers: number;
  #lastIndex = -1;
  #marked: TaskIndex = 0;

  constructor(world: World, observer: Observer, plan: JobPlan, number: number, job: number) {
    this.#world = world;
    this.#plan = plan;
    this.#number = number;
    this.#job = job;
    this.#observer = observer;
    this.#failovers = observer.failovers;
  }

  /** Which task stands where, in a job that grows. */
  #taskAt(index: TaskIndex): number {
    return this.#observer.jobs.get(this.#job)?.family.at(index) ?? index;
  }

  /** The store failed over while it read: some of what it was told was lost, and has come about anew. */
  get #isTorn(): boolean {
    return this.#observer.failovers > this.#failovers;
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
    const before = Number(this.after ?? 0);
    if (inOrder && (before === 0 ? cursor % HISTORY !== 1 : cursor !== before + 1))
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
      if (record.value !== wanted) this.#wrong(`task ${index} gave ${String(record.value)}, not ${String(wanted)}`);
    }
    this.after = cursor;
  }

  /** The stream has ended: nothing is missing and nothing too much. */
  ended(progress: JobProgress): void {
    if (this.#isTorn) return this.#checkAll();
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
      this.#wrong(`task ${index} gave ${status} ${text}, not ${wanted.status} ${wanted.text}`);
  }

  #note(index: TaskIndex, failed: boolean): void {
    // Who begins again reads of failures before what became of them when they were tried again.
    const wasRetried = this.#failovers > 0 && this.outcomes.get(index) === true && this.#plan.order === 'completion';
    if (this.outcomes.has(index) && !wasRetried) this.#fail(`task ${index} came twice`);
    this.outcomes.set(index, failed);
  }

  /** Whatever was lost: it has all that there is (D25). */
  #checkAll(): void {
    for (const index of this.#observer.jobs.get(this.#job)?.recorded() ?? [])
      if (!this.outcomes.has(index)) return this.#complain(`task ${index} never came, after a failover`);
  }

  #fail(what: string): void {
    // What was told before may be told again, in another order.
    if (!this.#isTorn) this.#complain(what);
  }

  /** In a job that grows, what stood at a place may be another task now. */
  #wrong(what: string): void {
    if (!this.#isTorn || this.#plan.spawns !== true) this.#complain(what);
  }

  #complain(what: string): void {
    this.#world.fail('S7', `the results of job ${this.#job} (${this.#plan.reading}, ${this.#plan.order}): ${what}`);
  }
}
