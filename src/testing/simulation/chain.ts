import type { JobId, TaskIndex } from '../../model/ids.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import type { StoredJob } from '../../store/memory/memory-disk.ts';
import type { JobPlan } from './plan.ts';
import { resultFor, valueFor } from './tasks.ts';

const decoder = new TextDecoder();

/** The tasks whose results become inputs of another job, if all go well: those that give something. */
export function givingTasks(plan: JobPlan, number: number): TaskIndex[] {
  const all = Array.from({ length: plan.count }, (_, index) => index);
  return all.filter((index) => valueFor(plan, number, index) !== undefined);
}

/** Of the job whose results are taken: what is known of its tasks by the rows on disk. */
export interface Source {
  readonly id: JobId;
  readonly plan: JobPlan;
  readonly number: number;
  readonly done: number;
  has(index: TaskIndex): boolean;
  hasFailed(index: TaskIndex): boolean;
}

/** Inputs that are the results of another job: each of them once, in the order of its tasks, and none before it is recorded (R31). */
export class Chain {
  /** As they travel. */
  readonly texts: string[] = [];
  /** The next task of the source that may have given one. */
  #next: TaskIndex = 0;

  copy(): Chain {
    const copy = new Chain();
    copy.texts.push(...this.texts);
    copy.#next = this.#next;
    return copy;
  }

  /** Inputs have reached the disk. Returns what is wrong with them. */
  grow({ inputs, blobs }: Pick<StoredJob, 'inputs' | 'blobs'>, source: Source): string | undefined {
    for (const [first, { column: packed }] of inputs) {
      if (first < this.texts.length) continue;
      if (first > this.texts.length) return `inputs go on at ${first}, not at ${this.texts.length}`;
      const column = readColumn(packed);
      const text = decoder.decode(column.bytes);
      let at = 0;
      for (let position = 0; position < column.count; position++) {
        const end = at + (column.lengths[position] as number);
        const wrong = this.#take(statusOf(column, position), text.slice(at, end), source, blobs);
        if (wrong !== undefined) return wrong;
        at = end;
      }
    }
    return undefined;
  }

  /** Of a job that takes no more of them. */
  wrongAtEnd({ plan, number, done }: Source): string | undefined {
    const giving = givingTasks(plan, number).length;
    if (done !== plan.count) return `its inputs are complete, with ${done} of ${plan.count} tasks done that give them`;
    return this.texts.length === giving ? undefined : `it has ${this.texts.length} of ${giving} inputs`;
  }

  #take(status: number, text: string, source: Source, blobs: ReadonlySet<string>): string | undefined {
    const place = this.texts.length;
    while (this.#isSilent(this.#next, source)) this.#next += 1;
    const task = this.#next;
    if (!source.has(task) || source.hasFailed(task))
      return `input ${place} came before task ${source.id}/${task} was recorded`;
    const wanted = resultFor(source.plan, source.number, task);
    if (status !== wanted.status || text !== wanted.text)
      return `input ${place} is ${status} ${text}, and task ${source.id}/${task} gave ${wanted.status} ${wanted.text}`;
    if (wanted.blob !== undefined && !blobs.has(wanted.blob.sha256)) return `nothing keeps the blob of input ${place}`;
    this.texts.push(text);
    this.#next += 1;
    return undefined;
  }

  /** A task that gives nothing; one that has failed gives nothing, either. */
  #isSilent(task: TaskIndex, source: Source): boolean {
    if (task >= source.plan.count) return false;
    return source.hasFailed(task) || valueFor(source.plan, source.number, task) === undefined;
  }
}
