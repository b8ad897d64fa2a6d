import { openTasks } from '../model/bitmaps.ts';
import type { Epoch, JobId, TaskIndex } from '../model/ids.ts';
import type { BlockRecord, TaskException } from '../model/job.ts';
import { countRuns, intersectRuns, pushRun, type Run } from '../model/runs.ts';
import type { Lease } from './leases.ts';
import { mayMove, type TaskState } from './transitions.ts';
import type { Trouble } from './trouble.ts';

/** Tasks of a block or a job that are in flight, by where they stand. */
export interface Tally {
  ready: number;
  aside: number;
  leased: number;
  orphaned: number;
}

const WORD = 32;
const FULL = 0xffffffff;
/** One plane of bits for each state but `ready`, which is the absence of all; the three ends, and what is elsewhere, share one. */
const PLANE = { ready: -1, ended: 0, leased: 1, aside: 2, orphaned: 3 } as const;
const PLANES = 4;

type Standing = keyof typeof PLANE;

function standing(state: TaskState): Standing {
  return state === 'done' || state === 'failed' || state === 'cancelled' || state === 'elsewhere' ? 'ended' : state;
}

/** Bits `from`..`to` (without `to`) of a word. */
function maskOf(from: number, to: number): number {
  const upTo = to === WORD ? FULL : (1 << to) - 1;
  return (upTo & (FULL << from)) >>> 0;
}

function popCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The tasks of one claimed block. The only place that knows bitmaps; all is done a word, 32 tasks, at a time. */
export class BlockState {
  readonly job: JobId;
  readonly first: TaskIndex;
  readonly count: number;
  readonly generation: number;
  /** Tasks with a past, while they have not ended. */
  readonly troubles = new Map<TaskIndex, Trouble>();
  /** Tasks that run twice (R25). */
  readonly copied = new Set<TaskIndex>();
  /** Leases whose outcomes could still be of interest. */
  readonly leases = new Set<Lease>();
  /** How many of them had tasks taken from them, of which an outcome may still come. */
  strays = 0;
  readonly tally: Tally;
  ended = 0;
  readonly #jobTally: Tally;
  readonly #words: number;
  readonly #bits: Uint32Array;
  /** No word below this one has a ready task. */
  #from = 0;

  constructor(job: JobId, first: TaskIndex, count: number, generation: number, jobTally: Tally) {
    this.job = job;
    this.first = first;
    this.count = count;
    this.generation = generation;
    this.tally = { ready: count, aside: 0, leased: 0, orphaned: 0 };
    this.#jobTally = jobTally;
    jobTally.ready += count;
    this.#words = Math.ceil(count / WORD);
    this.#bits = new Uint32Array(this.#words * PLANES);
  }

  get over(): boolean {
    return this.ended === this.count;
  }

  has(runs: readonly Run[]): boolean {
    return runs.every((run) => run.start >= this.first && run.start + run.count <= this.first + this.count);
  }

  /** Moves tasks that are all in `from`; anything else is a bug and throws. */
  move(runs: readonly Run[], from: TaskState, to: TaskState): void {
    if (!mayMove(from, to)) throw new Error(`a task that is ${from} cannot become ${to}`);
    const source = standing(from);
    const target = standing(to);
    if (source === target) return;
    let moved = 0;
    for (const run of runs) {
      this.#moveRun(run.start - this.first, run.count, PLANE[source], PLANE[target]);
      moved += run.count;
    }
    this.#count(source, -moved);
    this.#count(target, moved);
  }

  #moveRun(start: number, count: number, from: number, to: number): void {
    const end = start + count;
    if (start < 0 || end > this.count) throw new Error(`tasks ${start}+${count} are outside of their block`);
    const words = this.#words;
    const bits = this.#bits;
    for (let word = start >>> 5, at = start; at < end; word++, at = word * WORD) {
      const mask = maskOf(at & 31, Math.min(WORD, end - word * WORD));
      const is = from < 0 ? ~this.#busy(word) >>> 0 : bits[from * words + word]!;
      if ((is & mask) >>> 0 !== mask)
        throw new Error(`tasks ${this.first + at}… of job ${this.job} are not where they should be`);
      if (from >= 0) bits[from * words + word]! &= ~mask;
      if (to >= 0) bits[to * words + word]! |= mask;
      else if (word < this.#from) this.#from = word;
    }
  }

  #count(state: Standing, by: number): void {
    if (state === 'ended') {
      this.ended += by;
    } else {
      this.tally[state] += by;
      this.#jobTally[state] += by;
    }
  }

  #busy(word: number): number {
    const bits = this.#bits;
    const words = this.#words;
    return bits[word]! | bits[words + word]! | bits[2 * words + word]! | bits[3 * words + word]!;
  }

  #in(state: Standing, word: number): number {
    const plane = PLANE[state];
    return (plane < 0 ? ~this.#busy(word) : this.#bits[plane * this.#words + word]!) >>> 0;
  }

  /** Up to `max` ready tasks, lowest first. They stay ready until they are moved. */
  next(max: number): Run[] {
    const runs: Run[] = [];
    let left = Math.min(max, this.tally.ready);
    let word = this.#from;
    while (left > 0) {
      const free = this.#in('ready', word) & this.#valid(word);
      if (free !== 0) left = pushBits(runs, this.first + word * WORD, free >>> 0, left);
      else if (word === this.#from) this.#from++;
      word++;
    }
    return runs;
  }

  /** The bits of a word that stand for tasks. */
  #valid(word: number): number {
    return maskOf(0, Math.min(WORD, this.count - word * WORD));
  }

  /** Those of the runs that are in this state. */
  select(runs: readonly Run[], state: Standing): Run[] {
    const chosen: Run[] = [];
    for (const run of runs) {
      const start = run.start - this.first;
      const end = start + run.count;
      for (let word = start >>> 5, at = start; at < end; word++, at = word * WORD) {
        const mask = maskOf(at & 31, Math.min(WORD, end - word * WORD));
        const here = (this.#in(state, word) & mask) >>> 0;
        if (here !== 0) pushBits(chosen, this.first + word * WORD, here, WORD);
      }
    }
    return chosen;
  }

  /** All of the runs are in this state. */
  all(runs: readonly Run[], state: Standing): boolean {
    for (const run of runs) {
      const start = run.start - this.first;
      const end = start + run.count;
      for (let word = start >>> 5, at = start; at < end; word++, at = word * WORD) {
        const mask = maskOf(at & 31, Math.min(WORD, end - word * WORD));
        if ((this.#in(state, word) & mask) >>> 0 !== mask) return false;
      }
    }
    return true;
  }

  stateOf(index: TaskIndex): Standing {
    const word = (index - this.first) >>> 5;
    const bit = 1 << ((index - this.first) & 31);
    for (const state of ['ended', 'leased', 'aside', 'orphaned'] as const) {
      if ((this.#in(state, word) & bit) !== 0) return state;
    }
    return 'ready';
  }

  /** Counted from the bits, to check the counters against. */
  recount(state: Standing): number {
    let tasks = 0;
    for (let word = 0; word < this.#words; word++) tasks += popCount(this.#in(state, word) & this.#valid(word));
    return tasks;
  }

  /** Indexes of those tasks of the runs that have a past. Sorted. */
  troubled(runs: readonly Run[]): TaskIndex[] {
    if (this.troubles.size === 0) return [];
    const found: TaskIndex[] = [];
    for (const index of this.troubles.keys()) {
      if (runs.some((run) => index >= run.start && index < run.start + run.count)) found.push(index);
    }
    return found.sort((a, b) => a - b);
  }

  /** `wall`: added to a time to make it one of the wall clock. */
  record(epoch: Epoch, wall: number): BlockRecord {
    const row = { job: this.job, first: this.first, count: this.count, generation: this.generation, epoch };
    const exceptions = this.troubles.size === 0 ? [] : this.#exceptions(wall);
    if (this.ended === 0) return { ...row, exceptions };
    // Words are stored lowest byte first on every processor that Node and browsers run on.
    const bytes = new Uint8Array(this.#bits.buffer, 0, Math.ceil(this.count / 8)).slice();
    return { ...row, exceptions, ended: bytes };
  }

  #exceptions(wall: number): TaskException[] {
    const rows: TaskException[] = [];
    let last: Trouble | undefined;
    for (const index of [...this.troubles.keys()].sort((a, b) => a - b)) {
      const trouble = this.troubles.get(index)!;
      const row = rows[rows.length - 1];
      if (row !== undefined && trouble === last && row.index + row.count === index) {
        rows[rows.length - 1] = { ...row, count: row.count + 1 };
        continue;
      }
      last = trouble;
      const { charged, failedOn, failedLease, losses, lostWorkers, notBefore } = trouble;
      const backoff = notBefore === 0 ? {} : { notBeforeAt: notBefore + wall };
      const failed = failedLease === 0 ? {} : { failedLease };
      rows.push({ index, count: 1, charged, failedOn, ...failed, losses, lostWorkers, ...backoff });
    }
    return rows;
  }

  /** From disk. Tasks with a past are aside, everything else that has not ended is ready. */
  static recover(record: BlockRecord, wall: number, jobTally: Tally): BlockState {
    const block = new BlockState(record.job, record.first, record.count, record.generation, jobTally);
    if (record.ended !== undefined) {
      new Uint8Array(block.#bits.buffer, 0, record.ended.length).set(record.ended);
      const ended = block.recount('ended');
      block.#count('ready', -ended);
      block.#count('ended', ended);
    }
    block.#setAside(record.exceptions, wall);
    return block;
  }

  /** These tasks, which have not ended, are other servers' from now on. Returns what they went through. */
  give(runs: readonly Run[], wall: number): TaskException[] {
    const exceptions = this.troubles.size === 0 ? [] : this.#exceptions(wall);
    for (const index of this.troubled(runs)) this.troubles.delete(index);
    for (const from of ['ready', 'aside', 'leased', 'orphaned'] as const)
      this.move(this.select(runs, from), from, 'elsewhere');
    return exceptions.flatMap((exception) =>
      intersectRuns([{ start: exception.index, count: exception.count }], runs).map(({ start, count }) => ({
        ...exception,
        index: start,
        count,
      })),
    );
  }

  /** Tasks that were another server's, with what they went through. Returns how many. */
  receive(record: BlockRecord, wall: number): number {
    const runs = openTasks(record);
    this.move(runs, 'elsewhere', 'ready');
    this.#setAside(record.exceptions, wall);
    return countRuns(runs);
  }

  #setAside(exceptions: readonly TaskException[], wall: number): void {
    for (const row of exceptions) {
      const notBefore = row.notBeforeAt === undefined ? 0 : row.notBeforeAt - wall;
      const { charged, failedOn, failedLease = 0, losses, lostWorkers } = row;
      const trouble: Trouble = { charged, failedOn, failedLease, losses, lostWorkers, notBefore };
      const runs = this.select([{ start: row.index, count: row.count }], 'ready');
      for (const run of runs) for (let i = 0; i < run.count; i++) this.troubles.set(run.start + i, trouble);
      this.move(runs, 'ready', 'aside');
    }
  }
}

/** Appends the runs of a word's bits, at most `left` tasks; returns how many are left to take. */
function pushBits(runs: Run[], base: number, bits: number, left: number): number {
  if (bits === FULL && left >= WORD) {
    pushRun(runs, base, WORD);
    return left - WORD;
  }
  let rest = bits;
  let remaining = left;
  while (rest !== 0 && remaining > 0) {
    const start = 31 - Math.clz32(rest & -rest);
    const ones = ~(rest >>> start) >>> 0;
    const length = Math.min(ones === 0 ? WORD - start : 31 - Math.clz32(ones & -ones), WORD - start, remaining);
    pushRun(runs, base + start, length);
    rest = (rest & ~maskOf(start, start + length)) >>> 0;
    remaining -= length;
  }
  return remaining;
}
