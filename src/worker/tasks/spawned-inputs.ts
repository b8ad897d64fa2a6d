import type { PackedColumn } from '../../model/envelope.ts';
import { SPAWN_BYTES, SPAWN_TASKS } from '../../model/spawn-limits.ts';
import type { Spawned } from '../../model/spawned.ts';
import { packColumn } from '../../protocol/column.ts';
import { ColumnWriter } from '../../protocol/values/column-writer.ts';
import { ValueError } from '../../protocol/values/value-error.ts';

/** What the tasks of one chunk give their job (`ctx.spawn`): of those that fail, nothing. */
export class SpawnedInputs {
  readonly #allowed: boolean;
  readonly #writer = new ColumnWriter();
  readonly #by: [position: number, inputs: number][] = [];
  #position = 0;
  #inputs = 0;
  #bytes = 0;
  #running = false;

  /** `allowed`: the job was submitted as one whose tasks may. */
  constructor(allowed: boolean) {
    this.#allowed = allowed;
  }

  get byteLength(): number {
    return this.#writer.byteLength;
  }

  get count(): number {
    return this.#writer.count;
  }

  begin(position: number): void {
    this.#position = position;
    this.#inputs = 0;
    this.#bytes = 0;
    this.#running = true;
  }

  /** Throws where it may not be added; a value that cannot be sent, as a ValueError. */
  add(input: unknown): void {
    if (!this.#allowed)
      throw new TypeError('ctx.spawn is for jobs that were submitted with the option spawns (run --spawns)');
    if (!this.#running) throw new TypeError('ctx.spawn was called after its task had ended');
    if (this.#inputs === SPAWN_TASKS)
      throw new RangeError(
        `ctx.spawn: a task adds at most ${SPAWN_TASKS} others; give some of them several inputs to spread`,
      );
    const size = this.#append(input);
    this.#inputs += 1;
    this.#bytes += size;
    if (this.#bytes <= SPAWN_BYTES) return;
    throw new RangeError(
      `ctx.spawn: the inputs that a task adds have at most ${SPAWN_BYTES / 1024} KiB together; store what is large by ctx.blob, and spawn its name`,
    );
  }

  /** Thrown here, so that the first line of its stack that is not ours is the author's. */
  #append(input: unknown): number {
    try {
      return this.#writer.append(input);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new TypeError(`ctx.spawn: ${error.about('its input').message}`);
    }
  }

  /** The task is over. */
  end(succeeded: boolean): void {
    this.#running = false;
    if (succeeded && this.#inputs > 0) this.#by.push([this.#position, this.#inputs]);
    if (!succeeded) for (let i = 0; i < this.#inputs; i++) this.#writer.pop();
  }

  /** By their tasks' places in the chunk. Undefined: there are none. */
  finish(): { readonly spawned: Spawned; readonly column: PackedColumn } | undefined {
    if (this.#by.length === 0) return undefined;
    const { lengths, status, bytes } = this.#writer.finish();
    return { spawned: this.#by, column: packColumn(lengths, status, bytes) };
  }
}
