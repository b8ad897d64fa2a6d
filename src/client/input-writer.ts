import { type BlobRef, ValueStatus } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import {
  BLOB_WINDOW_BYTES,
  BLOCK_TASKS,
  INLINE_VALUE_BYTES,
  INPUT_BLOCK_BLOB_BYTES,
  INPUT_BLOCK_BYTES,
} from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { ColumnWriter } from '../protocol/values/column-writer.ts';
import { ValueError } from '../protocol/values/value-error.ts';
import type { BlobExchange } from './surroundings.ts';
import type { Wire } from './wire.ts';

/**
 * The inputs of one open job on their way: values are written into the block at hand, and whole blocks are sent in order,
 * each when the blobs that it names have arrived.
 */
export class InputWriter {
  readonly #wire: Wire;
  readonly #blobs: BlobExchange;
  readonly #column = new ColumnWriter({ values: 256, bytes: 4096 });
  /** Index of the first input of the block at hand. */
  #first: TaskIndex;
  #uploads: Promise<unknown>[] = [];
  #blobBytes = 0;
  #bytesInFlight = 0;
  /** Set while a block waits for its blobs: those after it must wait too. */
  #queue: Promise<void> | undefined;
  #unanswered = 0;
  #toSkip = 0;
  #failure: Error | undefined;
  #drained: (() => void) | undefined;
  job: JobId | undefined;

  constructor(wire: Wire, blobs: BlobExchange, first: TaskIndex = 0) {
    this.#wire = wire;
    this.#blobs = blobs;
    this.#first = first;
  }

  /** The index of the next input. */
  get next(): TaskIndex {
    return this.#first + this.#column.count;
  }

  get isFull(): boolean {
    const { count, byteLength } = this.#column;
    return count >= BLOCK_TASKS || byteLength >= INPUT_BLOCK_BYTES || this.#blobBytes >= INPUT_BLOCK_BLOB_BYTES;
  }

  /** Why inputs could not be sent; nothing more will be. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Adds an input to the block at hand. A promise: it is a large one, to be awaited before the next. Throws a ValueError
   * that names the index and the path within the input, and leaves the block as it was.
   */
  add(value: unknown): Promise<void> | undefined {
    if (this.#toSkip > 0) {
      this.#toSkip -= 1;
      this.#first += 1;
      return undefined;
    }
    if (value instanceof Uint8Array && value.length > INLINE_VALUE_BYTES) {
      return this.#addBlob(ValueStatus.bytesBlob, value);
    }
    try {
      if (this.#column.append(value) <= INLINE_VALUE_BYTES) return undefined;
    } catch (error) {
      throw error instanceof ValueError ? error.about(`input ${this.next}`) : error;
    }
    const { bytes } = this.#column.pop();
    return this.#addBlob(ValueStatus.jsonBlob, bytes.subarray(0, -1));
  }

  /** Adds an input only if it is no large one; false: the block is as it was. */
  addSmall(value: unknown): boolean {
    if (value instanceof Uint8Array && value.length > INLINE_VALUE_BYTES) return false;
    try {
      if (this.#column.append(value) <= INLINE_VALUE_BYTES) return true;
    } catch (error) {
      throw error instanceof ValueError ? error.about('input') : error;
    }
    this.#column.pop();
    return false;
  }

  /** The inputs below this index are there already: they are passed over, those that were added and those to come. */
  skipTo(index: TaskIndex): void {
    const { lengths, status, bytes } = this.#column.finish();
    let offset = 0;
    for (let i = 0; i < lengths.length; i++) {
      const end = offset + (lengths[i] as number);
      if (this.#first + i >= index)
        this.#column.appendBytes(status?.[i] ?? ValueStatus.json, bytes.subarray(offset, end));
      offset = end;
    }
    this.#toSkip = Math.max(0, index - this.#first - lengths.length);
    this.#first = Math.max(this.#first, index - this.#toSkip);
  }

  /** Sends the block at hand, or queues it behind blocks that wait for blobs. */
  flush(): void {
    const count = this.#column.count;
    if (count === 0 || this.#failure !== undefined) return;
    const { lengths, status, bytes } = this.#column.finish();
    const column = packColumn(lengths, status, bytes);
    const first = this.#first;
    this.#first += count;
    const uploads = this.#uploads;
    this.#uploads = [];
    this.#blobBytes = 0;
    if (this.#queue === undefined && uploads.length === 0) return this.#send(first, count, column);
    const queue: Promise<void> = Promise.all([this.#queue, ...uploads]).then(
      () => this.#send(first, count, column),
      (error: Error) => this.#fail(error),
    );
    this.#queue = queue;
    void queue.then(() => {
      if (this.#queue === queue) this.#queue = undefined;
    });
  }

  /** Undefined: go on at once. */
  room(): Promise<void> | undefined {
    return this.#failure === undefined ? this.#wire.room() : undefined;
  }

  /** Resolves when everything that was flushed is on the server's disk; rejects with the first refusal. */
  async stored(): Promise<void> {
    while (this.#queue !== undefined) await this.#queue;
    if (this.#unanswered > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(first: TaskIndex, count: number, column: Uint8Array): void {
    if (this.job === undefined) throw new Error('inputs were flushed before their job was known');
    if (this.#failure !== undefined) return;
    this.#unanswered += 1;
    this.#wire.request({ kind: 'inputs', job: this.job, runs: [[first, count]] }, column).then(
      () => this.#answered(),
      (error: Error) => this.#fail(error),
    );
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#settle();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#settle();
  }

  #settle(): void {
    this.#drained?.();
    this.#drained = undefined;
  }

  async #addBlob(status: ValueStatus, bytes: Uint8Array): Promise<void> {
    const ref = await this.#blobs.refer(bytes);
    this.#column.appendRecord(status, { sha256: ref.sha256, size: ref.size } satisfies BlobRef);
    this.#blobBytes += bytes.length;
    this.#bytesInFlight += bytes.length;
    const upload = this.#blobs.put(ref, bytes).finally(() => {
      this.#bytesInFlight -= bytes.length;
    });
    upload.catch(() => {});
    this.#uploads.push(upload);
    if (this.#bytesInFlight > BLOB_WINDOW_BYTES) await upload.catch(() => {});
  }
}
