import type { TaskIndex } from '../model/ids.ts';
import { PAGE_FAILURE_GROUPS, PAGE_FAILURES } from '../model/page-limits.ts';
import { causesOf } from './causes.ts';
import { type Outcome, outcomeIn } from './outcomes.ts';

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
  /** The group of each failed task, for the day on which it is tried again. */
  readonly #of = new Map<TaskIndex, string>();
  /** Failures beyond the bounds, of which only the number is known. */
  others = 0;

  /** Failures that are in a group. */
  get grouped(): number {
    return this.#of.size;
  }

  /** The newest outcome of a task counts. */
  add(outcome: Outcome): void {
    this.#remove(outcome.index);
    if (outcome.status !== 'failed') return;
    const { index, error } = outcome;
    const { name = 'Error', message = '', stack } = error ?? {};
    const causes = causesOf(error ?? {});
    const key = [name, message, ...causes].join('\n').replace(/\d+(\.\d+)?/g, '#');
    const group = this.#groups.get(key);
    if ((group === undefined && this.#groups.size >= PAGE_FAILURE_GROUPS) || this.#of.size >= PAGE_FAILURES) {
      this.others++;
      return;
    }
    this.#of.set(index, key);
    const { tasks, examples } = group ?? { tasks: 0, examples: [] };
    this.#groups.set(key, {
      ...(group ?? { name, message, stack, causes }),
      tasks: tasks + 1,
      examples: examples.length < EXAMPLES ? [...examples, index] : examples,
    });
  }

  #remove(index: TaskIndex): void {
    const key = this.#of.get(index);
    const group = key === undefined ? undefined : this.#groups.get(key);
    if (key === undefined || group === undefined) return;
    this.#of.delete(index);
    if (group.tasks === 1) this.#groups.delete(key);
    else
      this.#groups.set(key, {
        ...group,
        tasks: group.tasks - 1,
        examples: group.examples.filter((each) => each !== index),
      });
  }

  /** The largest first. */
  get all(): FailureGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.tasks - a.tasks);
  }
}

/** Looks for failures among results in the order in which they were recorded, and goes on where it stopped. */
export class FailureSearch {
  readonly groups = new FailureGroups();
  /** The query parameter that goes on after what was looked at; empty: nothing was. */
  after = '';
  looked = 0;
  /** Told since the last cursor: after a cut they are told again. */
  #pending: Outcome[] = [];

  /** Forgets what may be told again. */
  begin(): void {
    this.#pending = [];
  }

  take(line: string): void {
    const outcome = outcomeIn(line);
    if (outcome !== undefined) {
      this.#pending.push(outcome);
      return;
    }
    const { cursor } = JSON.parse(line) as { cursor?: string };
    if (cursor === undefined) return;
    for (const each of this.#pending) this.groups.add(each);
    this.looked += this.#pending.length;
    this.#pending = [];
    this.after = `&after=${encodeURIComponent(cursor)}`;
  }
}
