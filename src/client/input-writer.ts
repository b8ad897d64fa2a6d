import { BLOB_WINDOW_BYTES, INPUT_BLOCK_BLOB_BYTES, INPUT_BLOCK_BYTES } from '../model/client-limits.ts';
import { type BlobRef, ValueStatus } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { BLOCK_TASKS, INLINE_VALUE_BYTES } from '../model/limits.ts';
import { packColumn } from '../protocol/column.ts';
import { ColumnWriter } from '../protocol/values/column-writer.ts';
import { ValueError } from '../protocol/values/value-error.ts';
import type { BlobExchange } from './surroundings.ts';
import type { Wire } from './wire.ts';

interface Block {
  readonly first: TaskIndex;
  readonly count: number;
  readonly column: Uint8Array;
  readonly uploads: readonly Promise<unknown>[];
}

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
  #sentBytes = 0;
  #bytesInFlight = 0;
  /** Set while a block waits for its blobs: those after it must wait too. */
  #queue: Promise<void> | undefined;
  #unanswered = 0;
  #toSkip = 0;
  #failure: Error | undefined;
  #drained: (() => void) | undefined;
  #job: JobId | undefined;
  /** Told of the first refusal: whoever does not wait for `stored` must hear of it. */
  onFailure: (error: Error) => void = () => {};
  /** Blocks that were whole before their job was known. */
  #early: Block[] = [];

  constructor(wire: Wire, blobs: BlobExchange, first: TaskIndex = 0) {
    this.#wire = wire;
    this.#blobs = blobs;
    this.#first = first;
  }

  /** The index of the next input. */
  get next(): TaskIndex {
    return this.#first + this.#column.count;
  }

  /** Of all inputs that were flushed. */
  get sentBytes(): number {
    return this.#sentBytes;
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
      throw refusal(error, `inputs[${this.next}]`);
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
      throw refusal(error, 'input');
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

  /** The job is on the server's disk: it may take inputs. */
  start(job: JobId): void {
    this.#job = job;
    for (const block of this.#early.splice(0)) this.#dispatch(block);
  }

  /** Sends the block at hand, or queues it behind blocks that wait for blobs, or for the job. */
  flush(): void {
    const count = this.#column.count;
    if (count === 0 || this.#failure !== undefined) return;
    const { lengths, status, bytes } = this.#column.finish();
    const block = { first: this.#first, count, column: packColumn(lengths, status, bytes), uploads: this.#uploads };
    this.#first += count;
    this.#sentBytes += block.column.length + this.#blobBytes;
    this.#uploads = [];
    this.#blobBytes = 0;
    if (this.#job === undefined) this.#early.push(block);
    else this.#dispatch(block);
  }

  #dispatch(block: Block): void {
    if (this.#queue === undefined && block.uploads.length === 0) return this.#send(block);
    const queue: Promise<void> = Promise.all([this.#queue, ...block.uploads]).then(
      () => this.#send(block),
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

  #send({ first, count, column }: Block): void {
    if (this.#failure !== undefined || this.#job === undefined) return;
    this.#unanswered += 1;
    this.#wire.request({ kind: 'inputs', job: this.#job, runs: [[first, count]] }, column).then(
      () => this.#answered(),
      (error: Error) => this.#fail(error),
    );
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered === 0) this.#settle();
  }

  #fail(error: Error): void {
    if (this.#failure === undefined) {
      this.#failure = error;
      this.onFailure(error);
    }
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

/** Names the input. A text has at most half a billion letters, which is the one thing that makes JSON of a value fail. */
function refusal(error: unknown, root: string): unknown {
  if (error instanceof ValueError) return error.about(root);
  if (!(error instanceof RangeError)) return error;
  return new ValueError(
    '',
    'is too large for one text of JSON: give its bytes as a Uint8Array, or several inputs',
    root,
  );
}
