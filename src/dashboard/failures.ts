import type { TaskIndex } from '../model/ids.ts';
import { PAGE_FAILURE_GROUPS, PAGE_FAILURE_PLACES, PAGE_FAILURES } from '../model/page-limits.ts';
import { causesOf } from './causes.ts';
import type { Outcome } from './outcomes.ts';

/** Failures that say the same, but for the numbers in it. */
export interface FailureGroup {
  readonly name: string;
  /** As the first of them said it. */
  readonly message: string;
  readonly stack: string | undefined;
  /** Why it was thrown, as the first of them said it. */
  readonly causes: readonly string[];
  readonly tasks: number;
  /** The first few. */
  readonly examples: readonly TaskIndex[];
}

const EXAMPLES = 5;

/** Puts failures that have the same reason together, as far as their messages and those of their causes tell. */
export class FailureGroups {
  readonly #groups = new Map<string, FailureGroup>();
  readonly #seen = new Set<TaskIndex>();
  /** Failures of more kinds than are kept, of which only the number is known. */
  others = 0;

  /** Tasks whose failures have been looked at. */
  get looked(): number {
    return this.#seen.size;
  }

  /** What is told twice counts once. */
  add({ index, status, error = {} }: Outcome): void {
    if (status !== 'failed' || this.#seen.has(index)) return;
    this.#seen.add(index);
    const { name = 'Error', message = '', stack } = error;
    const causes = causesOf(error);
    const key = [name, message, ...causes].join('\n').replace(/\d+(\.\d+)?/g, '#');
    const group = this.#groups.get(key);
    if (group === undefined && this.#groups.size >= PAGE_FAILURE_GROUPS) {
      this.others++;
      return;
    }
    const { tasks, examples } = group ?? { tasks: 0, examples: [] };
    this.#groups.set(key, {
      ...(group ?? { name, message, stack, causes }),
      tasks: tasks + 1,
      examples: examples.length < EXAMPLES ? [...examples, index] : examples,
    });
  }

  /** The largest first. */
  get all(): FailureGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.tasks - a.tasks);
  }
}

/** A part of a job's batches, of which some failures are read. */
export interface Place {
  /** Batches before it. */
  readonly after: number;
  /** The last of its batches. */
  readonly end: number;
  readonly failures: number;
}

/** Spread over a job of so many batches, whatever each of them holds. */
export function placesIn(batches: number): Place[] {
  const places = Math.min(PAGE_FAILURE_PLACES, batches);
  const failures = Math.ceil(PAGE_FAILURES / places);
  const start = (place: number) => Math.floor((place * batches) / places);
  return Array.from({ length: places }, (_, i) => ({ after: start(i), end: start(i + 1), failures }));
}

/** How many of all failures a part of those that were looked at stands for, in two figures. */
export function estimated(tasks: number, looked: number, failed: number): number {
  return looked === 0 ? 0 : Number(((tasks / looked) * failed).toPrecision(2));
}
