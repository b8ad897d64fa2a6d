import type { TaskIndex } from '../model/ids.ts';
import { PAGE_FAILURE_GROUPS } from '../model/limits.ts';
import type { Outcome } from './outcomes.ts';

/** Failures that say the same, but for the numbers in it. */
export interface FailureGroup {
  readonly name: string;
  /** As the first of them said it. */
  readonly message: string;
  readonly stack: string | undefined;
  readonly tasks: number;
  /** The first few. */
  readonly examples: readonly TaskIndex[];
}

const EXAMPLES = 5;

/** Puts failures that have the same cause together, as far as their messages tell. */
export class FailureGroups {
  readonly #groups = new Map<string, FailureGroup>();
  /** Failures that were put into a group. */
  grouped = 0;
  /** Failures of groups beyond the bound. */
  others = 0;

  add({ index, status, error }: Outcome): void {
    if (status !== 'failed') return;
    const { name = 'Error', message = '', stack } = error ?? {};
    const key = `${name}\n${message.replace(/\d+(\.\d+)?/g, '#')}`;
    const group = this.#groups.get(key);
    if (group === undefined && this.#groups.size >= PAGE_FAILURE_GROUPS) {
      this.others++;
      return;
    }
    this.grouped++;
    const { tasks, examples } = group ?? { tasks: 0, examples: [] };
    this.#groups.set(key, {
      ...(group ?? { name, message, stack }),
      tasks: tasks + 1,
      examples: examples.length < EXAMPLES ? [...examples, index] : examples,
    });
  }

  /** The largest first. */
  get all(): FailureGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.tasks - a.tasks);
  }
}
