import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { INPUT_CACHE_BYTES } from '../model/limits.ts';
import { type Column, readColumn } from '../protocol/column.ts';

/** Inputs of blocks in flight. A block pushed out by newer ones is read from the store again when it is granted. */
export class InputCache {
  readonly #columns = new Map<string, { packed: PackedColumn; column?: Column }>();
  #bytes = 0;

  put(job: JobId, first: TaskIndex, packed: PackedColumn): void {
    this.drop(job, first);
    this.#columns.set(`${job}/${first}`, { packed });
    this.#bytes += packed.length;
    for (const [key, entry] of this.#columns) {
      if (this.#bytes <= INPUT_CACHE_BYTES || this.#columns.size === 1) break;
      this.#columns.delete(key);
      this.#bytes -= entry.packed.length;
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
  }

  clear(): void {
    this.#columns.clear();
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
