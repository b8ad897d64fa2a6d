import { type PackedColumn, ValueStatus } from '../../../model/envelope.ts';
import { COMMANDS_TIME } from '../../../model/exec-limits.ts';
import { CHUNK_BYTES } from '../../../model/limits.ts';
import { packColumn } from '../../../protocol/column.ts';
import { ColumnWriter } from '../../../protocol/values/column-writer.ts';
import type { ExecValue } from '../../exec/exec-code.ts';
import { statusOfFailure, type WorkerFailure } from '../../failures.ts';

/** Outcomes that are reported together: of a chunk, or of what is left of one that was cut. */
export class ChunkPart {
  readonly #outcomes = new ColumnWriter();
  readonly #begunAt: number;
  #done = 0;

  constructor(begunAt = performance.now()) {
    this.#begunAt = begunAt;
  }

  get done(): number {
    return this.#done;
  }

  get hasRoom(): boolean {
    return this.#outcomes.byteLength < CHUNK_BYTES;
  }

  /** It is time to report. */
  get isLong(): boolean {
    return performance.now() - this.#begunAt >= COMMANDS_TIME;
  }

  append(outcome: ExecValue | WorkerFailure): void {
    if ('kind' in outcome) this.#outcomes.appendRecord(statusOfFailure(outcome), outcome);
    else this.#outcomes.appendRecord(ValueStatus.json, outcome);
    this.#done += 1;
  }

  finish(now: number): { done: number; micros: number; column: PackedColumn } {
    const { lengths, status, bytes } = this.#outcomes.finish();
    const micros = (now - this.#begunAt) * 1_000;
    return { done: this.#done, micros, column: packColumn(lengths, status, bytes) };
  }
}
