import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { INPUT_CACHE_BYTES } from '../model/limits.ts';
import { type Column, readColumn } from '../protocol/column.ts';

/** Inputs of blocks in flight. A block pushed out by newer ones is read from the store again when it is granted. */
export class InputCache {
  /** In the order in which they came. */
  readonly #columns = new Map<string, { job: JobId; first: TaskIndex; packed: PackedColumn; column?: Column }>();
  readonly #blocks = new Map<JobId, Set<TaskIndex>>();
  #bytes = 0;

  put(job: JobId, first: TaskIndex, packed: PackedColumn): void {
    this.drop(job, first);
    this.#columns.set(`${job}/${first}`, { job, first, packed });
    const blocks = this.#blocks.get(job);
    if (blocks === undefined) this.#blocks.set(job, new Set([first]));
    else blocks.add(first);
    this.#bytes += packed.length;
    for (const oldest of this.#columns.values()) {
      if (this.#bytes <= INPUT_CACHE_BYTES || this.#columns.size === 1) break;
      this.drop(oldest.job, oldest.first);
    }
  }

  get(job: JobId, first: TaskIndex): { packed: PackedColumn; column: Column } | undefined {
    const entry = this.#columns.get(`${job}/${first}`);
    if (entry === undefined) return undefined;
    entry.column ??= readColumn(entry.packed);
    return entry as { packed: PackedColumn; column: Column };
  }

  drop(job: JobId, first: TaskIndex): void {
    const key = `${job}/${first}`;
    const entry = this.#columns.get(key);
    if (entry === undefined) return;
    this.#columns.delete(key);
    this.#bytes -= entry.packed.length;
    const blocks = this.#blocks.get(job);
    blocks?.delete(first);
    if (blocks?.size === 0) this.#blocks.delete(job);
  }

  /** A block may have been read again after it had ended. */
  dropJob(job: JobId): void {
    for (const first of [...(this.#blocks.get(job) ?? [])]) this.drop(job, first);
  }

  clear(): void {
    this.#columns.clear();
    this.#blocks.clear();
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
