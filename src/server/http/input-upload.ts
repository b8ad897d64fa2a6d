import { createHash } from 'node:crypto';
import { ValueStatus } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import { BLOCK_BYTES, BLOCK_TASKS, INLINE_VALUE_BYTES, INPUT_LINE_BYTES } from '../../model/limits.ts';
import { type Column, packColumn, readColumn, statusOf } from '../../protocol/column.ts';
import { ColumnWriter } from '../../protocol/values/column-writer.ts';
import type { Encoded } from '../../protocol/values/value.ts';
import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';

/**
 * Inputs of an open job, from an index on. What is stored at an index already is compared, not stored again, so an upload
 * that was cut may be sent again from anywhere at or before where it broke.
 */
export class InputUpload {
  readonly #core: Core;
  readonly #job: JobId;
  readonly #stored: StoredInputs;
  #writer = new ColumnWriter();
  #first: TaskIndex;
  /** Where the job's inputs ended when this upload began. */
  readonly #known: number;
  next: TaskIndex;

  private constructor(core: Core, job: JobId, from: TaskIndex, known: number) {
    this.#core = core;
    this.#job = job;
    this.#known = known;
    this.#stored = new StoredInputs(core, job);
    this.next = from;
    this.#first = from;
  }

  static async open(core: Core, job: JobId, from: TaskIndex): Promise<InputUpload> {
    const known = await core.readJob(job);
    if (known === undefined) throw new Problem('unknown', `there is no job ${job}`);
    if (known.spec.range !== undefined) throw new Problem('conflict', `the inputs of job ${job} are a range`);
    const { total } = known.progress;
    if (from > total) {
      throw new Problem('conflict', `job ${job} has ${total} inputs: go on from there`, { extra: { total } });
    }
    return new InputUpload(core, job, from, total);
  }

  async add(value: Encoded): Promise<void> {
    const { encoding, bytes } = await this.#inlineOrBlob(value);
    if (this.next < this.#known) {
      if (!(await this.#stored.isEqual(this.next, encoding, bytes))) {
        throw new Problem('conflict', `input ${this.next} of job ${this.#job} is stored already and is another value`);
      }
      this.next++;
      this.#first = this.next;
      return;
    }
    if (this.#writer.count === BLOCK_TASKS || this.#writer.byteLength + bytes.length > BLOCK_BYTES) await this.#flush();
    this.#writer.appendBytes(encoding, bytes);
    this.next++;
  }

  /** All that was added is on disk when it resolves. */
  async finish(): Promise<void> {
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const { count } = this.#writer;
    if (count === 0) return;
    const { lengths, status, bytes } = this.#writer.finish();
    await this.#core.addInputs(this.#job, this.#first, count, packColumn(lengths, status, bytes));
    this.#first += count;
  }

  async #inlineOrBlob({ encoding, bytes }: Encoded): Promise<Encoded> {
    if (bytes.length <= INLINE_VALUE_BYTES) return { encoding, bytes };
    const isJson = encoding === ValueStatus.json;
    const content = isJson ? bytes.subarray(0, -1) : bytes;
    const sha256 = createHash('sha256').update(content).digest('hex');
    if ((await this.#core.blobs.size(sha256)) === undefined) await this.#core.blobs.put(sha256, only(content));
    const record = `${JSON.stringify({ sha256, size: content.length })},`;
    return { encoding: isJson ? ValueStatus.jsonBlob : ValueStatus.bytesBlob, bytes: Buffer.from(record) };
  }
}

/** Reads stored inputs one after the other, block by block. */
export class StoredInputs {
  readonly #core: Core;
  readonly #job: JobId;
  #first = 0;
  #column: Column | undefined;
  #offsets: Uint32Array = new Uint32Array(0);

  constructor(core: Core, job: JobId) {
    this.#core = core;
    this.#job = job;
  }

  async isEqual(index: TaskIndex, status: number, bytes: Uint8Array): Promise<boolean> {
    const stored = await this.at(index);
    return stored !== undefined && stored.status === status && Buffer.compare(stored.bytes, bytes) === 0;
  }

  async at(index: TaskIndex): Promise<{ status: number; bytes: Uint8Array } | undefined> {
    let column = this.#column;
    if (column === undefined || index < this.#first || index >= this.#first + column.count) {
      column = await this.#load(index);
      if (column === undefined) return undefined;
    }
    const position = index - this.#first;
    return {
      status: statusOf(column, position),
      bytes: column.bytes.subarray(this.#offsets[position], this.#offsets[position + 1]),
    };
  }

  async #load(index: TaskIndex): Promise<Column | undefined> {
    const { store } = this.#core;
    const near = await store.listBlocks(this.#job, Math.max(0, index - BLOCK_TASKS + 1), BLOCK_TASKS);
    const block = near.find(({ first, count }) => first <= index && index < first + count);
    const packed = block && (await store.readInputs(this.#job, block.first));
    if (block === undefined || packed === undefined) return undefined;
    const column = readColumn(packed);
    const offsets = new Uint32Array(column.count + 1);
    for (let i = 0; i < column.count; i++) offsets[i + 1] = (offsets[i] as number) + (column.lengths[i] as number);
    this.#first = block.first;
    this.#offsets = offsets;
    this.#column = column;
    return column;
  }
}

/** The lines of a text that comes in parts, with their numbers from 1 up. A last line break ends the last line. */
export async function* linesOf(parts: AsyncIterable<Uint8Array>): AsyncGenerator<{ number: number; text: string }> {
  let number = 0;
  let waiting: Uint8Array[] = [];
  let length = 0;
  const take = (piece: Uint8Array) => {
    waiting.push(piece);
    length += piece.length;
    if (length <= INPUT_LINE_BYTES) return;
    const extra = { line: number + 1 };
    const problem = `line ${number + 1} is longer than ${INPUT_LINE_BYTES} bytes: cut the value into several`;
    throw new Problem('tooLarge', problem, { extra });
  };
  const line = () => {
    number++;
    const text = textOf(waiting, number);
    waiting = [];
    length = 0;
    return { number, text };
  };
  for await (const part of parts) {
    let from = 0;
    for (let end = part.indexOf(10); end !== -1; end = part.indexOf(10, from)) {
      take(part.subarray(from, end));
      yield line();
      from = end + 1;
    }
    if (from < part.length) take(part.subarray(from));
  }
  if (waiting.length > 0) yield line();
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(pieces: readonly Uint8Array[], number: number): string {
  try {
    return decoder.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
  } catch {
    throw new Problem('invalid', `line ${number} is not UTF-8`, { extra: { line: number } });
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
