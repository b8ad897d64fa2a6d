import type { TaskIndex } from '../../model/ids.ts';
import { readColumn } from '../../protocol/column.ts';
import type { JobPlan } from './plan.ts';
import { hashed } from './random.ts';
import { inputOf } from './tasks.ts';

const decoder = new TextDecoder();

/** Inputs that a task of a job that grows gives it at most. */
const CHILDREN = 3;

/** Of a job that grows: its own inputs have children, and so have some of these. A task is told from others by its input. */
export function childrenOf(plan: JobPlan, number: number, task: number): number[] {
  if (plan.spawns !== true || task >= 2 * plan.count) return [];
  const first = plan.count + CHILDREN * task;
  return Array.from({ length: Math.floor(hashed(number, task, 5) * (CHILDREN + 1)) }, (_, child) => first + child);
}

/** The tasks that stand in a column of inputs. */
export function tasksIn(number: number, packed: Uint8Array): number[] {
  const text = decoder.decode(readColumn(packed).bytes);
  const step = inputOf(number, 1) - inputOf(number, 0);
  return text === ''
    ? []
    : text
        .slice(0, -1)
        .split(',')
        .map((input) => (Number(input) - inputOf(number, 0)) / step);
}

/** Which task stands where in a job that grows, by what is on disk; none comes twice, or without its parent (R34). */
export class Family {
  readonly #plan: JobPlan;
  readonly #number: number;
  readonly #places: number[] = [];
  readonly #expected: Set<number>;

  constructor(plan: JobPlan, number: number) {
    this.#plan = plan;
    this.#number = number;
    this.#expected = new Set(Array.from({ length: plan.count }, (_, index) => index));
  }

  copy(): Family {
    const copy = new Family(this.#plan, this.#number);
    copy.#places.push(...this.#places);
    for (const task of this.#expected) copy.#expected.add(task);
    return copy;
  }

  get size(): number {
    return this.#places.length;
  }

  /** The task at a place; in a job that does not grow, the place itself. */
  at(index: TaskIndex): number {
    return this.#places[index] ?? index;
  }

  /** Inputs have reached the disk. */
  add(first: TaskIndex, packed: Uint8Array): void {
    for (const [i, task] of tasksIn(this.#number, packed).entries()) this.#places[first + i] = task;
  }

  /** A task is recorded as done: its children are due in the same commit. */
  done(index: TaskIndex): void {
    for (const child of childrenOf(this.#plan, this.#number, this.at(index))) this.#expected.add(child);
  }

  /** After a commit. `complete`: all that is expected should be there. */
  wrong(complete: boolean): string | undefined {
    const there = new Set(this.#places);
    if (there.size !== this.#places.length) return 'an input stands there twice';
    const strange = this.#places.find((task) => !this.#expected.has(task));
    if (strange !== undefined) return `input ${strange} was given by no task that is done`;
    if (complete && there.size !== this.#expected.size)
      return `${this.#expected.size} inputs were given, ${there.size} are there`;
    return undefined;
  }
}
